"""Checks and findings of audit runs, as they are stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from forgeguard_app.audit.check_kinds import list_codes_for_writers
from forgeguard_app.audit.counts import Counts, Evaluation, FindingGroup
from forgeguard_app.store.pool import Connection

_FINDING = (
    "path, line, end_line, column_number, rule, message, level, is_new, is_counted, commit_sha, fingerprint, excerpt,"
    " excerpt_line, is_allowed, is_verified"
)


_CHECK = (
    "check_code, check_name, result, conclusion, title, summary, detail, evaluation, problem_count, new_count,"
    " existing_count, allowed_count, notice_count, verified_count, kept_count, rule_counts, standing_count"
)
ROW_BYTES = 320  # of a finding beside its texts: the row, and its place in four indexes
FREE_TEXT_BYTES = 4_096  # of a check's own texts, which repeat paths and rules: what all but strange ones take
_PARTS = tuple(part.value for part in FindingGroup)


@dataclass(frozen=True, slots=True)
class StoredFinding:
    """One finding as kept."""

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
    excerpt: str | None = None
    excerpt_line: int | None = None
    is_allowed: bool = False
    is_verified: bool = False

    @property
    def row_bytes(self) -> int:
        """The bytes that the finding takes without its excerpt, which has a quota of its own."""
        return ROW_BYTES + sum(len(text.encode()) for text in (self.path, self.rule, self.message))


@dataclass(frozen=True, slots=True)
class StoredCheck:
    """One check's verdict as kept."""

    check_code: str
    check_name: str
    result: str
    conclusion: str
    title: str
    summary: str
    detail: str | None
    evaluation: Evaluation = Evaluation.EVALUATED
    counts: Counts = field(default_factory=Counts)
    kept_count: int = 0
    standing_count: int | None = None

    @property
    def long_text_bytes(self) -> int:
        """The bytes that summary, detail and counts by rule take beyond FREE_TEXT_BYTES."""
        texts = (self.summary, self.detail or "", json.dumps(self.counts.rules))
        return max(sum(len(text.encode("utf-8", "replace")) for text in texts) - FREE_TEXT_BYTES, 0)


async def _insert_check(connection: Connection, run_id: UUID, check: StoredCheck, kept: int) -> UUID:
    counts = check.counts
    found: UUID = await connection.fetchval(
        f"""
        INSERT INTO audit_checks (audit_run_id, {_CHECK})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::jsonb, $18) RETURNING id
        """,  # noqa: S608
        run_id,
        check.check_code,
        check.check_name,
        check.result,
        check.conclusion,
        check.title,
        check.summary,
        check.detail,
        check.evaluation,
        counts.problem,
        counts.new,
        counts.existing,
        counts.allowed,
        counts.notice,
        counts.verified,
        kept,
        json.dumps(counts.rules),
        check.standing_count,
    )
    return found


async def _insert_findings(connection: Connection, check_id: UUID, findings: Sequence[StoredFinding]) -> None:
    if not findings:
        return
    columns = [name.strip() for name in _FINDING.split(",")]
    # The transaction holds the repository: one COPY takes a tenth of the time of as many statements as rows.
    await connection.copy_records_to_table(
        "findings",
        columns=["audit_check_id", "ordinal", *columns],
        records=[(check_id, n, *(getattr(finding, name) for name in columns)) for n, finding in enumerate(findings)],
    )


async def list_checks(connection: Connection, run_id: UUID) -> list[StoredCheck]:
    """Return the run's checks in their order."""
    rows = await connection.fetch(
        f"SELECT {_CHECK} FROM audit_checks WHERE audit_run_id = $1 ORDER BY check_code",  # noqa: S608
        run_id,
    )
    return [_stored_check(dict(row)) for row in rows]


def _stored_check(row: dict[str, Any]) -> StoredCheck:
    rules = {FindingGroup(part): numbers for part, numbers in json.loads(row.pop("rule_counts")).items()}
    numbers = {name: row.pop(f"{name}_count") for name in (*_PARTS, "verified")}
    evaluation = Evaluation(row.pop("evaluation"))
    return StoredCheck(**row, evaluation=evaluation, counts=Counts(**numbers, rules=rules))


async def list_findings(
    connection: Connection, run_id: UUID, check_code: str, *, counted: bool, limit: int, offset: int = 0
) -> list[StoredFinding]:
    """Return findings of one check in their stable order; with `counted` only those the gate let through."""
    rows = await connection.fetch(
        f"""
        SELECT {", ".join(f"f.{name.strip()}" for name in _FINDING.split(","))}
        FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
        WHERE c.audit_run_id = $1 AND c.check_code = $2 AND (f.is_counted OR NOT $3)
        ORDER BY f.ordinal LIMIT $4 OFFSET $5
        """,  # noqa: S608
        run_id,
        check_code,
        counted,
        limit,
        offset,
    )
    return [StoredFinding(**row) for row in rows]


async def list_annotations(connection: Connection, run_id: UUID, check_code: str, limit: int) -> list[StoredFinding]:
    """Return the findings that count and that a commit may show, worst first.

    Existing secrets are left out: they are shown to those who may write to the repository, never on the commit.
    """
    rows = await connection.fetch(
        f"""
        SELECT {", ".join(f"f.{name.strip()}" for name in _FINDING.split(","))}
        FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
        WHERE c.audit_run_id = $1 AND c.check_code = $2 AND f.is_counted
            AND (f.is_new OR c.check_code <> ALL($4::text[]))
        ORDER BY f.ordinal LIMIT $3
        """,  # noqa: S608
        run_id,
        check_code,
        limit,
        list_codes_for_writers(),
    )
    return [StoredFinding(**row) for row in rows]
