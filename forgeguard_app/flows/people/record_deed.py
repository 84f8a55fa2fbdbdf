"""A deed is written into the audit log, after it was done or denied."""

from __future__ import annotations

import structlog

from forgeguard_app.github.events import clean_text
from forgeguard_app.store.audit_log import AuditLogEntry, insert_entry
from forgeguard_app.store.pool import DATABASE_ERRORS, Pool

MAX_SUBJECT_CHARS = 500
log = structlog.get_logger()


async def record_deed(pool: Pool, entry: AuditLogEntry) -> None:
    """Append the deed; where the database is away, the log line is what is left of it."""
    try:
        async with pool.acquire() as connection:
            await insert_entry(connection, entry)
    except DATABASE_ERRORS as error:
        log.error(
            "audit_log.lost",
            deed=entry.deed,
            login=entry.github_login,
            subject=entry.subject,
            error=type(error).__name__,
        )


def subject_of(path: str) -> str:
    """Return the path as it is kept."""
    return clean_text(path, MAX_SUBJECT_CHARS) or "/"
