"""An audit's findings, counted and in pages."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.pool import Connection


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


async def list_page(
    connection: Connection, run_id: UUID, check_code: str | None, after: tuple[str, int], *, secrets: bool, most: int
) -> list[ListedFinding]:
    """Findings beyond `after`, by check and order; without `secrets` the existing ones of W1 are left out."""
    rows = await connection.fetch(
        """
        SELECT c.check_code, f.ordinal, f.path, f.line, f.end_line, f.column_number, f.rule, f.message, f.level, f.is_new,
            f.is_counted, f.commit_sha, f.fingerprint
        FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
        WHERE c.audit_run_id = $1 AND ($2::text IS NULL OR c.check_code = $2) AND (c.check_code, f.ordinal) > ($3, $4)
            AND ($5 OR f.is_new OR c.check_code <> 'W1')
        ORDER BY c.check_code, f.ordinal LIMIT $6
        """,
        run_id,
        check_code,
        after[0],
        after[1],
        secrets,
        most,
    )
    return [ListedFinding(**row) for row in rows]


async def count_findings(connection: Connection, run_id: UUID) -> dict[str, tuple[int, int]]:
    """By check: how many there are, and how many of them the change introduced."""
    rows = await connection.fetch(
        """
        SELECT c.check_code, count(f.id) AS total, count(f.id) FILTER (WHERE f.is_new) AS fresh
        FROM audit_checks c LEFT JOIN findings f ON f.audit_check_id = c.id WHERE c.audit_run_id = $1 GROUP BY c.check_code
        """,
        run_id,
    )
    return {row["check_code"]: (row["total"], row["fresh"]) for row in rows}


async def find_finding(connection: Connection, run_id: UUID, check_code: str, fingerprint: str) -> ListedFinding | None:
    """The finding of the run by its fingerprint."""
    row = await connection.fetchrow(
        """
        SELECT c.check_code, f.ordinal, f.path, f.line, f.end_line, f.column_number, f.rule, f.message, f.level, f.is_new,
            f.is_counted, f.commit_sha, f.fingerprint
        FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
        WHERE c.audit_run_id = $1 AND c.check_code = $2 AND f.fingerprint = $3 ORDER BY f.ordinal LIMIT 1
        """,
        run_id,
        check_code,
        fingerprint,
    )
    return None if row is None else ListedFinding(**row)
