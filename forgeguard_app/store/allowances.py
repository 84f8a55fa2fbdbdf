"""Findings that somebody allowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from forgeguard_app.store.pool import Connection

MAX_LISTED = 5_000
MAX_HEADS = 100  # evaluated again at once
RESTORABLE_DAYS = 7  # how long an ended allowance can be restored


@dataclass(frozen=True, slots=True)
class Allowance:
    """One of them; in force while `ended_at` is None."""

    id: UUID
    repo_id: UUID
    check_code: str
    fingerprint: str
    rule: str
    path: str
    reason: str
    github_login: str
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None

    def is_restorable(self, now: datetime) -> bool:
        """Return whether somebody ended it so lately that it can be restored."""
        is_over = self.expires_at is not None and self.expires_at <= now
        return self.ended_at is not None and not is_over and now - self.ended_at < timedelta(days=RESTORABLE_DAYS)


_COLUMNS = "id, repo_id, check_code, fingerprint, rule, path, reason, github_login, created_at, expires_at, ended_at"


@dataclass(frozen=True, slots=True)
class NewAllowance:
    """An allowance to insert: finding, person, reason and duration; `days` None for no end."""

    repo_id: UUID
    check_code: str
    fingerprint: str
    rule: str
    path: str
    reason: str
    user_id: UUID
    github_login: str
    days: int | None


async def insert_allowance(connection: Connection, new: NewAllowance) -> Allowance:
    """Allow it; where it is allowed already, the new reason and end hold."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO allowances (repo_id, check_code, fingerprint, rule, path, reason, user_id, github_login, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(days => $9))
        ON CONFLICT (repo_id, check_code, fingerprint) WHERE ended_at IS NULL DO UPDATE SET
            reason = excluded.reason, expires_at = excluded.expires_at, user_id = excluded.user_id,
            github_login = excluded.github_login
        RETURNING {_COLUMNS}
        """,  # noqa: S608
        new.repo_id,
        new.check_code,
        new.fingerprint,
        new.rule,
        new.path,
        new.reason,
        new.user_id,
        new.github_login,
        new.days,
    )
    if row is None:
        raise LookupError("an upsert gives its row")
    return Allowance(**row)


async def list_allowances(
    connection: Connection, repo_id: UUID, before: tuple[datetime, UUID] | None = None, most: int = MAX_LISTED
) -> list[Allowance]:
    """Return the repository's allowances, ended ones too, the newest first."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM allowances
        WHERE repo_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
        ORDER BY created_at DESC, id DESC LIMIT $4
        """,  # noqa: S608
        repo_id,
        before[0] if before else None,
        before[1] if before else None,
        most,
    )
    return [Allowance(**row) for row in rows]


async def list_in_force(connection: Connection, repo_id: UUID) -> dict[str, frozenset[str]]:
    """Return the fingerprints that are allowed now, by check."""
    rows = await connection.fetch(
        """
        SELECT check_code, array_agg(fingerprint) AS fingerprints FROM allowances
        WHERE repo_id = $1 AND ended_at IS NULL AND (expires_at IS NULL OR expires_at > now()) GROUP BY check_code
        """,
        repo_id,
    )
    return {row["check_code"]: frozenset(row["fingerprints"]) for row in rows}


async def find_allowance(connection: Connection, allowance_id: UUID) -> Allowance | None:
    """Return the allowance by our key."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM allowances WHERE id = $1", allowance_id)  # noqa: S608
    return None if row is None else Allowance(**row)


async def end_allowance(connection: Connection, allowance_id: UUID) -> bool:
    """It holds no more; False where it held no more before."""
    found = await connection.fetchval(
        "UPDATE allowances SET ended_at = now() WHERE id = $1 AND ended_at IS NULL RETURNING id", allowance_id
    )
    return found is not None


async def reopen_allowance(connection: Connection, allowance_id: UUID) -> bool:
    """Put an allowance that was ended lately into force again; False where it is too late or another one is in
    force.
    """
    found = await connection.fetchval(
        """
        UPDATE allowances a SET ended_at = NULL
        WHERE id = $1 AND ended_at > now() - make_interval(days => $2) AND (expires_at IS NULL OR expires_at > now())
            AND NOT EXISTS (SELECT 1 FROM allowances o WHERE o.repo_id = a.repo_id AND o.check_code = a.check_code
                AND o.fingerprint = a.fingerprint AND o.ended_at IS NULL)
        RETURNING id
        """,
        allowance_id,
        RESTORABLE_DAYS,
    )
    return found is not None


async def list_expired(connection: Connection, after: Allowance | None, most: int) -> list[Allowance]:
    """Return the allowances in force whose time is over, from the one that expired first, or from behind `after`."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM allowances WHERE ended_at IS NULL AND expires_at <= now()
            AND ($1::timestamptz IS NULL OR (expires_at, id) > ($1, $2::uuid))
        ORDER BY expires_at, id LIMIT $3
        """,  # noqa: S608
        after and after.expires_at,
        after and after.id,
        most,
    )
    return [Allowance(**row) for row in rows]


async def end_expired(connection: Connection, allowance_id: UUID) -> bool:
    """End the allowance as of its own time; False where it was ended or given more time meanwhile."""
    found = await connection.fetchval(
        """
        UPDATE allowances SET ended_at = expires_at WHERE id = $1 AND ended_at IS NULL AND expires_at <= now()
        RETURNING id
        """,
        allowance_id,
    )
    return found is not None


async def list_heads_with(connection: Connection, repo_id: UUID, check_code: str, fingerprint: str) -> list[UUID]:
    """Return the newest runs of heads that are their branch's newest, and in which the finding stands or may stand.

    It may stand in a head whose findings are not kept any more.
    A run that is under way may have read the allowances before; one that waits reads them when it begins.
    """
    rows = await connection.fetch(
        """
        SELECT a.id FROM audit_runs a WHERE a.repo_id = $1
            AND (a.status = 'running' OR a.status = 'completed' AND (a.findings_deleted_at IS NOT NULL OR EXISTS (
                SELECT 1 FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
                WHERE f.fingerprint = $3 AND c.check_code = $2 AND c.audit_run_id = a.id)))
            AND NOT EXISTS (SELECT 1 FROM audit_runs n
                WHERE n.repo_id = a.repo_id AND n.branch = a.branch AND n.created_at > a.created_at)
            AND NOT EXISTS (SELECT 1 FROM audit_runs n
                WHERE n.repo_id = a.repo_id AND n.commit_sha = a.commit_sha AND n.created_at > a.created_at)
        ORDER BY a.created_at DESC LIMIT $4
        """,
        repo_id,
        check_code,
        fingerprint,
        MAX_HEADS,
    )
    return [row["id"] for row in rows]
