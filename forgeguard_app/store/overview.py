"""What people see first: their repositories with their health, and their installations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.pool import Connection

MOST = 1_000
LATELY = 20  # runs that a repository's health is made of


@dataclass(frozen=True, slots=True)
class SeenRepo:
    """A repository as somebody sees it: its newest run on the default branch, and the share of passing runs of late."""

    id: UUID
    github_repo_id: int
    full_name: str
    default_branch: str
    private: bool
    level: str
    account_login: str
    suspended: bool
    run_id: UUID | None
    run_status: str | None
    run_result: str | None
    run_sha: str | None
    run_at: datetime | None
    passed: int
    judged: int


_SEEN = f"""
    SELECT r.id, r.github_repo_id, r.full_name, r.default_branch, r.private, a.level,
        coalesce(i.account_login, split_part(r.full_name, '/', 1)) AS account_login,
        coalesce(i.status, 'deleted') <> 'active' AS suspended, newest.id AS run_id, newest.status AS run_status,
        newest.overall_result AS run_result, newest.commit_sha AS run_sha, newest.created_at AS run_at,
        coalesce(health.passed, 0) AS passed, coalesce(health.judged, 0) AS judged
    FROM repo_access a JOIN repos r ON r.github_repo_id = a.github_repo_id
    LEFT JOIN installations i ON i.id = r.installation_id
    LEFT JOIN LATERAL (
        SELECT id, status, overall_result, commit_sha, created_at FROM audit_runs
        WHERE repo_id = r.id AND branch = r.default_branch ORDER BY created_at DESC LIMIT 1
    ) newest ON true
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE overall_result = 'PASS') AS passed, count(*) AS judged FROM (
            SELECT overall_result FROM audit_runs WHERE repo_id = r.id AND status IN ('completed', 'error')
            ORDER BY created_at DESC LIMIT {LATELY}) lately
    ) health ON true
    WHERE a.user_id = $1 AND r.removed_at IS NULL
"""  # noqa: S608  (a number of ours)


async def list_seen(connection: Connection, user_id: UUID, after: str, most: int) -> list[SeenRepo]:
    """The guarded repositories that the person may see, by name, from beyond `after`."""
    rows = await connection.fetch(
        f"{_SEEN} AND lower(r.full_name) > $2 ORDER BY lower(r.full_name) LIMIT $3",
        user_id,
        after.lower(),
        most,
    )
    return [SeenRepo(**row) for row in rows]


async def find_seen(connection: Connection, user_id: UUID, repo_id: UUID) -> SeenRepo | None:
    """One of them."""
    row = await connection.fetchrow(f"{_SEEN} AND r.id = $2", user_id, repo_id)
    return None if row is None else SeenRepo(**row)


@dataclass(frozen=True, slots=True)
class SeenInstallation:
    """An installation as somebody sees it."""

    id: UUID
    github_installation_id: int
    account_login: str
    account_type: str
    status: str
    repositories: int
    failing: int


async def list_seen_installations(
    connection: Connection, user_id: UUID, after: str, most: int
) -> list[SeenInstallation]:
    """The installations of which the person may see a repository, by account."""
    rows = await connection.fetch(
        """
        SELECT i.id, i.github_installation_id, i.account_login, i.account_type, i.status, count(*) AS repositories,
            count(*) FILTER (WHERE newest.overall_result <> 'PASS') AS failing
        FROM repo_access a JOIN repos r ON r.github_repo_id = a.github_repo_id AND r.removed_at IS NULL
        JOIN installations i ON i.id = r.installation_id AND i.status <> 'deleted'
        LEFT JOIN LATERAL (
            SELECT overall_result FROM audit_runs WHERE repo_id = r.id AND branch = r.default_branch
            ORDER BY created_at DESC LIMIT 1
        ) newest ON true
        WHERE a.user_id = $1 AND lower(i.account_login) > $2
        GROUP BY i.id ORDER BY lower(i.account_login) LIMIT $3
        """,
        user_id,
        after.lower(),
        most,
    )
    return [SeenInstallation(**row) for row in rows]


async def find_seen_installation(connection: Connection, user_id: UUID, number: int) -> SeenInstallation | None:
    """One of them, by GitHub's number."""
    found = await list_seen_installations(connection, user_id, "", MOST)
    return next((one for one in found if one.github_installation_id == number), None)


@dataclass(frozen=True, slots=True)
class GuardedRepo:
    """A repository of an installation, with what the newest audit of its default branch says of each check."""

    full_name: str
    private: bool
    level: str
    default_branch: str
    run_id: UUID | None
    run_status: str | None
    run_result: str | None
    required_checks: list[str] | None
    titles: dict[str, str]


async def list_seen_of(connection: Connection, user_id: UUID, installation_id: UUID, most: int) -> list[GuardedRepo]:
    """The installation's repositories that the person may see, those that fail first."""
    rows = await connection.fetch(
        """
        SELECT r.full_name, r.private, a.level, r.default_branch, newest.id AS run_id, newest.status AS run_status,
            newest.overall_result AS run_result, r.required_checks,
            (SELECT jsonb_object_agg(c.check_code, c.title) FROM audit_checks c WHERE c.audit_run_id = newest.id) AS titles
        FROM repo_access a JOIN repos r ON r.github_repo_id = a.github_repo_id AND r.removed_at IS NULL
        LEFT JOIN LATERAL (
            SELECT id, status, overall_result FROM audit_runs WHERE repo_id = r.id AND branch = r.default_branch
            ORDER BY created_at DESC LIMIT 1
        ) newest ON true
        WHERE a.user_id = $1 AND r.installation_id = $2
        ORDER BY newest.overall_result = 'PASS' NULLS LAST, lower(r.full_name) LIMIT $3
        """,
        user_id,
        installation_id,
        most,
    )
    return [GuardedRepo(**{**row, "titles": json.loads(row["titles"]) if row["titles"] else {}}) for row in rows]
