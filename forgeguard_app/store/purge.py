"""Deletes rows that are no longer kept."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from forgeguard_app.store.pool import Connection

REMOVED_DAYS = 30
DELIVERY_DAYS = 30
FAILED_JOB_DAYS = 7
TRIAL_DAYS = 7
BATCH = 5_000
RUNS_AT_ONCE = 200  # audits, each with up to thousands of findings


async def delete_left_runs(connection: Connection) -> int:
    """Delete up to RUNS_AT_ONCE audits of repositories that left a month ago, and return their number."""
    rows = await connection.fetch(
        """
        DELETE FROM audit_runs WHERE id IN (
            SELECT a.id FROM audit_runs a JOIN repos r ON r.id = a.repo_id
                LEFT JOIN installations i ON i.id = r.installation_id
            WHERE r.removed_at < now() - make_interval(days => $1)
                OR (i.status = 'deleted' AND i.updated_at < now() - make_interval(days => $1))
            LIMIT $2)
        RETURNING id
        """,
        REMOVED_DAYS,
        RUNS_AT_ONCE,
    )
    return len(rows)


async def delete_left(connection: Connection) -> int:
    """Delete repositories and installations that left a month ago, and return the number of repositories.

    It is one statement whatever they hold: their audits are deleted before, by `delete_left_runs`.
    """
    gone = await connection.fetch(
        "DELETE FROM repos WHERE removed_at < now() - make_interval(days => $1) RETURNING id", REMOVED_DAYS
    )
    await connection.execute(
        "DELETE FROM installations WHERE status = 'deleted' AND updated_at < now() - make_interval(days => $1)",
        REMOVED_DAYS,
    )
    return len(gone)


async def delete_old_deliveries(connection: Connection) -> int:
    """Return a batch of the inbox's oldest rows, long past what GitHub would deliver again."""
    rows = await connection.fetch(
        """
        DELETE FROM deliveries WHERE id IN (
            SELECT id FROM deliveries WHERE received_at < now() - make_interval(days => $1) ORDER BY received_at
                LIMIT $2)
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


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a guarded repository is: its name, and the account of its installation."""

    full_name: str
    account_login: str


async def list_holders(connection: Connection, github_repo_ids: Collection[int]) -> dict[int, Holder]:
    """Return whose these repositories are, by GitHub's id; those that are not guarded any more are left out."""
    rows = await connection.fetch(
        """
        SELECT r.github_repo_id, r.full_name, coalesce(i.account_login, '') AS account_login
        FROM repos r LEFT JOIN installations i ON i.id = r.installation_id
        WHERE r.removed_at IS NULL AND r.github_repo_id = ANY($1::bigint[])
        """,
        list(github_repo_ids),
    )
    return {row["github_repo_id"]: Holder(row["full_name"], row["account_login"]) for row in rows}
