"""The secrets that stand in a repository's default branch: stored by each verdict, which reads its own findings alone.

Their check reads the range, so that a secret of an earlier push is in no finding of a later audit although it still
stands in the history.
"""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.audit.check_kinds import list_codes_of_range
from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.pool import Connection

MOST_STANDING = 20_000  # of a repository; the trend counts no more
FILL_S = 300.0  # to read all audits of a branch, once: a verdict that ended at a shorter limit would never be stored

# Findings of a check that evaluated something, as `f` of the check `c` and the run `a`.
_REPORTED = """findings f JOIN audit_checks c ON c.id = f.audit_check_id JOIN audit_runs a ON a.id = c.audit_run_id"""
_STANDS = "c.check_code = ANY($2::text[]) AND c.result <> 'ERROR' AND f.level <> 'notice'"
# Of a commit that was audited again only the newest audit counts.
_IS_NEWEST = """a.status = 'completed' AND NOT EXISTS (
    SELECT 1 FROM audit_runs n WHERE n.repo_id = a.repo_id AND n.branch = a.branch AND n.commit_sha = a.commit_sha
        AND n.created_at > a.created_at AND n.status = 'completed')"""
_INSERT = "INSERT INTO standing_secrets AS s (repo_id, check_code, fingerprint, run_id, verified_rule)"
_VERIFIED = "CASE WHEN f.is_verified THEN f.rule END"
_WITHIN_BOUND = f"LIMIT greatest({MOST_STANDING} - (SELECT count(*) FROM standing_secrets WHERE repo_id = $1), 0)"  # noqa: S608


async def set_standing_secrets(connection: Connection, run: AuditRun) -> None:
    """Store which secrets stand in the branch of the completed run, and their number without the allowed ones.

    Wants a transaction that holds the repository, whose default branch it is.
    """
    if not await _is_evaluated(connection, run):
        return
    if not await fill_standing_secrets(connection, run.repo_id, run.branch):
        lost = await _delete_of_commit(connection, run)
        await _insert_of_run(connection, run)
        await _insert_from_others(connection, run, lost)
    await _set_count(connection, run)


async def _is_evaluated(connection: Connection, run: AuditRun) -> bool:
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM audit_checks c JOIN audit_runs a ON a.id = c.audit_run_id
            WHERE a.id = $1 AND a.status = 'completed' AND c.check_code = ANY($2::text[])
                AND c.evaluation = 'evaluated')
        """,
        run.id,
        list_codes_of_range(),
    )
    return found


async def fill_standing_secrets(connection: Connection, repo_id: UUID, branch: str | None) -> bool:
    """Read which secrets stand from all audits of the branch, where those of another branch or none are stored.

    Return whether they were read. Wants a transaction that holds the repository.
    """
    of_another = await connection.fetchval(
        "UPDATE repos SET standing_branch = $2 WHERE id = $1 AND standing_branch IS DISTINCT FROM $2 RETURNING id",
        repo_id,
        branch,
    )
    if of_another is None:
        return False
    await connection.execute("DELETE FROM standing_secrets WHERE repo_id = $1", repo_id)
    await connection.execute(
        f"""
        {_INSERT} SELECT repo_id, check_code, fingerprint, id, verified_rule FROM (
            SELECT DISTINCT ON (c.check_code, f.fingerprint) a.repo_id, c.check_code, f.fingerprint, a.id,
                {_VERIFIED} AS verified_rule
            FROM {_REPORTED} WHERE a.repo_id = $1 AND a.branch = $3 AND {_STANDS} AND {_IS_NEWEST}
            ORDER BY c.check_code, f.fingerprint, a.created_at
        ) AS found ORDER BY verified_rule NULLS LAST LIMIT {MOST_STANDING}
        """,  # noqa: S608
        repo_id,
        list_codes_of_range(),
        branch,
        timeout=FILL_S,
    )
    return True


async def _delete_of_commit(connection: Connection, run: AuditRun) -> list[tuple[str, str]]:
    """Delete the secrets that former audits of the run's commit reported; return their checks and fingerprints."""
    rows = await connection.fetch(
        """
        DELETE FROM standing_secrets WHERE repo_id = $1 AND run_id IN (
            SELECT id FROM audit_runs WHERE repo_id = $1 AND commit_sha = $2 AND branch = $3 AND id <> $4)
        RETURNING check_code, fingerprint
        """,
        run.repo_id,
        run.commit_sha,
        run.branch,
        run.id,
    )
    return [(row["check_code"], row["fingerprint"]) for row in rows]


async def _insert_of_run(connection: Connection, run: AuditRun) -> None:
    await connection.execute(
        f"""
        {_INSERT} SELECT a.repo_id, c.check_code, f.fingerprint, a.id, {_VERIFIED}
        FROM {_REPORTED} WHERE a.repo_id = $1 AND a.id = $3 AND {_STANDS} AND NOT EXISTS (
            SELECT 1 FROM standing_secrets k
            WHERE k.repo_id = $1 AND k.check_code = c.check_code AND k.fingerprint = f.fingerprint)
        ORDER BY f.is_verified DESC, f.ordinal {_WITHIN_BOUND}
        ON CONFLICT DO NOTHING
        """,  # noqa: S608
        run.repo_id,
        list_codes_of_range(),
        run.id,
    )


async def _insert_from_others(connection: Connection, run: AuditRun, lost: list[tuple[str, str]]) -> None:
    """Insert those of the deleted secrets that the run did not report and the audit of another commit did."""
    if not lost:
        return
    await connection.execute(
        f"""
        {_INSERT} SELECT $1, u.check_code, u.fingerprint, other.id, other.verified_rule
        FROM unnest($4::text[], $5::text[]) AS u(check_code, fingerprint), LATERAL (
            SELECT a.id, {_VERIFIED} AS verified_rule
            FROM {_REPORTED} WHERE f.fingerprint = u.fingerprint AND c.check_code = u.check_code
                AND a.repo_id = $1 AND a.branch = $3 AND {_STANDS} AND {_IS_NEWEST} LIMIT 1) AS other
        {_WITHIN_BOUND}
        ON CONFLICT DO NOTHING
        """,  # noqa: S608
        run.repo_id,
        list_codes_of_range(),
        run.branch,
        [code for code, _ in lost],
        [fingerprint for _, fingerprint in lost],
    )


async def _set_count(connection: Connection, run: AuditRun) -> None:
    await connection.execute(
        """
        UPDATE audit_checks k SET standing_count = greatest(new_count + existing_count, (
            SELECT count(*) FROM standing_secrets s WHERE s.repo_id = $2 AND s.check_code = k.check_code
                AND NOT EXISTS (
                    SELECT 1 FROM allowances w WHERE w.repo_id = $2
                        AND w.check_code = s.check_code AND w.fingerprint = s.fingerprint
                        AND w.ended_at IS NULL AND (w.expires_at IS NULL OR w.expires_at > now()))))
        WHERE audit_run_id = $1 AND check_code = ANY($3::text[]) AND evaluation = 'evaluated'
        """,
        run.id,
        run.repo_id,
        list_codes_of_range(),
    )
