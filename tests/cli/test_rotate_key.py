"""`forgeguard rotate-key` seals everything stored under the first key."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from forgeguard_app.flows.context.web_context import Keys
from forgeguard_app.store.credentials import SealedApp, find_app, insert_app
from forgeguard_app.store.kept_forms import insert_kept_form, list_sealed_forms
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.users import SealedPerson, SealedTokens, list_sealed, upsert_user
from forgeguard_app.vault import Sealer

OLD, NEW, LOST = "o" * 32, "n" * 32, "l" * 32


async def rotate(dsn: str, home: Path, keys: str) -> tuple[int, str]:
    env = {**os.environ, "FORGEGUARD_DATABASE_URL": dsn, "FORGEGUARD_SECRET_KEY": keys, "FORGEGUARD_HOME": str(home)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "forgeguard_app.cli.main",
        "rotate-key",
        env=env,
        cwd=home,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode()


async def fill(pool: Pool, old: Keys, lost: Keys) -> None:
    async with pool.acquire() as connection, connection.transaction():
        client, private, hook = (old.credentials.seal(name) for name in ("client", "private", "hook"))
        await insert_app(connection, SealedApp(1, "app", "h", "c", client, private, hook, "g", "a", "p"))
        person = await upsert_user(
            connection, 1, "mona", None, SealedTokens(old.tokens.seal("access"), old.tokens.seal("refresh"), 60)
        )
        await upsert_user(connection, 2, "hubot", None, SealedTokens(lost.tokens.seal("other"), None, None))
        await insert_kept_form(connection, person, "browser", "/x", old.forms_kept.seal("typed"))


def opened(people: list[SealedPerson], sealer: Sealer) -> set[str | None]:
    return {sealer.open(value) for person in people for value in (person.access_token, person.refresh_token) if value}


async def test_after_it_the_first_key_alone_opens_everything(pool: Pool, dsn: str, tmp_path: Path) -> None:
    old, new, lost = (Keys([key.encode()]) for key in (OLD, NEW, LOST))
    await fill(pool, old, lost)
    status, output = await rotate(dsn, tmp_path, f"{NEW},{OLD}")
    assert (status, output.startswith("6 stored value(s) sealed"), "1 value(s) are opened by none" in output) == (
        1,
        True,
        True,
    )
    assert await rotate(dsn, tmp_path, f"{NEW},{OLD},{LOST}") == (
        0,
        "7 stored value(s) sealed under the first key.\nThe other keys can be dropped once every server and worker has"
        " been restarted with the new first key.\n",
    )
    async with pool.acquire() as connection:
        app = await find_app(connection)
        people = await list_sealed(connection, None, 10)
        forms = await list_sealed_forms(connection)
    assert app is not None
    assert [new.credentials.open(sealed) for sealed in (app.client_secret, app.private_key, app.webhook_secret)] == [
        "client",
        "private",
        "hook",
    ]
    assert opened(people, new.tokens) == {"access", "refresh", "other"}
    assert [new.forms_kept.open(content) for _, content in forms] == ["typed"]


async def test_every_column_that_is_sealed_is_rotated(pool: Pool) -> None:
    """A new column with ciphertext belongs into rotate_key, and into this list."""
    async with pool.acquire() as connection:
        names = await connection.fetch(
            """
            SELECT table_name || '.' || column_name AS name FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name ~ '(token|secret|private_key|sealed)'
                AND column_name !~ '(hash|expires|pause)'
            """
        )
    assert {row["name"] for row in names} == {
        "app_credentials.client_secret",
        "app_credentials.private_key",
        "app_credentials.webhook_secret",
        "users.access_token",
        "users.refresh_token",
    }
