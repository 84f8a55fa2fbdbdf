"""Reading what somebody may see takes long where they see much: others do not wait for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.people import repo_access
from forgeguard_app.flows.people.repo_access import refresh_access
from forgeguard_app.github.client import Client
from forgeguard_app.github.people import KnownAnswers, list_access
from tests.support.browsing import Browser
from tests.support.running import running
from tests.support.stored import forget_access_checks


async def test_long_readings_of_some_keep_nobody_waiting(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        for name in ("mona", *"abcdefgh"):
            async with Browser(product) as browser:
                await browser.sign_in(product.github.people.add(name))
        async with product.pool.acquire() as connection:
            await forget_access_checks(connection)
            rows = await connection.fetch("SELECT id, github_login, access_token FROM users")
        seal, begun = product.web_context.keys.tokens, 0
        slow = {seal.open(row["access_token"]) for row in rows if row["github_login"] != "mona"}
        ids: dict[str, UUID] = {row["github_login"]: row["id"] for row in rows}

        async def slow_access(client: Client, token: str, known: KnownAnswers) -> dict[int, str]:
            nonlocal begun
            if token in slow:
                begun += 1
                await asyncio.sleep(60)
            return await list_access(client, token, known)

        monkeypatch.setattr(repo_access, "list_access", slow_access)
        monkeypatch.setattr(repo_access, "LONGEST_S", 3.0)
        reading = [asyncio.create_task(refresh_access(product.web_context, ids[name])) for name in "abcdefgh"]
        async with asyncio.timeout(2):
            while begun < len(reading):
                await asyncio.sleep(0.01)
            await refresh_access(product.web_context, ids["mona"])
        assert not any(task.done() for task in reading)
        failed = await asyncio.gather(*reading, return_exceptions=True)
        assert all(isinstance(outcome, RetryLater) for outcome in failed)
        with pytest.raises(RetryLater):
            await refresh_access(product.web_context, ids["a"])
        assert begun == len(reading), "what took too long is not begun again at once"
