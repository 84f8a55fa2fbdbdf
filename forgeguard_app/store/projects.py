"""Projects: what somebody wants built, and what they answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from forgeguard_app.store.pool import Connection

DELETED_DAYS = 7  # how long a deleted project can be restored
COMPARED_DAYS = 30  # how long a summary says what a contract loosens against the version before


@dataclass(frozen=True, slots=True)
class ListedProject:
    """A project as lists have it; `repo_name` is the linked repository's, None without one or where it left."""

    id: UUID
    user_id: UUID
    name: str
    description: str | None
    status: str
    repo_id: UUID | None
    created_at: datetime
    updated_at: datetime
    repo_name: str | None
    github_login: str


@dataclass(frozen=True, slots=True)
class Project(ListedProject):
    """One project with its answers, which may be long: no list reads them."""

    questionnaire_state: Mapping[str, Any]


_COLUMNS = """p.id, p.user_id, p.name, p.description, p.status, p.repo_id, p.created_at, p.updated_at,
    r.full_name AS repo_name, u.github_login"""
_FROM = (
    "FROM projects p JOIN users u ON u.id = p.user_id LEFT JOIN repos r ON r.id = p.repo_id AND r.removed_at IS NULL"
)
_SELECT = f"SELECT {_COLUMNS}, p.questionnaire_state {_FROM}"


def _project(row: Any) -> Project:
    return Project(**{**row, "questionnaire_state": json.loads(row["questionnaire_state"])})


async def insert_project(
    connection: Connection, user_id: UUID, name: str, description: str | None, repo_id: UUID | None
) -> UUID:
    """Return a draft."""
    found: UUID = await connection.fetchval(
        "INSERT INTO projects (user_id, name, description, repo_id) VALUES ($1, $2, $3, $4) RETURNING id",
        user_id,
        name,
        description,
        repo_id,
    )
    return found


async def count_projects(connection: Connection, user_id: UUID) -> tuple[int, int]:
    """Return how many the person has made, and how many of all that are kept, deleted ones too.

    Until the transaction ends, nobody counts the same person's.
    """
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('projects of ' || $1::text, 0))", str(user_id)
    )
    row = await connection.fetchrow(
        "SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS made, count(*) AS kept FROM projects WHERE user_id = $1",
        user_id,
    )
    assert row is not None  # a count has a row
    return row["made"], row["kept"]


async def find_project(connection: Connection, project_id: UUID, *, lock: bool = False) -> Project | None:
    """Return the project; with `lock` held against all others until the transaction ends."""
    query = f"{_SELECT} WHERE p.id = $1 AND p.deleted_at IS NULL" + (" FOR NO KEY UPDATE OF p" if lock else "")
    row = await connection.fetchrow(query, project_id)
    return None if row is None else _project(row)


async def list_projects(
    connection: Connection, user_id: UUID, before: tuple[datetime, UUID] | None, most: int
) -> list[ListedProject]:
    """Return those that the person made, and those of repositories into which GitHub lets them; the newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} {_FROM} WHERE p.deleted_at IS NULL AND (p.user_id = $1 OR EXISTS (
                SELECT 1 FROM repo_access a WHERE a.user_id = $1 AND a.github_repo_id = r.github_repo_id))
            AND ($2::timestamptz IS NULL OR (p.created_at, p.id) < ($2, $3::uuid))
        ORDER BY p.created_at DESC, p.id DESC LIMIT $4
        """,  # noqa: S608
        user_id,
        before[0] if before else None,
        before[1] if before else None,
        most,
    )
    return [ListedProject(**row) for row in rows]


async def set_project(connection: Connection, project_id: UUID, name: str, description: str | None) -> None:
    """Store its name and description."""
    await connection.execute(
        "UPDATE projects SET name = $2, description = $3, updated_at = now() WHERE id = $1",
        project_id,
        name,
        description,
    )


async def set_project_repo(connection: Connection, project_id: UUID, repo_id: UUID | None) -> None:
    """Link the project to a repository."""
    await connection.execute("UPDATE projects SET repo_id = $2, updated_at = now() WHERE id = $1", project_id, repo_id)


async def set_project_status(connection: Connection, project_id: UUID, status: str) -> None:
    """Store the project's status."""
    await connection.execute("UPDATE projects SET status = $2, updated_at = now() WHERE id = $1", project_id, status)


async def set_questionnaire(connection: Connection, project_id: UUID, state: Mapping[str, Any]) -> None:
    """Store the answers."""
    await connection.execute(
        "UPDATE projects SET questionnaire_state = $2::jsonb, updated_at = now() WHERE id = $1",
        project_id,
        json.dumps(state, ensure_ascii=False),
    )


async def set_project_deleted(connection: Connection, project_id: UUID) -> None:
    """Hide the project from everybody; it is kept for some days."""
    await connection.execute("UPDATE projects SET deleted_at = now(), updated_at = now() WHERE id = $1", project_id)


async def restore_deleted(connection: Connection, user_id: UUID, project_id: UUID) -> bool:
    """Bring a deleted project of the person back; False where it is not kept."""
    found = await connection.fetchval(
        """
        UPDATE projects SET deleted_at = NULL, updated_at = now()
        WHERE id = $1 AND user_id = $2 AND deleted_at > now() - make_interval(days => $3) RETURNING id
        """,
        project_id,
        user_id,
        DELETED_DAYS,
    )
    return found is not None


@dataclass(frozen=True, slots=True)
class DeletedProject:
    """A project that its maker can restore until `kept_until`."""

    id: UUID
    name: str
    deleted_at: datetime
    kept_until: datetime


async def list_deleted(connection: Connection, user_id: UUID, most: int) -> list[DeletedProject]:
    """Return the person's deleted projects that are kept, the newest deletion first."""
    rows = await connection.fetch(
        """
        SELECT id, name, deleted_at, deleted_at + make_interval(days => $2) AS kept_until FROM projects
        WHERE user_id = $1 AND deleted_at > now() - make_interval(days => $2) ORDER BY deleted_at DESC LIMIT $3
        """,
        user_id,
        DELETED_DAYS,
        most,
    )
    return [DeletedProject(**row) for row in rows]


async def delete_old_projects(connection: Connection) -> None:
    """Delete the projects that cannot be restored any more, with their contracts and builds."""
    await connection.execute("DELETE FROM projects WHERE deleted_at < now() - make_interval(days => $1)", DELETED_DAYS)


@dataclass(frozen=True, slots=True)
class LinkedBoundaries:
    """The boundaries that a project gives its repository; `edited_by` is None where they were written from the
    answers.
    """

    project_id: UUID
    name: str
    contract_id: UUID
    version: int
    edited_by: str | None
    content: str


async def find_boundaries_of(connection: Connection, repo_id: UUID) -> LinkedBoundaries | None:
    """Return the boundaries contract of the repository's project; of several projects that of the oldest."""
    row = await connection.fetchrow(
        """
        SELECT p.id AS project_id, p.name, c.id AS contract_id, c.version, c.edited_by, c.content FROM projects p
        JOIN project_contracts c ON c.project_id = p.id AND c.contract_type = 'boundaries'
        WHERE p.repo_id = $1 AND p.deleted_at IS NULL ORDER BY p.created_at, p.id LIMIT 1
        """,
        repo_id,
    )
    return None if row is None else LinkedBoundaries(**row)


@dataclass(frozen=True, slots=True)
class EvaluatedContract:
    """A version by which the repository was evaluated; `content` is None where the version is not kept any more."""

    version: int
    content: str | None


async def find_evaluated_before(
    connection: Connection, repo_id: UUID, current: LinkedBoundaries | None
) -> EvaluatedContract | None:
    """Return the version that the repository was evaluated by before the current one, within the last days."""
    row = await connection.fetchrow(
        """
        SELECT a.contract_version AS version, v.content FROM audit_runs a
        LEFT JOIN contract_versions v ON v.contract_id = a.contract_id AND v.version = a.contract_version
        WHERE a.repo_id = $1 AND a.contract_id IS NOT NULL AND a.completed_at > now() - make_interval(days => $4)
            AND (a.contract_id, a.contract_version) IS DISTINCT FROM ($2::uuid, $3::integer)
        ORDER BY a.completed_at DESC LIMIT 1
        """,
        repo_id,
        current.contract_id if current else None,
        current.version if current else None,
        COMPARED_DAYS,
    )
    return None if row is None else EvaluatedContract(**row)


async def set_evaluated_by(connection: Connection, run_id: UUID, contract: LinkedBoundaries | None) -> None:
    """Note the version that was in force when the run was evaluated."""
    await connection.execute(
        "UPDATE audit_runs SET contract_id = $2, contract_version = $3 WHERE id = $1",
        run_id,
        contract.contract_id if contract else None,
        contract.version if contract else None,
    )
