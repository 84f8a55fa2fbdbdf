"""The connection pool."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg

from forgeguard_app.errors import UserError

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = Any

COMMAND_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 5.0
SEARCH_PATH = "public, procrastinate"


class Unreachable(Exception):
    """No connection to PostgreSQL could be made; its cause says why."""


class RowLocked(Exception):
    """A row that another transaction holds for longer than we wait; the work is tried again."""


@contextlib.asynccontextmanager
async def short_transaction(pool: Pool, lock_wait_ms: int) -> AsyncIterator[Connection]:
    """`async with short_transaction(pool, 3_000) as connection:` waits for no row longer than that.

    Raises:
        RowLocked: another transaction held a row for so long; nothing is stored.
    """
    try:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT set_config('lock_timeout', $1, true)", str(lock_wait_ms))
            yield connection
    except asyncpg.LockNotAvailableError as error:
        raise RowLocked("another transaction holds a row of this work") from error


# What PostgreSQL being away looks like: the work is tried again, the delivery is answered with 503. The classes of
# errors: https://www.postgresql.org/docs/current/errcodes-appendix.html
# No OSError: a file that fails in a build or an audit is no fault of the database.
DATABASE_ERRORS = (
    Unreachable,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,  # a deadlock: one of two is to try again
    asyncpg.InsufficientResourcesError,  # its disk is full, or it has no connection left
    asyncpg.ReadOnlySQLTransactionError,  # it is somebody's standby just now
    TimeoutError,
)

# What PostgreSQL says where the address names a user, a password or a database that it does not know.
TURNED_AWAY = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)


@contextlib.contextmanager
def connecting() -> Iterator[None]:
    """Say in words that the database cannot be reached, where a program cannot start without it.

    Raises:
        UserError: it is away, or refuses us.
    """
    try:
        yield
    except (*DATABASE_ERRORS, *TURNED_AWAY) as error:
        raise UserError(
            f"the database cannot be reached ({type(error.__cause__ or error).__name__}): start it, or "
            f"correct FORGEGUARD_DATABASE_URL"
        ) from error


async def connect(*arguments: Any, **options: Any) -> asyncpg.Connection[asyncpg.Record]:
    """Connect as asyncpg does.

    Raises:
        Unreachable: the network, the socket or the host's name failed.
    """
    try:
        return await asyncpg.connect(*arguments, **options)
    except OSError as error:
        raise Unreachable(f"PostgreSQL cannot be reached: {type(error).__name__}") from error


async def _leave(connection: Connection) -> None:
    """Reset nothing of a connection that is given back, since no session is changed here."""
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")


async def open_pool(dsn: str, *, size: int = 8) -> Pool:
    """Return a pool of at most `size` connections that see our tables and the queue's functions.

    Each pool has an `application_name` of its own, so that others see whether its process still lives.
    """
    pool = asyncpg.create_pool(
        dsn,
        connect=connect,
        min_size=1,
        max_size=size,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=COMMAND_TIMEOUT_S,
        max_inactive_connection_lifetime=300,
        reset=_leave,
        server_settings={"search_path": SEARCH_PATH, "application_name": f"forgeguard {uuid4().hex}"},
    )
    return await pool


@contextlib.asynccontextmanager
async def pool_of(dsn: str, size: int) -> AsyncIterator[Pool]:
    """Open a pool as `open_pool` does until the context ends; it waits for what still runs, for `CLOSE_TIMEOUT_S`.

    Raises:
        UserError: the database is away, or refuses us.
    """
    with connecting():
        pool = await open_pool(dsn, size=size)
    try:
        yield pool
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await pool.close()
