"""Compares an audit run with the repository's earlier ones, and records whether its owner was notified."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.audit.check_kinds import secrets_kind
from forgeguard_app.audit.masked_text import shown
from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.pool import Connection

CONFIGURATION_RULE = "configuration"  # of what is wrong in a file of ours: no finding in the code


@dataclass(frozen=True, slots=True)
class FreshSecret:
    """A secret that no earlier run of the repository found; nothing of its value."""

    rule: str
    path: str
    line: int


async def find_former_result(connection: Connection, run: AuditRun) -> str | None:
    """Return the newest earlier verdict on the run's branch; None where there is none."""
    found: str | None = await connection.fetchval(
        """
        SELECT overall_result FROM audit_runs
        WHERE repo_id = $1 AND branch IS NOT DISTINCT FROM $2 AND created_at < $3 AND overall_result IS NOT NULL
        ORDER BY created_at DESC LIMIT 1
        """,
        run.repo_id,
        run.branch,
        run.created_at,
    )
    return found


async def list_fresh_secrets(connection: Connection, run: AuditRun, most: int) -> list[FreshSecret]:
    """Return the new secrets of the run that no earlier run of the repository had."""
    rows = await connection.fetch(
        """
        SELECT f.rule, f.path, f.line FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
        WHERE c.audit_run_id = $1 AND c.check_code = $6 AND f.is_new AND f.is_counted AND NOT f.is_allowed
            AND f.rule <> $4 AND NOT EXISTS (
                SELECT 1 FROM findings e JOIN audit_checks d ON d.id = e.audit_check_id
                JOIN audit_runs r ON r.id = d.audit_run_id
                WHERE e.fingerprint = f.fingerprint AND r.repo_id = $2 AND r.created_at < $3)
            AND NOT EXISTS (  -- its finding may be deleted
                SELECT 1 FROM standing_secrets s JOIN audit_runs r ON r.id = s.run_id
                WHERE s.repo_id = $2 AND s.check_code = $6 AND s.fingerprint = f.fingerprint AND r.created_at < $3)
        ORDER BY f.ordinal LIMIT $5
        """,
        run.id,
        run.repo_id,
        run.created_at,
        CONFIGURATION_RULE,
        most,
        secrets_kind().code,
    )
    return [FreshSecret(**row) for row in rows]


async def set_notified(connection: Connection, installation_id: UUID, error: str | None) -> None:
    """Return whether the newest notice arrived, and why not."""
    await connection.execute(
        """
        UPDATE installations SET notify_error = $2, notified_at = CASE WHEN $2::text IS NULL THEN now()
            ELSE notified_at END
        WHERE id = $1
        """,
        installation_id,
        None if error is None else shown(error),
    )


@dataclass(frozen=True, slots=True)
class Notified:
    """The state of an installation's notices: the owner's file, when one last arrived, why the newest did not."""

    owner_policy: str | None
    notified_at: datetime | None
    notify_error: str | None


async def find_notified(connection: Connection, installation_id: UUID, user_id: UUID) -> Notified | None:
    """For those who may write to the account's `.github` repository, where the address is named; None for others."""
    row = await connection.fetchrow(
        """
        SELECT i.owner_policy, i.notified_at, i.notify_error FROM installations i
        JOIN repos r ON r.installation_id = i.id AND r.removed_at IS NULL
            AND lower(r.full_name) = lower(i.account_login || '/.github')
        JOIN repo_access a ON a.github_repo_id = r.github_repo_id AND a.user_id = $2 AND a.level IN ('write', 'admin')
        WHERE i.id = $1
        """,
        installation_id,
        user_id,
    )
    return None if row is None else Notified(**row)
