"""Names that one process at a time holds, across all machines: PostgreSQL's advisory locks.

All names of a process are held by one connection, whatever their number; they go with it, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from forgeguard_app.store.pool import DATABASE_ERRORS, Connection, Pool


class Locks:
    """The names that this process holds."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: Connection | None = None
        self._names: set[str] = set()
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def only_one(self, name: str) -> AsyncIterator[bool]:
        """Hold the name until the context ends; yield whether nobody else holds it, in this process or another.

        Raises:
            DATABASE_ERRORS: the database is away.
        """
        if name in self._names:  # a session may take its own lock again
            yield False
            return
        self._names.add(name)
        holder: Connection | None = None
        try:
            holder = await self._take(name)
            yield holder is not None
        finally:
            self._names.discard(name)
            if holder is not None:
                await asyncio.shield(self._let_go(holder, name))

    async def close(self) -> None:
        """Give the connection back, and with it every name."""
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.terminate()
                await self._pool.release(connection)  # type: ignore[arg-type]

    async def _take(self, name: str) -> Connection | None:
        """Return the connection that took the name, None where another process holds it.

        All names share the connection, so that a job that is cancelled meanwhile gives its own name back and leaves
        the connection as it is.
        """
        taking = asyncio.ensure_future(self._try(name))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(taking, name))
            raise

    async def _give_back(self, taking: asyncio.Future[Connection | None], name: str) -> None:
        with contextlib.suppress(*DATABASE_ERRORS):
            holder = await taking
            if holder is not None:
                await self._let_go(holder, name)

    async def _try(self, name: str) -> Connection | None:
        async with self._turn:
            try:
                if self._connection is None or self._connection.is_closed():
                    await self._forget()
                    self._connection = await self._pool.acquire()
                # https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
                taken = await self._connection.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name)
            except BaseException:
                await self._forget()  # whether the name was taken is unknown
                raise
            return self._connection if taken else None

    async def _let_go(self, holder: Connection, name: str) -> None:
        async with self._turn:
            if holder is not self._connection:
                return  # its connection is gone, and the name with it
            try:
                await holder.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", name)
            except DATABASE_ERRORS:
                await self._forget()

    async def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*DATABASE_ERRORS):
                connection.terminate()
                await self._pool.release(connection)  # type: ignore[arg-type]
