"""What a badge says, in one indexed query."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class BadgeRow:
    """The repository, and the newest run of the branch or pull request that was asked for; None where there is none."""

    repo_id: UUID
    private: bool
    guarded: bool
    status: str | None
    overall_result: str | None
    age_s: float | None
    warns: bool | None


async def find_badge(connection: Connection, full_name: str, branch: str | None, number: int | None) -> BadgeRow | None:
    """By name; `branch` None is the default branch, `number` a pull request's."""
    row = await connection.fetchrow(
        """
        SELECT r.id AS repo_id, r.private, coalesce(i.status = 'active', false) AS guarded, a.status, a.overall_result,
            extract(epoch FROM clock_timestamp() - a.created_at)::float8 AS age_s,
            EXISTS (SELECT 1 FROM audit_checks c WHERE c.audit_run_id = a.id AND c.result = 'WARN') AS warns
        FROM repos r LEFT JOIN installations i ON i.id = r.installation_id
        LEFT JOIN pulls p ON p.repo_id = r.id AND p.number = $3
        LEFT JOIN LATERAL (
            (SELECT * FROM audit_runs WHERE $3::integer IS NULL AND repo_id = r.id AND branch = coalesce($2, r.default_branch)
            ORDER BY created_at DESC LIMIT 1)
            UNION ALL
            (SELECT * FROM audit_runs WHERE repo_id = r.id AND commit_sha = p.head_sha ORDER BY created_at DESC LIMIT 1)
        ) a ON true
        WHERE lower(r.full_name) = lower($1) AND r.removed_at IS NULL ORDER BY r.updated_at DESC LIMIT 1
        """,
        full_name,
        branch,
        number,
    )
    return None if row is None else BadgeRow(**row)
