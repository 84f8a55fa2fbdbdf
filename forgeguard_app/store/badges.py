"""Reads a badge's state in one indexed query."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.shown_state import newest_run_of, newest_run_of_pull


async def find_badge_run(connection: Connection, repo_id: UUID, branch: str | None, number: int | None) -> UUID | None:
    """Return the newest audit of the head; `branch` None is the default branch, `number` a pull request's."""
    run_id: UUID | None = await connection.fetchval(
        f"""
        SELECT CASE WHEN $3::integer IS NULL
                THEN {newest_run_of("r.id", "coalesce($2, r.default_branch)")}
                ELSE {newest_run_of_pull("r", "p")} END
        FROM repos r LEFT JOIN pulls p ON p.repo_id = r.id AND p.number = $3 WHERE r.id = $1
        """,  # noqa: S608
        repo_id,
        branch,
        number,
    )
    return run_id
