"""Installations of the App."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from forgeguard_app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation."""

    id: UUID
    github_installation_id: int
    account_login: str
    status: str
    owner_policy: str | None
    permissions: Mapping[str, str]


_COLUMNS = "id, github_installation_id, account_login, status, owner_policy, permissions"


async def upsert_installation(
    connection: Connection, github_installation_id: int, account_github_id: int | None, login: str, kind: str
) -> UUID:
    """Makes the installation known, or its account's present name; its status stays as it is."""
    found: UUID = await connection.fetchval(
        """
        INSERT INTO installations (github_installation_id, account_github_id, account_login, account_type)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (github_installation_id) DO UPDATE SET
            account_github_id = coalesce(excluded.account_github_id, installations.account_github_id),
            account_login = coalesce(nullif(excluded.account_login, ''), installations.account_login),
            account_type = coalesce(nullif(excluded.account_type, ''), installations.account_type),
            updated_at = now()
        RETURNING id
        """,
        github_installation_id,
        account_github_id,
        login,
        kind,
    )
    return found


async def set_installation_status(connection: Connection, github_installation_id: int, status: str) -> None:
    """active, suspended or deleted."""
    await connection.execute(
        "UPDATE installations SET status = $2, updated_at = now() WHERE github_installation_id = $1",
        github_installation_id,
        status,
    )


async def find_installation(connection: Connection, installation_id: UUID) -> Installation | None:
    """The installation by our key."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM installations WHERE id = $1", installation_id)  # noqa: S608
    return None if row is None else _installation(dict(row))


def _installation(row: Mapping[str, Any]) -> Installation:
    return Installation(**{**row, "permissions": json.loads(row["permissions"])})


async def set_owner_policy(connection: Connection, installation_id: UUID, text: str | None) -> None:
    """The owner's forgeguard.yml as last read and found valid."""
    await connection.execute(
        "UPDATE installations SET owner_policy = $2, updated_at = now() WHERE id = $1", installation_id, text
    )
