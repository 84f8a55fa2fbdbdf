"""A repository's audits in time: pages of them, filtered, and the trend of its default branch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit as a list shows it."""

    id: UUID
    commit_sha: str
    commit_message: str | None
    commit_author: str | None
    branch: str | None
    trigger: str
    status: str
    overall_result: str | None
    created_at: datetime
    completed_at: datetime | None
    files_checked: int | None


_ENTRY = (
    "id, commit_sha, commit_message, commit_author, branch, trigger, status, overall_result, created_at, completed_at,"
    " files_checked"
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for; None for all. `result` is PASS, FAIL, ERROR or WAITING."""

    branch: str | None = None
    result: str | None = None
    author: str | None = None


async def list_entries(
    connection: Connection, repo_id: UUID, wanted: Filter, before: tuple[datetime, UUID] | None, most: int
) -> list[Entry]:
    """Audits of the repository, the newest first, from beyond `before`."""
    rows = await connection.fetch(
        f"""
        SELECT {_ENTRY} FROM audit_runs
        WHERE repo_id = $1 AND ($2::text IS NULL OR branch = $2) AND ($4::text IS NULL OR commit_author = $4)
            AND ($3::text IS NULL OR overall_result = $3 OR ($3 = 'WAITING' AND status IN ('pending', 'running')))
            AND ($5::timestamptz IS NULL OR (created_at, id) < ($5, $6::uuid))
        ORDER BY created_at DESC, id DESC LIMIT $7
        """,  # noqa: S608
        repo_id,
        wanted.branch,
        wanted.result,
        wanted.author,
        before[0] if before else None,
        before[1] if before else None,
        most,
    )
    return [Entry(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Point:
    """One judged run of the default branch: how many findings stood in the code then, by check."""

    run_id: UUID
    commit_sha: str
    overall_result: str
    created_at: datetime
    a4: int
    a9: int
    w1: int


async def list_trend(connection: Connection, repo_id: UUID, branch: str, most: int) -> list[Point]:
    """The last judged runs of the branch, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT a.id AS run_id, a.commit_sha, a.overall_result, a.created_at,
            count(f.id) FILTER (WHERE c.check_code = 'A4') AS a4, count(f.id) FILTER (WHERE c.check_code = 'A9') AS a9,
            count(f.id) FILTER (WHERE c.check_code = 'W1') AS w1
        FROM (
            SELECT id, commit_sha, overall_result, created_at FROM audit_runs
            WHERE repo_id = $1 AND branch = $2 AND status = 'completed' ORDER BY created_at DESC LIMIT $3
        ) a
        LEFT JOIN audit_checks c ON c.audit_run_id = a.id LEFT JOIN findings f ON f.audit_check_id = c.id
        GROUP BY a.id, a.commit_sha, a.overall_result, a.created_at ORDER BY a.created_at
        """,
        repo_id,
        branch,
        most,
    )
    return [Point(**row) for row in rows]
