"""Overviews of a person's repositories with their health, and of their installations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.shown_state import newest_run_of

MOST = 1_000
LATELY = 20  # audits that a repository's health is made of
_NEWEST = f"LEFT JOIN audit_runs newest ON newest.id = {newest_run_of('r.id', 'r.default_branch')}"


@dataclass(frozen=True, slots=True)
class SeenRepo:
    """A repository as a person sees it: the audit of its default branch's head, and how its last audits ended.

    `warned` of the `passed` ones passed with warnings; `evaluated` counts those in which a check looked at anything.
    """

    id: UUID
    github_repo_id: int
    full_name: str
    default_branch: str
    private: bool
    level: str
    account_login: str
    run_id: UUID | None
    run_status: str | None
    run_result: str | None
    run_sha: str | None
    run_at: datetime | None
    passed: int
    warned: int
    evaluated: int


_SEEN = f"""
    SELECT r.id, r.github_repo_id, r.full_name, r.default_branch, r.private, a.level,
        coalesce(i.account_login, split_part(r.full_name, '/', 1)) AS account_login,
        newest.id AS run_id, newest.status AS run_status,
        newest.overall_result AS run_result, newest.commit_sha AS run_sha, newest.created_at AS run_at,
        coalesce(health.passed, 0) AS passed, coalesce(health.warned, 0) AS warned,
        coalesce(health.evaluated, 0) AS evaluated
    FROM repo_access a JOIN repos r ON r.github_repo_id = a.github_repo_id
    LEFT JOIN installations i ON i.id = r.installation_id
    {_NEWEST}
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE overall_result = 'PASS') AS passed,
            count(*) FILTER (WHERE overall_result = 'PASS' AND (outcome = 'warned' OR verified_count > 0)) AS warned,
            count(*) AS evaluated
        FROM (
            SELECT overall_result, outcome, verified_count FROM audit_runs
            WHERE repo_id = r.id AND status IN ('completed', 'error') AND coalesce(outcome, '')
                NOT IN ('disabled', 'nothing')
            ORDER BY created_at DESC LIMIT {LATELY}) lately
    ) health ON true
    WHERE a.user_id = $1 AND r.removed_at IS NULL
"""  # noqa: S608  (a number of ours)


async def list_seen(connection: Connection, user_id: UUID, after: str, most: int) -> list[SeenRepo]:
    """Return the guarded repositories that the person may see, by name, from beyond `after`."""
    rows = await connection.fetch(
        f"{_SEEN} AND lower(r.full_name) > $2 ORDER BY lower(r.full_name) LIMIT $3",
        user_id,
        after.lower(),
        most,
    )
    return [SeenRepo(**row) for row in rows]


async def list_seen_ids(connection: Connection, user_id: UUID, most: int) -> list[UUID]:
    """Return the guarded repositories that the person may see."""
    rows = await connection.fetch(
        """
        SELECT r.id FROM repo_access a JOIN repos r ON r.github_repo_id = a.github_repo_id AND r.removed_at IS NULL
        WHERE a.user_id = $1 LIMIT $2
        """,
        user_id,
        most,
    )
    return [row["id"] for row in rows]


async def find_seen(connection: Connection, user_id: UUID, repo_id: UUID) -> SeenRepo | None:
    """Return one of them."""
    row = await connection.fetchrow(f"{_SEEN} AND r.id = $2", user_id, repo_id)
    return None if row is None else SeenRepo(**row)


async def find_head_run(connection: Connection, repo_id: UUID) -> UUID | None:
    """Return the audit of the default branch's head."""
    found: UUID | None = await connection.fetchval(
        f"SELECT {newest_run_of('r.id', 'r.default_branch')} FROM repos r WHERE r.id = $1",  # noqa: S608
        repo_id,
    )
    return found


@dataclass(frozen=True, slots=True)
class SeenInstallation:
    """An installation as a person sees it, with the newest audits of its repositories' default branches.

    `failing` are FAIL and ERROR, `warning` passed with warnings or hold a verified secret, `waiting` have no verdict
    yet.
    """

    id: UUID
    github_installation_id: int
    account_login: str
    account_type: str
    status: str
    repositories: int
    failing: int
    warning: int
    waiting: int


async def list_seen_installations(
    connection: Connection, user_id: UUID, after: str, most: int
) -> list[SeenInstallation]:
    """Return the installations of which the person may see a repository, by account."""
    rows = await connection.fetch(
        f"""
        SELECT i.id, i.github_installation_id, i.account_login, i.account_type, i.status, count(*) AS repositories,
            count(*) FILTER (WHERE newest.overall_result <> 'PASS') AS failing,
            count(*) FILTER (WHERE newest.overall_result = 'PASS'
                AND (newest.outcome = 'warned' OR newest.verified_count > 0)) AS warning,
            count(*) FILTER (WHERE newest.status IN ('pending', 'running')) AS waiting
        FROM repo_access a JOIN repos r ON r.github_repo_id = a.github_repo_id AND r.removed_at IS NULL
        JOIN installations i ON i.id = r.installation_id AND i.status <> 'deleted'
        {_NEWEST}
        WHERE a.user_id = $1 AND lower(i.account_login) > $2
        GROUP BY i.id ORDER BY lower(i.account_login) LIMIT $3
        """,  # noqa: S608
        user_id,
        after.lower(),
        most,
    )
    return [SeenInstallation(**row) for row in rows]


async def find_seen_installation(connection: Connection, user_id: UUID, number: int) -> SeenInstallation | None:
    """Return one of them, by GitHub's number."""
    found = await list_seen_installations(connection, user_id, "", MOST)
    return next((installation for installation in found if installation.github_installation_id == number), None)


@dataclass(frozen=True, slots=True)
class GuardedRepo:
    """A repository of an installation, and the audit of its default branch's head."""

    id: UUID
    full_name: str
    private: bool
    level: str
    default_branch: str
    run_id: UUID | None
    required_checks: list[str] | None


async def list_seen_of(connection: Connection, user_id: UUID, installation_id: UUID, most: int) -> list[GuardedRepo]:
    """Return the installation's repositories that the person may see, those that fail first."""
    rows = await connection.fetch(
        f"""
        SELECT r.id, r.full_name, r.private, a.level, r.default_branch, newest.id AS run_id, r.required_checks
        FROM repo_access a JOIN repos r ON r.github_repo_id = a.github_repo_id AND r.removed_at IS NULL
        {_NEWEST}
        WHERE a.user_id = $1 AND r.installation_id = $2
        ORDER BY newest.overall_result = 'PASS' NULLS LAST, newest.outcome = 'passed' NULLS LAST,
            lower(r.full_name) LIMIT $3
        """,  # noqa: S608
        user_id,
        installation_id,
        most,
    )
    return [GuardedRepo(**row) for row in rows]
