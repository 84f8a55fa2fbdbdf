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


@dataclass(frozen=True, slots=True)
class LeakedSecret:
    """A verified secret that nobody allowed, with the audit that reported it.

    Where its finding is not kept any more, `path` is empty and `commit_sha` is the head of that audit.
    """

    run_id: UUID
    branch: str | None
    rule: str
    path: str
    line: int
    commit_sha: str


async def list_leaked(
    connection: Connection, repo_id: UUID, run_id: UUID | None, *, secrets: bool, most: int
) -> list[LeakedSecret]:
    """Return verified secrets of an audit, or those that stand in the branches; without `secrets` only new ones.

    Their check reads the range, so that what the default branch holds is what any of its audits has reported; of
    another branch the newest audit reads the whole branch. Of a commit that was audited again only the newest counts.
    What a finding that is deleted reported is among those that stand, without its place.
    """
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (fingerprint) run_id, branch, rule, path, line, commit_sha FROM (
            SELECT f.fingerprint, a.created_at, a.id AS run_id, a.branch, f.rule, f.path, f.line,
                coalesce(f.commit_sha, a.commit_sha) AS commit_sha
            FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id JOIN audit_runs a ON a.id = c.audit_run_id
            JOIN repos r ON r.id = a.repo_id
            WHERE f.is_verified AND f.level <> 'notice' AND a.repo_id = $1 AND ($2::uuid IS NULL OR a.id = $2) AND ($3
                OR f.is_new)
                AND NOT ($2::uuid IS NOT NULL AND f.is_allowed)
                AND ($2::uuid IS NOT NULL OR (
                    NOT EXISTS (SELECT 1 FROM audit_runs n WHERE n.repo_id = $1
                        AND n.branch IS NOT DISTINCT FROM a.branch AND n.created_at > a.created_at
                        AND n.status = 'completed'
                        AND (n.commit_sha = a.commit_sha OR a.branch <> r.default_branch))
                    AND NOT EXISTS (SELECT 1 FROM allowances w WHERE w.repo_id = $1 AND w.check_code = c.check_code
                        AND w.fingerprint = f.fingerprint AND w.ended_at IS NULL
                        AND (w.expires_at IS NULL OR w.expires_at > now()))))
            UNION ALL
            SELECT s.fingerprint, a.created_at, a.id, a.branch, s.verified_rule, '', 0, a.commit_sha
            FROM standing_secrets s JOIN audit_runs a ON a.id = s.run_id JOIN repos r ON r.id = s.repo_id
            WHERE s.repo_id = $1 AND $2::uuid IS NULL AND $3 AND s.verified_rule IS NOT NULL
                AND a.findings_deleted_at IS NOT NULL AND r.standing_branch = r.default_branch
                AND NOT EXISTS (SELECT 1 FROM allowances w WHERE w.repo_id = $1 AND w.check_code = s.check_code
                    AND w.fingerprint = s.fingerprint AND w.ended_at IS NULL
                    AND (w.expires_at IS NULL OR w.expires_at > now()))
        ) AS found
        ORDER BY fingerprint, path = '', created_at DESC LIMIT $4
        """,
        repo_id,
        run_id,
        secrets,
        most,
    )
    return [LeakedSecret(**row) for row in rows]
