"""Builds, their phases, and where each stands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from forgeguard_app.audit.masked_text import shown_lines
from forgeguard_app.store.claims import FormerClaim, claim, release
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.queue import SUBJECT
from forgeguard_app.store.states import BuildStatus


@dataclass(frozen=True, slots=True)
class Build:
    """One build; `contracts` are the texts by type as they were at its start, `findings` what is returned to the
    builder.
    """

    id: UUID
    project_id: UUID
    repo_id: UUID | None
    github_login: str | None
    builder: str
    phase: str
    phase_number: int
    status: BuildStatus
    started_at: datetime | None
    completed_at: datetime | None
    loop_count: int
    error_detail: str | None
    created_at: datetime
    contracts: Mapping[str, str]
    branch: str | None
    base_branch: str | None
    base_sha: str | None
    head_sha: str | None
    tried_sha: str | None
    findings: Sequence[Mapping[str, Any]]
    deaths: int
    interruptions: int
    cancel_requested_at: datetime | None
    pull_url: str | None
    review_sha: str | None
    log_deleted_at: datetime | None
    waiting_since: datetime | None
    waited: timedelta


_COLUMNS = (
    "id, project_id, repo_id, github_login, builder, phase, phase_number, status, started_at, completed_at, loop_count,"
    " error_detail, created_at, contracts, branch, base_branch, base_sha, head_sha, tried_sha, findings, "
    "deaths, interruptions,"
    " cancel_requested_at, pull_url, review_sha, log_deleted_at, waiting_since, waited"
)


@dataclass(frozen=True, slots=True)
class NewBuild:
    """A build to be made."""

    project_id: UUID
    repo_id: UUID
    user_id: UUID
    github_login: str
    builder: str
    contracts: Mapping[str, str]
    phases: Sequence[str]


class AlreadyBuilding(Exception):
    """Another build of the project is under way."""


def _build(row: Any) -> Build:
    return Build(
        **{
            **row,
            "status": BuildStatus(row["status"]),
            "contracts": json.loads(row["contracts"]),
            "findings": json.loads(row["findings"]),
        }
    )


async def insert_build(connection: Connection, new: NewBuild) -> UUID:
    """Insert a pending build with its phases. Wants a transaction.

    Raises:
        AlreadyBuilding: the project has a build under way.
    """
    try:
        build_id: UUID = await connection.fetchval(
            """
            INSERT INTO builds (project_id, repo_id, user_id, github_login, builder, contracts, phase)
            VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7) RETURNING id
            """,
            new.project_id,
            new.repo_id,
            new.user_id,
            new.github_login,
            new.builder,
            json.dumps(new.contracts, ensure_ascii=False),
            new.phases[0][:100],
        )
    except asyncpg.UniqueViolationError as error:
        raise AlreadyBuilding from error
    await connection.execute("UPDATE builds SET branch = 'forgeguard/build-' || id WHERE id = $1", build_id)
    await connection.executemany(
        "INSERT INTO build_phases (build_id, number, name) VALUES ($1, $2, $3)",
        [(build_id, number, name) for number, name in enumerate(new.phases)],
    )
    return build_id


async def find_build(connection: Connection, build_id: UUID) -> Build | None:
    """Return the build by our key."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM builds WHERE id = $1", build_id)  # noqa: S608
    return None if row is None else _build(row)


async def find_status(connection: Connection, build_id: UUID) -> BuildStatus | None:
    """Return the build's status; None where there is no such build."""
    found: str | None = await connection.fetchval("SELECT status FROM builds WHERE id = $1", build_id)
    return None if found is None else BuildStatus(found)


async def list_builds(
    connection: Connection, project_id: UUID, before: tuple[datetime, UUID] | None, most: int
) -> list[Build]:
    """Return a project's, the newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM builds WHERE project_id = $1 AND ($2::timestamptz IS NULL
            OR (created_at, id) < ($2, $3::uuid))
        ORDER BY created_at DESC, id DESC LIMIT $4
        """,  # noqa: S608
        project_id,
        before[0] if before else None,
        before[1] if before else None,
        most,
    )
    return [_build(row) for row in rows]


async def begin_phase(connection: Connection, build_id: UUID) -> Build | None:
    """Claim the build's present phase and return the build; None where it is at its end. Wants a transaction.

    A worker that died in the phase is counted, or an interruption.
    """
    await connection.execute(
        "SELECT 1 FROM builds WHERE id = $1 FOR UPDATE", build_id
    )  # before its claim, as others do
    former = await claim(connection, build_id)
    row = await connection.fetchrow(
        f"""
        UPDATE builds SET status = 'running', deaths = deaths + $2::int, interruptions = interruptions + $3::int,
            started_at = coalesce(started_at, now())
        WHERE id = $1 AND status IN ('pending', 'running') RETURNING {_COLUMNS}
        """,  # noqa: S608
        build_id,
        int(former is FormerClaim.DIED),
        int(former is FormerClaim.INTERRUPTED),
    )
    if row is None:
        await release(connection, build_id)
        return None
    await connection.execute(
        """
        UPDATE build_phases SET status = 'running', started_at = coalesce(started_at, now())
        WHERE build_id = $1 AND number = $2
        """,
        build_id,
        row["phase_number"],
    )
    return _build(row)


async def set_builder(connection: Connection, build_id: UUID, name: str) -> None:
    """Store the name of the builder, which its worker knows."""
    await connection.execute("UPDATE builds SET builder = $2 WHERE id = $1", build_id, name)


async def release_phase(connection: Connection, build_id: UUID) -> None:
    """Let the phase wait again: its work stopped for a transient fault, which is no death of its worker."""
    await release(connection, build_id)


async def set_base(connection: Connection, build_id: UUID, branch: str, sha: str) -> None:
    """Store where the build begins."""
    await connection.execute("UPDATE builds SET base_branch = $2, base_sha = $3 WHERE id = $1", build_id, branch, sha)


@dataclass(frozen=True, slots=True)
class Loop:
    """An attempt at a phase that did not pass: findings for the builder, its audit, and its commit, where there is
    one.
    """

    findings: Sequence[Mapping[str, Any]]
    audit: Mapping[str, Any] | None
    tried_sha: str | None


async def set_loop(connection: Connection, build_id: UUID, number: int, loop: Loop) -> int:
    """Note that the present phase's attempt failed, and return how many did so in a row."""
    loops: int = await connection.fetchval(
        """
        UPDATE builds SET loop_count = loop_count + 1, findings = $2::jsonb, tried_sha = coalesce($3, tried_sha),
            review_sha = NULL
        WHERE id = $1 RETURNING loop_count
        """,
        build_id,
        json.dumps(list(loop.findings), ensure_ascii=False),
        loop.tried_sha,
    )
    await _set_audit(connection, build_id, number, loop.audit)
    await connection.execute(
        "UPDATE build_phases SET loops = $3 WHERE build_id = $1 AND number = $2", build_id, number, loops
    )
    return loops


async def set_passed(connection: Connection, build_id: UUID, commit: str) -> None:
    """Note the commit that passed before it is pushed: the next worker pushes it, and builds nothing again."""
    await connection.execute(
        "UPDATE builds SET review_sha = $2, tried_sha = $2 WHERE id = $1 AND status = 'running'", build_id, commit
    )


async def set_phase_done(
    connection: Connection,
    build_id: UUID,
    number: int,
    commit: str | None,
    audit: Mapping[str, Any] | None,
    following: str | None,
) -> None:
    """Store that the phase passed and was pushed; `following` is the title of the next one. Wants a transaction."""
    await release(connection, build_id)
    await _set_audit(connection, build_id, number, audit)
    await connection.execute(
        """
        UPDATE build_phases SET status = 'completed', commit_sha = $3, completed_at = now() WHERE build_id = $1
            AND number = $2
        """,
        build_id,
        number,
        commit,
    )
    await connection.execute(
        """
        UPDATE builds SET head_sha = coalesce($2, head_sha), tried_sha = NULL, findings = '[]'::jsonb, loop_count = 0,
            deaths = 0, interruptions = 0, review_sha = NULL,
            phase_number = phase_number + 1, phase = coalesce($3, phase) WHERE id = $1
        """,
        build_id,
        commit,
        None if following is None else following[:100],
    )


async def _set_audit(connection: Connection, build_id: UUID, number: int, audit: Mapping[str, Any] | None) -> None:
    await connection.execute(
        "UPDATE build_phases SET audit = $3::jsonb WHERE build_id = $1 AND number = $2",
        build_id,
        number,
        None if audit is None else json.dumps(audit, ensure_ascii=False),
    )


async def set_build_ended(
    connection: Connection, build_id: UUID, status: str, *, detail: str | None = None, pull_url: str | None = None
) -> bool:
    """End the build: completed, failed or cancelled; False where it had ended before. Wants a transaction."""
    ended = await connection.fetchval(
        """
        UPDATE builds SET status = $2, error_detail = $3, pull_url = $4, completed_at = now(), waiting_since = NULL,
            contracts = '{}'::jsonb,
            log_bytes = (SELECT coalesce(sum(octet_length(message) + 64), 0) FROM build_logs WHERE build_id = $1)
        WHERE id = $1 AND status IN ('pending', 'running', 'awaiting_approval') RETURNING id
        """,
        build_id,
        status,
        None if detail is None else shown_lines(detail),
        pull_url,
    )
    if ended is None:
        return False
    await connection.execute(
        """
        UPDATE build_phases SET status = $2, completed_at = now()
        WHERE build_id = $1 AND status IN ('running', 'awaiting_approval')
        """,
        build_id,
        status,
    )
    return True


async def request_cancel(connection: Connection, build_id: UUID) -> str | None:
    """Somebody wants the build to end; gives its status, None where it is at its end already."""
    found: str | None = await connection.fetchval(
        """
        UPDATE builds SET cancel_requested_at = coalesce(cancel_requested_at, now())
        WHERE id = $1 AND status IN ('pending', 'running', 'awaiting_approval') RETURNING status
        """,
        build_id,
    )
    return found


async def is_cancelled(connection: Connection, build_id: UUID) -> bool:
    """Return whether somebody wants the build to end, or it is gone."""
    found = await connection.fetchrow("SELECT cancel_requested_at FROM builds WHERE id = $1", build_id)
    return found is None or found["cancel_requested_at"] is not None


async def is_withdrawn(connection: Connection, build_id: UUID) -> bool:
    """Return whether the App is not active on the build's repository any more.

    A repository that is transferred leaves one installation some seconds before it comes to another.
    """
    found: bool = await connection.fetchval(
        """
        SELECT NOT EXISTS (SELECT 1 FROM builds b JOIN repos r ON r.id = b.repo_id
            LEFT JOIN installations i ON i.id = r.installation_id
            WHERE b.id = $1 AND coalesce(r.removed_at > clock_timestamp() - interval '5 s', true)
            AND coalesce(i.status, 'active') = 'active')
        """,
        build_id,
    )
    return found


async def list_ended(connection: Connection, build_ids: Sequence[UUID]) -> list[UUID]:
    """Which of these builds are known and at their end."""
    rows = await connection.fetch(
        "SELECT id FROM builds WHERE id = ANY($1::uuid[]) AND status IN ('completed', 'failed', 'cancelled')",
        list(build_ids),
    )
    return [row["id"] for row in rows]


async def list_orphaned_builds(connection: Connection, most: int) -> list[UUID]:
    """Builds that are not at their end and for which no job waits or runs."""
    rows = await connection.fetch(
        f"""
        SELECT b.id FROM builds b WHERE b.status IN ('pending', 'running')
            AND b.created_at < now() - interval '10 s' AND (
            SELECT j.id FROM procrastinate_jobs j
            WHERE j.status IN ('todo', 'doing') AND {SUBJECT} = b.id::text LIMIT 1) IS NULL
        ORDER BY b.created_at LIMIT $1
        """,  # noqa: S608  (an expression of ours)
        most,
    )
    return [row["id"] for row in rows]


async def list_accounts(connection: Connection, build_id: UUID) -> set[int]:
    """Return the GitHub ids of who started the build, and of the account whose installation holds its repository."""
    rows = await connection.fetch(
        """
        SELECT u.github_id, i.account_github_id
        FROM builds b LEFT JOIN users u ON u.id = b.user_id
        LEFT JOIN repos r ON r.id = b.repo_id LEFT JOIN installations i ON i.id = r.installation_id
        WHERE b.id = $1
        """,
        build_id,
    )
    return {github_id for row in rows for github_id in row if github_id is not None}
