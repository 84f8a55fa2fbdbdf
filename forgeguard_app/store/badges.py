"""Reads a badge's state in one indexed query."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.shown_state import newest_run_of, newest_run_of_pull


@dataclass(frozen=True, slots=True)
class BadgeRow:
    """The repository, and the audit of the head that was asked for; None where there is none."""

    repo_id: UUID
    private: bool
    run_id: UUID | None


async def find_badge(connection: Connection, full_name: str, branch: str | None, number: int | None) -> BadgeRow | None:
    """By name; `branch` None is the default branch, `number` a pull request's."""
    row = await connection.fetchrow(
        f"""
        SELECT r.id AS repo_id, r.private, CASE WHEN $3::integer IS NULL
                THEN {newest_run_of("r.id", "coalesce($2, r.default_branch)")}
                ELSE {newest_run_of_pull("r", "p")} END AS run_id
        FROM repos r LEFT JOIN pulls p ON p.repo_id = r.id AND p.number = $3
        WHERE lower(r.full_name) = lower($1) AND r.removed_at IS NULL ORDER BY r.updated_at DESC LIMIT 1
        """,  # noqa: S608
        full_name,
        branch,
        number,
    )
    return None if row is None else BadgeRow(**row)
