"""A program that cannot start says why, in words: its database is out of reach, or its address is taken."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from forgeguard_app.app.base import opened
from forgeguard_app.app.serve import serve
from forgeguard_app.errors import UserError
from forgeguard_app.settings import Settings


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (lambda _: "postgresql://u:hunter2@127.0.0.1:9/x", "ConnectionRefusedError"),
        (lambda _: "postgresql:///x?host=/nonexistent", "FileNotFoundError"),
        (lambda dsn: dsn.replace("/shared?", "/none?"), "InvalidCatalogNameError"),
    ],
    ids=["refused", "no socket", "no such database"],
)
async def test_a_database_out_of_reach_is_reported(
    address: Callable[[str], str], kind: str, dsn: str, tmp_path: Path
) -> None:
    settings = Settings.model_validate({"database_url": address(dsn), "secret_key": "k" * 32, "home": tmp_path})
    with pytest.raises(UserError, match=rf"cannot be reached \({kind}\): start it, or correct FORGEGUARD_DATABASE_URL"):
        async with opened(settings):
            raise AssertionError


async def test_an_address_that_is_taken_or_is_nobodys_is_reported(dsn: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for host, port, why in (
            ("127.0.0.1", taken.getsockname()[1], "Address already in use"),
            ("203.0.113.9", 8000, "Cannot assign requested address"),
        ):
            given = {"database_url": dsn, "secret_key": "k" * 32, "home": tmp_path, "host": host, "port": port}
            with pytest.raises(UserError, match=rf"cannot listen on {host}, port {port} \({why}\)"):
                await serve(Settings.model_validate(given), asyncio.Event(), asyncio.Event(), asyncio.Event())
