"""Installations of the App."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.states import InstallationStatus


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation."""

    id: UUID
    github_installation_id: int
    account_login: str
    status: InstallationStatus
    owner_policy: str | None
    permissions: Mapping[str, str]


_COLUMNS = "id, github_installation_id, account_login, status, owner_policy, permissions"


async def upsert_installation(
    connection: Connection, github_installation_id: int, account_github_id: int | None, login: str, kind: str
) -> UUID:
    """Make the installation known, or its account's present name; its status stays as it is."""
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


@dataclass(frozen=True, slots=True)
class InstallationState:
    """An installation's state as GitHub gives it, and when it changed; None where GitHub does not say."""

    status: InstallationStatus | None
    permissions: Mapping[str, str]
    at: datetime | None


async def set_installation_state(connection: Connection, github_installation_id: int, state: InstallationState) -> None:
    """Take the state in, unless a newer one is known: events arrive in any order.

    What was deleted stays deleted, unless the transaction called `believe` with a time after the deletion.
    """
    await connection.execute(
        """
        UPDATE installations SET status = coalesce($2, status), updated_at = now(), missing_since = NULL,
            deleted_at = CASE WHEN $2 = 'deleted' THEN coalesce(deleted_at, clock_timestamp()) END,
            permissions = CASE WHEN $3::jsonb = '{}'::jsonb THEN permissions ELSE $3::jsonb END,
            github_updated_at = coalesce($4, github_updated_at)
        WHERE github_installation_id = $1 AND (status <> 'deleted' OR $2 = 'deleted'
                OR deleted_at < nullif(current_setting('forgeguard.asked_at', true), '')::timestamptz)
            AND ($4::timestamptz IS NULL OR github_updated_at IS NULL OR github_updated_at <= $4 OR $2 = 'deleted')
        """,
        github_installation_id,
        state.status,
        json.dumps(dict(state.permissions)),
        state.at,
    )


async def set_account_name(connection: Connection, github_installation_id: int, login: str) -> None:
    """Store the account's new name."""
    await connection.execute(
        "UPDATE installations SET account_login = $2, updated_at = now() WHERE github_installation_id = $1",
        github_installation_id,
        login,
    )


async def list_live_installations(connection: Connection) -> list[Installation]:
    """Return every installation that is not deleted."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM installations WHERE status <> 'deleted' ORDER BY id")  # noqa: S608
    return [_installation(dict(row)) for row in rows]


async def set_missing(connection: Connection, asked_at: datetime, listed: Collection[int]) -> list[int]:
    """Note which installations a whole list, begun at `asked_at`, does not hold; return GitHub's ids of those that an
    earlier list did not hold either. What was made after the list was begun is left out.
    """
    await connection.execute(
        "UPDATE installations SET missing_since = NULL"
        " WHERE missing_since IS NOT NULL AND github_installation_id = ANY($1::bigint[])",
        list(listed),
    )
    rows = await connection.fetch(
        """
        UPDATE installations SET missing_since = coalesce(missing_since, $1)
        WHERE status <> 'deleted' AND created_at < $1 AND NOT github_installation_id = ANY($2::bigint[])
        RETURNING github_installation_id, missing_since < $1 AS again
        """,
        asked_at,
        list(listed),
    )
    return sorted(row["github_installation_id"] for row in rows if row["again"])


async def is_any_newly_missing(connection: Connection, since: datetime) -> bool:
    """Return whether a list begun at `since` or later was the first that left something out."""
    return bool(
        await connection.fetchval(
            """
            SELECT EXISTS (SELECT 1 FROM installations WHERE missing_since >= $1 AND status <> 'deleted')
                OR EXISTS (SELECT 1 FROM repos WHERE missing_since >= $1 AND removed_at IS NULL)
            """,
            since,
        )
    )


async def find_installation(
    connection: Connection, installation_id: UUID | None, *, settled: bool = False
) -> Installation | None:
    """Return the installation by our key, None for a repository's that belongs to none.

    `settled` waits for a change that is under way.
    """
    if installation_id is None:
        return None
    query = f"SELECT {_COLUMNS} FROM installations WHERE id = $1" + (" FOR SHARE" if settled else "")  # noqa: S608
    row = await connection.fetchrow(query, installation_id)
    return None if row is None else _installation(dict(row))


def _installation(row: Mapping[str, Any]) -> Installation:
    return Installation(
        **{**row, "status": InstallationStatus(row["status"]), "permissions": json.loads(row["permissions"])}
    )


async def set_owner_policy(connection: Connection, installation_id: UUID, text: str | None) -> None:
    """Store the owner's forgeguard.yml as last read and found valid."""
    await connection.execute(
        "UPDATE installations SET owner_policy = $2, updated_at = now() WHERE id = $1", installation_id, text
    )


async def find_by_github_id(connection: Connection, github_installation_id: int) -> Installation | None:
    """Return the installation by GitHub's key."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM installations WHERE github_installation_id = $1",  # noqa: S608
        github_installation_id,
    )
    return None if row is None else _installation(dict(row))
