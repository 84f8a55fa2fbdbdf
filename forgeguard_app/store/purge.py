"""What is kept no longer."""

from __future__ import annotations

from collections.abc import Collection

from forgeguard_app.store.pool import Connection

REMOVED_DAYS = 30
DELIVERY_DAYS = 30
FAILED_JOB_DAYS = 7
TRIAL_DAYS = 7
BATCH = 5_000


async def delete_left(connection: Connection) -> int:
    """Repositories and installations that left a month ago, with their audits; the number of repositories."""
    gone = await connection.fetch(
        "DELETE FROM repos WHERE removed_at < now() - make_interval(days => $1) RETURNING id", REMOVED_DAYS
    )
    await connection.execute(
        "DELETE FROM installations WHERE status = 'deleted' AND updated_at < now() - make_interval(days => $1)",
        REMOVED_DAYS,
    )
    return len(gone)


async def delete_old_deliveries(connection: Connection) -> int:
    """A batch of the inbox's oldest rows, long past what GitHub would deliver again."""
    rows = await connection.fetch(
        """
        DELETE FROM deliveries WHERE id IN (
            SELECT id FROM deliveries WHERE received_at < now() - make_interval(days => $1) ORDER BY received_at LIMIT $2)
        RETURNING id
        """,
        DELIVERY_DAYS,
        BATCH,
    )
    return len(rows)


async def delete_failed_jobs(connection: Connection) -> None:
    """Jobs that were given up, after a week; their runs say why."""
    await connection.execute(
        """
        DELETE FROM procrastinate_jobs j WHERE j.status IN ('failed', 'cancelled', 'aborted') AND NOT EXISTS (
            SELECT 1 FROM procrastinate_events e WHERE e.job_id = j.id AND e.at > now() - make_interval(days => $1))
        """,
        FAILED_JOB_DAYS,
    )


async def delete_old_trials(connection: Connection) -> None:
    """Trials that nobody looks at any more."""
    await connection.execute("DELETE FROM trials WHERE created_at < now() - make_interval(days => $1)", TRIAL_DAYS)


async def list_kept(connection: Connection, github_repo_ids: Collection[int]) -> set[int]:
    """Which of these repositories are still guarded."""
    rows = await connection.fetch(
        "SELECT github_repo_id FROM repos WHERE removed_at IS NULL AND github_repo_id = ANY($1::bigint[])",
        list(github_repo_ids),
    )
    return {row["github_repo_id"] for row in rows}
