"""A repository's audits in time: pages of them, filtered, and the trend of its default branch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.audit.counts import OverallOutcome
from forgeguard_app.store.pool import Connection

MOST_OF_BRANCH = 1_000


@dataclass(frozen=True, slots=True)
class TimelineEntry:
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
    """The audits that are asked for; None for all.

    `result` is an overall result, PASS, FAIL or ERROR, or WAITING. `outcomes` are what audits came to; `leaked` True
    means those with a verified secret that nobody allowed, False those without. `statuses` are stored states of the
    work.
    """

    branch: str | None = None
    result: str | None = None
    author: str | None = None
    outcomes: tuple[OverallOutcome, ...] | None = None
    leaked: bool | None = None
    statuses: tuple[str, ...] | None = None


async def list_entries(
    connection: Connection, repo_id: UUID, wanted: Filter, before: tuple[datetime, UUID] | None, most: int
) -> list[TimelineEntry]:
    """Return audits of the repository, the newest first, from beyond `before`."""
    rows = await connection.fetch(
        f"""
        SELECT {_ENTRY} FROM audit_runs
        WHERE repo_id = $1 AND ($2::text IS NULL OR branch = $2) AND ($4::text IS NULL OR commit_author = $4)
            AND ($3::text IS NULL OR overall_result = $3 OR ($3 = 'WAITING' AND status IN ('pending', 'running')))
            AND ($8::text[] IS NULL OR outcome = ANY($8)) AND ($9::boolean IS NULL OR (verified_count > 0) = $9)
            AND ($10::text[] IS NULL OR status = ANY($10))
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
        None if wanted.outcomes is None else list(wanted.outcomes),
        wanted.leaked,
        None if wanted.statuses is None else list(wanted.statuses),
    )
    return [TimelineEntry(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluated head of the default branch: how many findings stood then, by check.

    None, or missing, where the check evaluated nothing: it was disabled, had nothing to check, or ended with ERROR.
    """

    run_id: UUID
    commit_sha: str
    created_at: datetime
    standing: Mapping[str, int | None]


async def list_trend(connection: Connection, repo_id: UUID, branch: str, most: int) -> list[Point]:
    """Return the branch's last heads with a verdict, the oldest first; of a head that was audited again, the newest.

    They are among the newest MOST_OF_BRANCH audits: anybody may ask, and one commit may be audited again thousands of
    times.
    """
    rows = await connection.fetch(
        """
        SELECT a.id AS run_id, a.commit_sha, a.created_at,
            coalesce(jsonb_object_agg(c.check_code, c.standing_count) FILTER (WHERE c.id IS NOT NULL), '{}') AS standing
        FROM (
            SELECT * FROM (
                SELECT DISTINCT ON (commit_sha) id, commit_sha, created_at FROM (
                    SELECT id, commit_sha, created_at FROM audit_runs
                    WHERE repo_id = $1 AND branch = $2 AND status IN ('completed', 'error') AND target_ref IS NULL
                    ORDER BY created_at DESC LIMIT $4
                ) AS lately ORDER BY commit_sha, created_at DESC
            ) AS heads ORDER BY created_at DESC LIMIT $3
        ) a
        LEFT JOIN audit_checks c ON c.audit_run_id = a.id
        GROUP BY a.id, a.commit_sha, a.created_at ORDER BY a.created_at
        """,
        repo_id,
        branch,
        most,
        MOST_OF_BRANCH,
    )
    return [Point(**{**row, "standing": json.loads(row["standing"])}) for row in rows]
