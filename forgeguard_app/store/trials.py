"""Trials of a configuration without a commit: a changed configuration, or a first one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from forgeguard_app.audit.masked_text import shown
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.queue import SUBJECT
from forgeguard_app.store.states import TrialKind, TrialStatus


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: what is laid over the head, and what came of it."""

    id: UUID
    repo_id: UUID
    user_id: UUID
    project_id: UUID | None
    kind: TrialKind
    path: str | None
    content: str | None
    status: TrialStatus
    commit_sha: str | None
    result: Mapping[str, Any] | None
    error_detail: str | None
    created_at: datetime
    content_deleted_at: datetime | None


_COLUMNS = (
    "id, repo_id, user_id, project_id, kind, path, content, status, commit_sha, result, error_detail, created_at,"
    " content_deleted_at"
)
# What a trial takes, without reading it: a result as it is compressed.
TRIAL_BYTES = "coalesce(octet_length(t.content), 0) + coalesce(pg_column_size(t.result), 0)"


@dataclass(frozen=True, slots=True)
class NewTrial:
    """A trial to be made: by whom, of which repository, and what of."""

    repo_id: UUID
    user_id: UUID
    kind: TrialKind
    path: str | None = None
    content: str | None = None
    project_id: UUID | None = None


async def insert_trial(connection: Connection, new: NewTrial) -> UUID:
    """Return a pending trial."""
    found: UUID = await connection.fetchval(
        "INSERT INTO trials (repo_id, user_id, kind, path, content, project_id) VALUES ($1, $2, $3, $4, $5, "
        "$6) RETURNING id",
        new.repo_id,
        new.user_id,
        new.kind,
        new.path,
        new.content,
        new.project_id,
    )
    return found


async def hold_trials(connection: Connection, user_id: UUID) -> None:
    """Hold the trials of the person until the transaction ends, so that those at once pass no bound together."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('trials of ' || $1::uuid, 0))", user_id)


async def get_pending_bytes(connection: Connection, user_id: UUID) -> int:
    """Return how many bytes the contents of the person's trials take that have not ended."""
    found: int = await connection.fetchval(
        "SELECT coalesce(sum(octet_length(content)), 0)::bigint FROM trials WHERE user_id = $1 AND status = 'pending'",
        user_id,
    )
    return found


async def delete_contents_over(connection: Connection, user_id: UUID, quota_bytes: int) -> int:
    """Delete content and result of the person's trials that ended first, beyond the quota. Return their number.

    Wants a transaction that holds the person's trials.
    """
    gone = await connection.execute(
        f"""
        UPDATE trials SET content = NULL, result = NULL, content_deleted_at = now() WHERE id IN (
            SELECT id FROM (
                SELECT t.id, t.completed_at, sum({TRIAL_BYTES}) OVER (
                    ORDER BY t.completed_at DESC NULLS FIRST, t.created_at DESC, t.id) AS total
                FROM trials t WHERE t.user_id = $1 AND t.content_deleted_at IS NULL
            ) AS sized WHERE total > $2 AND completed_at IS NOT NULL)
        """,  # noqa: S608
        user_id,
        quota_bytes,
    )
    return int(gone.rpartition(" ")[2])


async def list_people_over(connection: Connection, quota_bytes: int) -> list[UUID]:
    """Return the people whose trials take more than the quota."""
    rows = await connection.fetch(
        f"SELECT t.user_id FROM trials t GROUP BY 1 HAVING sum({TRIAL_BYTES}) > $1",  # noqa: S608
        quota_bytes,
    )
    return [row["user_id"] for row in rows]


async def count_lately(connection: Connection, user_id: UUID) -> int:
    """Count the trials that the person asked for within an hour."""
    number: int = await connection.fetchval(
        "SELECT count(*) FROM trials WHERE user_id = $1 AND created_at > now() - interval '1 hour'", user_id
    )
    return number


async def find_trial(connection: Connection, trial_id: UUID) -> Trial | None:
    """Return the trial by our key."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM trials WHERE id = $1", trial_id)  # noqa: S608
    if row is None:
        return None
    states = {"kind": TrialKind(row["kind"]), "status": TrialStatus(row["status"])}
    return Trial(**{**row, **states, "result": json.loads(row["result"]) if row["result"] else None})


async def set_trial_done(
    connection: Connection, trial_id: UUID, commit_sha: str | None, result: Mapping[str, Any]
) -> None:
    """Store the outcome of a trial."""
    await connection.execute(
        """
        UPDATE trials SET status = 'completed', commit_sha = $2, result = $3::jsonb, completed_at = now()
        WHERE id = $1 AND status = 'pending'
        """,
        trial_id,
        commit_sha,
        json.dumps(result, ensure_ascii=False),
    )


async def set_trial_failed(connection: Connection, trial_id: UUID, reason: str) -> None:
    """Why nothing came of it."""
    await connection.execute(
        "UPDATE trials SET status = 'error', error_detail = $2, completed_at = now() WHERE id = $1 AND "
        "status = 'pending'",
        trial_id,
        shown(reason),
    )


async def fail_left_trials(connection: Connection, after_s: float, reason: str) -> list[UUID]:
    """End the pending trials that are older than `after_s` seconds and have no job any more, and return the
    repositories in which there were any.
    """
    rows = await connection.fetch(
        f"""
        WITH ended AS (
            UPDATE trials t SET status = 'error', error_detail = $2, completed_at = now()
            WHERE t.status = 'pending' AND t.created_at < now() - make_interval(secs => $1) AND (
                SELECT j.id FROM procrastinate_jobs j WHERE j.status IN ('todo', 'doing')
                    AND j.task_name = 'try_configuration' AND {SUBJECT} = t.id::text LIMIT 1
            ) IS NULL
            RETURNING t.repo_id
        )
        SELECT DISTINCT repo_id FROM ended
        """,  # noqa: S608  (an expression of ours)
        after_s,
        shown(reason),
    )
    return [row["repo_id"] for row in rows]
