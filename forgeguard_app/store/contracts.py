"""A project's contracts, with every version of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.pool import Connection

KEPT_VERSIONS = 200
KEPT_BYTES = 4 << 20  # of the versions of one contract; the present one is kept in any case


@dataclass(frozen=True, slots=True)
class Contract:
    """The present version of a contract; `edited_by` is None where it was written from the answers."""

    id: UUID
    project_id: UUID
    contract_type: str
    content: str
    version: int
    created_at: datetime
    updated_at: datetime
    edited_by: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a contract."""

    version: int
    edited_by: str | None
    created_at: datetime


_COLUMNS = "id, project_id, contract_type, content, version, created_at, updated_at, edited_by"


async def list_contracts(connection: Connection, project_id: UUID) -> list[Contract]:
    """Return all contracts of a project."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM project_contracts WHERE project_id = $1", project_id)  # noqa: S608
    return [Contract(**row) for row in rows]


async def find_contract(connection: Connection, project_id: UUID, contract_type: str) -> Contract | None:
    """Return one of them."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM project_contracts WHERE project_id = $1 AND contract_type = $2",  # noqa: S608
        project_id,
        contract_type,
    )
    return None if row is None else Contract(**row)


async def set_contract(
    connection: Connection, project_id: UUID, contract_type: str, content: str, edited_by: str | None
) -> int:
    """Return a new version, which is given. Wants a transaction in which the project is held."""
    row = await connection.fetchrow(
        """
        INSERT INTO project_contracts (project_id, contract_type, content, edited_by) VALUES ($1, $2, $3, $4)
        ON CONFLICT (project_id, contract_type) DO UPDATE SET content = excluded.content,
            edited_by = excluded.edited_by,
            version = project_contracts.version + 1, updated_at = now()
        RETURNING id, version
        """,
        project_id,
        contract_type,
        content,
        edited_by,
    )
    if row is None:
        raise LookupError(f"no project {project_id}")
    await connection.execute(
        "INSERT INTO contract_versions (contract_id, version, content, edited_by) VALUES ($1, $2, $3, $4)",
        row["id"],
        row["version"],
        content,
        edited_by,
    )
    await connection.execute(
        """
        DELETE FROM contract_versions WHERE contract_id = $1 AND version < $2 AND version <= (
            SELECT max(version) FROM (
                SELECT version, row_number() OVER newest AS number, sum(octet_length(content)) OVER newest AS bytes
                FROM contract_versions WHERE contract_id = $1 WINDOW newest AS (ORDER BY version DESC)) counted
            WHERE number > $3 OR bytes > $4)
        """,
        row["id"],
        row["version"],
        KEPT_VERSIONS,
        KEPT_BYTES,
    )
    number: int = row["version"]
    return number


async def list_versions(connection: Connection, contract_id: UUID) -> list[Version]:
    """Return the newest first."""
    rows = await connection.fetch(
        "SELECT version, edited_by, created_at FROM contract_versions WHERE contract_id = $1 ORDER BY version DESC",
        contract_id,
    )
    return [Version(**row) for row in rows]


async def find_version(connection: Connection, contract_id: UUID, version: int) -> str | None:
    """Return the text of a version."""
    found: str | None = await connection.fetchval(
        "SELECT content FROM contract_versions WHERE contract_id = $1 AND version = $2", contract_id, version
    )
    return found
