"""Who waits for a change of a repository's audits hears of it at once, whichever process made it: LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg

from forgeguard_app.store.pool import AWAY, CONNECT_TIMEOUT_S, Connection

CHANNEL = "forgeguard_audits"
MAX_WAITING = 2_000  # pages that wait at once
AGAIN_S = 2.0


async def notify_change(connection: Connection, repo_id: UUID) -> None:
    """Says that an audit of the repository changed, once the caller's transaction is through."""
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, str(repo_id))


class Changes:
    """Listens on one connection for all pages of this process, from the first one that waits."""

    def __init__(self, dsn: str | None) -> None:
        self._dsn = dsn
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def of(self, repo_id: UUID) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever something changed; whoever waits clears it.

        Raises:
            OverflowError: too many wait already.
        """
        if sum(map(len, self._waiting.values())) >= MAX_WAITING:
            raise OverflowError
        event, key = asyncio.Event(), str(repo_id)
        self._waiting.setdefault(key, set()).add(event)
        if self._task is None and self._dsn is not None:
            self._task = asyncio.create_task(self._listen(self._dsn))
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def close(self) -> None:
        """Listens no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _heard(self, payload: str) -> None:
        for event in self._waiting.get(payload, ()):
            event.set()

    async def _listen(self, dsn: str) -> None:
        while True:
            with contextlib.suppress(*AWAY):
                connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S)
                try:
                    ended = asyncio.Event()
                    connection.add_termination_listener(lambda _, ended=ended: ended.set())
                    await connection.add_listener(CHANNEL, lambda _c, _p, _ch, payload: self._heard(str(payload)))
                    for key in list(self._waiting):
                        self._heard(key)  # what changed while nobody listened
                    await ended.wait()
                finally:
                    connection.terminate()
            await asyncio.sleep(AGAIN_S)
