"""A PostgreSQL that can be restarted under everybody, and a fresh database a rehearsal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from forgeguard_app.store import embedded
from forgeguard_app.store.migrate import migrate
from tests.support.databases import empty

SETTINGS = ("fsync=off", "full_page_writes=off", "autovacuum=off")


class Database:
    """`async with Database(folder) as database:`."""

    def __init__(self, folder: Path) -> None:
        self._place = embedded._prepare(folder)
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Database:
        await asyncio.to_thread(embedded._initialise, self._place)
        self._process = await embedded._start(self._place, SETTINGS)
        await migrate(await embedded._reachable(self._place))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            await asyncio.to_thread(embedded._stop, self._process)

    async def restart(self, *, orderly: bool = False) -> None:
        """Everybody loses the connection, as in a restart that waits for nobody, and comes back a moment later.

        Only an `orderly` one keeps the contents of unlogged tables.
        """
        if self._process is not None:
            self._process.send_signal(signal.SIGINT if orderly else signal.SIGQUIT)
            await asyncio.to_thread(self._process.wait, 10)
        self._process = await embedded._start(self._place, SETTINGS)

    @contextlib.asynccontextmanager
    async def fresh(self) -> AsyncIterator[str]:
        """The DSN of the migrated database, emptied, with nobody else in it; one rehearsal at a time."""
        dsn = await embedded._reachable(self._place)
        await empty(dsn)
        yield dsn
