"""Claims of workers on audit runs and builds; the end of a claim tells a worker's death from an interruption.

A work that kills its worker must end, and one that was interrupted must not. So deaths are counted, not beginnings: who
takes a work over proves that the former worker died by itself. Every proof that is missing counts as an interruption.
"""

from __future__ import annotations

from enum import Enum
from uuid import UUID

from forgeguard_app.store.pool import Connection

KEPT_DAYS = 7


class FormerClaim(Enum):
    """The end of the former claim."""

    NONE = "none"
    DIED = "died"
    INTERRUPTED = "interrupted"


async def claim(connection: Connection, work_id: UUID) -> FormerClaim:
    """Claim the work for this process, and say what became of the former claim. Wants a transaction.

    The former worker died by itself where all of this holds: its claim is still there, it was not told to stop,
    PostgreSQL was not restarted since (the table is unlogged, so that a crash of PostgreSQL empties it), and none of
    its connections is left. A process that lost its connections alone opens others within moments.
    """
    died = await connection.fetchval(
        """
        WITH former AS (SELECT process, database_started_at, stopping FROM claims WHERE work_id = $1),
        claimed AS (
            INSERT INTO claims (work_id, process, database_started_at)
            VALUES ($1, current_setting('application_name'), pg_postmaster_start_time())
            ON CONFLICT (work_id) DO UPDATE SET process = excluded.process, stopping = false,
                database_started_at = excluded.database_started_at, begun_at = now()
        )
        SELECT f.database_started_at = pg_postmaster_start_time() AND NOT f.stopping
            AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.application_name = f.process)
        FROM former f
        """,
        work_id,
    )
    if died is None:
        return FormerClaim.NONE
    return FormerClaim.DIED if died else FormerClaim.INTERRUPTED


async def release(connection: Connection, work_id: UUID) -> bool:
    """Give the work back; False where another process claimed it meanwhile."""
    await connection.execute(
        "DELETE FROM claims WHERE work_id = $1 AND process = current_setting('application_name')", work_id
    )
    return not await connection.fetchval("SELECT EXISTS (SELECT 1 FROM claims WHERE work_id = $1)", work_id)


async def set_stopping(connection: Connection) -> None:
    """This process was told to stop: whatever ends it from now on is no death by itself."""
    await connection.execute("UPDATE claims SET stopping = true WHERE process = current_setting('application_name')")


async def delete_old_claims(connection: Connection) -> None:
    """Delete claims that nobody took over: their works are gone."""
    await connection.execute("DELETE FROM claims WHERE begun_at < now() - make_interval(days => $1)", KEPT_DAYS)
