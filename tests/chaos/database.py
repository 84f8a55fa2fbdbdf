"""A PostgreSQL that can be restarted under everybody, and a fresh database a rehearsal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from forgeguard_app.store import embedded
from forgeguard_app.store.migrate import migrate

SETTINGS = ("fsync=off", "full_page_writes=off", "autovacuum=off")


class Database:
    """`async with Database(folder) as database:`."""

    def __init__(self, folder: Path) -> None:
        self._place = embedded._prepare(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._number = 0

    async def __aenter__(self) -> Database:
        await asyncio.to_thread(embedded._initialise, self._place)
        self._process = await embedded._start(self._place, SETTINGS)
        await migrate(await embedded._reachable(self._place))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            await asyncio.to_thread(embedded._stop, self._process)

    async def restart(self) -> None:
        """Everybody loses the connection, as in a restart that waits for nobody, and comes back a moment later."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            await asyncio.to_thread(self._process.wait, 10)
        self._process = await embedded._start(self._place, SETTINGS)

    @contextlib.asynccontextmanager
    async def fresh(self) -> AsyncIterator[str]:
        """The DSN of a fresh migrated database."""
        whole = await embedded._reachable(self._place)
        self._number += 1
        name = f"rehearsal{self._number}"
        await self._administer(whole, f"CREATE DATABASE {name} TEMPLATE forgeguard")
        try:
            yield whole.replace("/forgeguard?", f"/{name}?")
        finally:
            await self._administer(await embedded._reachable(self._place), f"DROP DATABASE {name} WITH (FORCE)")

    async def _administer(self, dsn: str, statement: str) -> None:
        connection = await asyncpg.connect(dsn.replace("/forgeguard?", "/postgres?"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
