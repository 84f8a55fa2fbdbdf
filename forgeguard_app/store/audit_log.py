"""The audit log: who did what. Append-only; the database refuses changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from forgeguard_app.store.pool import Connection

KEPT_DAYS = 365


@dataclass(frozen=True, slots=True)
class AuditLogEntry:
    """One deed. `names` are our keys that the address names, by which its repository is found."""

    deed: str
    outcome: str
    github_id: int | None
    github_login: str | None
    via: str
    subject: str
    names: Mapping[str, UUID]
    full_name: str | None = None


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """One deed as kept."""

    id: UUID
    at: datetime
    deed: str
    outcome: str
    github_id: int | None
    github_login: str | None
    via: str
    subject: str
    repo_name: str | None


FIELDS = ("at", "deed", "outcome", "github_id", "github_login", "via", "subject", "repo_name")
_COLUMNS = ", ".join(f"l.{name}" for name in ("id", *FIELDS))
_NEWEST = (datetime.max.replace(tzinfo=UTC), UUID(int=0))


async def insert_entry(connection: Connection, entry: AuditLogEntry) -> None:
    """Append a deed.

    Of one denial of one person in one repository, one entry an hour is kept: more would bury deeds.
    """
    await connection.execute(
        """
        INSERT INTO audit_log (deed, outcome, github_id, github_login, via, subject, repo_id, repo_name)
        SELECT $1::text, $2::text, $3::bigint, $4::text, $5::text, $6::text, r.id, r.full_name
        FROM (VALUES (coalesce($7::uuid,
            (SELECT repo_id FROM audit_runs WHERE id = $8::uuid), (SELECT repo_id FROM projects WHERE id = $9::uuid),
            (SELECT repo_id FROM builds WHERE id = $10::uuid), (SELECT repo_id FROM allowances WHERE id = $11::uuid),
            (SELECT id FROM repos WHERE full_name = $12 ORDER BY removed_at NULLS FIRST LIMIT 1)))) AS about(id)
        LEFT JOIN repos r ON r.id = about.id
        WHERE $2::text <> 'denied' OR NOT EXISTS (
            SELECT 1 FROM audit_log l WHERE l.repo_id IS NOT DISTINCT FROM r.id AND l.outcome = 'denied'
                AND l.deed = $1::text
                AND l.github_id IS NOT DISTINCT FROM $3::bigint AND l.at > clock_timestamp() - interval '1 hour')
        """,
        entry.deed,
        entry.outcome,
        entry.github_id,
        entry.github_login,
        entry.via,
        entry.subject,
        entry.names.get("repo_id"),
        entry.names.get("run_id"),
        entry.names.get("project_id"),
        entry.names.get("build_id"),
        entry.names.get("allowance_id"),
        entry.full_name,
    )


async def list_entries(
    connection: Connection, most: int, before: tuple[datetime, UUID] | None = None
) -> list[KeptEntry]:
    """Return the newest deeds of everybody, from beyond `before`."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM audit_log l WHERE l.at <= $2 AND (l.at < $2 OR l.id > $3)
        ORDER BY l.at DESC, l.id LIMIT $1
        """,  # noqa: S608
        most,
        *(before or _NEWEST),
    )
    return [KeptEntry(**row) for row in rows]


async def list_entries_of(
    connection: Connection,
    user_id: UUID,
    github_installation_id: int,
    most: int,
    before: tuple[datetime, UUID] | None = None,
) -> list[KeptEntry]:
    """Return the newest deeds on those repositories of an installation that the person administers, from beyond
    `before`.
    """
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM audit_log l JOIN repos r ON r.id = l.repo_id
        JOIN installations i ON i.id = r.installation_id
        JOIN repo_access a ON a.github_repo_id = r.github_repo_id AND a.user_id = $1 AND a.level = 'admin'
        WHERE i.github_installation_id = $2 AND l.at <= $4 AND (l.at < $4 OR l.id > $5)
        ORDER BY l.at DESC, l.id LIMIT $3
        """,  # noqa: S608
        user_id,
        github_installation_id,
        most,
        *(before or _NEWEST),
    )
    return [KeptEntry(**row) for row in rows]


async def delete_old_entries(connection: Connection) -> None:
    """Delete the deeds of more than a year ago."""
    await connection.execute("DELETE FROM audit_log WHERE at < now() - make_interval(days => $1)", KEPT_DAYS + 1)
