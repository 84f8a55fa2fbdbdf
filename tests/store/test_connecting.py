"""A program that cannot reach its database at its start says so, in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from forgeguard_app.app.base import opened
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
