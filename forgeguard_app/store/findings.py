"""An audit's findings, counted and in pages."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.audit.check_kinds import list_codes_for_writers
from forgeguard_app.store.pool import Connection

# The part that a stored finding is counted in, as audit.counts.part_of decides it.
_PART = """CASE WHEN c.result = 'ERROR' THEN 'problem' WHEN f.level = 'notice' THEN 'notice'
    WHEN f.is_allowed THEN 'allowed' WHEN f.is_new THEN 'new' ELSE 'existing' END"""
# Parts in the order in which a page shows them.
_ORDER = "array_position(ARRAY['problem', 'new', 'existing', 'allowed', 'notice'], part)"


@dataclass(frozen=True, slots=True)
class ListedFinding:
    """One finding with its check and its place in the order."""

    check_code: str
    ordinal: int
    path: str
    line: int
    end_line: int
    column_number: int
    rule: str
    message: str
    level: str
    is_new: bool
    is_counted: bool
    commit_sha: str | None
    fingerprint: str
    part: str
    is_verified: bool


async def list_page(
    connection: Connection, run_id: UUID, check_code: str | None, after: tuple[str, int], *, secrets: bool, most: int
) -> list[ListedFinding]:
    """Return findings beyond `after`, by check and order; without `secrets` no existing secrets."""
    rows = await connection.fetch(
        f"""
        SELECT c.check_code, f.ordinal, f.path, f.line, f.end_line, f.column_number, f.rule, f.message, f.level,
            f.is_new,
            f.is_counted, f.commit_sha, f.fingerprint, f.is_verified, {_PART} AS part
        FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
        WHERE c.audit_run_id = $1 AND ($2::text IS NULL OR c.check_code = $2) AND (c.check_code, f.ordinal) > ($3, $4)
            AND ($5 OR f.is_new OR c.check_code <> ALL($7::text[]))
        ORDER BY c.check_code, f.ordinal LIMIT $6
        """,  # noqa: S608
        run_id,
        check_code,
        after[0],
        after[1],
        secrets,
        most,
        list_codes_for_writers(),
    )
    return [ListedFinding(**row) for row in rows]


async def find_finding(connection: Connection, run_id: UUID, check_code: str, fingerprint: str) -> ListedFinding | None:
    """Return the finding of the run by its fingerprint."""
    row = await connection.fetchrow(
        f"""
        SELECT c.check_code, f.ordinal, f.path, f.line, f.end_line, f.column_number, f.rule, f.message, f.level,
            f.is_new,
            f.is_counted, f.commit_sha, f.fingerprint, f.is_verified, {_PART} AS part
        FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
        WHERE c.audit_run_id = $1 AND c.check_code = $2 AND f.fingerprint = $3 ORDER BY f.ordinal LIMIT 1
        """,  # noqa: S608
        run_id,
        check_code,
        fingerprint,
    )
    return None if row is None else ListedFinding(**row)


@dataclass(frozen=True, slots=True)
class ShownFinding(ListedFinding):
    """One finding as an audit's page shows it."""

    excerpt: str | None
    excerpt_line: int | None


async def list_parts(
    connection: Connection, run_id: UUID, check_code: str, *, secrets: bool, most: int, offset: int
) -> list[ShownFinding]:
    """Return findings of one check by part, each part in its order; without `secrets` no existing secrets."""
    rows = await connection.fetch(
        f"""
        SELECT * FROM (
            SELECT c.check_code, f.ordinal, f.path, f.line, f.end_line, f.column_number, f.rule, f.message, f.level,
                f.is_new, f.is_counted, f.commit_sha, f.fingerprint, f.is_verified, {_PART} AS part, f.excerpt,
                    f.excerpt_line
            FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
            WHERE c.audit_run_id = $1 AND c.check_code = $2 AND ($3 OR f.is_new OR c.check_code <> ALL($6::text[]))
        ) found
        ORDER BY {_ORDER}, ordinal LIMIT $4 OFFSET $5
        """,  # noqa: S608
        run_id,
        check_code,
        secrets,
        most,
        offset,
        list_codes_for_writers(),
    )
    return [ShownFinding(**row) for row in rows]
