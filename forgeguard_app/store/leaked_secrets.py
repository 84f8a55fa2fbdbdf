"""The verified secrets that a page names first, so that somebody revokes them: of one audit, or of a repository.

What a repository's page reads has bounds: anybody may ask for that of a public one.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.pool import Connection

MOST_RUNS = 100  # of the default branch, and of all others, that are looked at: the newest with such a secret
MOST_READ = 1_000  # of the newest with such a secret, among which those of other branches are
MOST_OF_RUN = 200  # secrets of one of these runs that are looked at


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


async def list_leaked_in(connection: Connection, run_id: UUID, *, secrets: bool, most: int) -> list[LeakedSecret]:
    """Return the verified secrets of an audit; without `secrets` only new ones."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (f.fingerprint) a.id AS run_id, a.branch, f.rule, f.path, f.line,
            coalesce(f.commit_sha, a.commit_sha) AS commit_sha
        FROM audit_runs a JOIN audit_checks c ON c.audit_run_id = a.id JOIN findings f ON f.audit_check_id = c.id
        WHERE a.id = $1 AND f.is_verified AND f.level <> 'notice' AND ($2 OR f.is_new) AND NOT f.is_allowed
        ORDER BY f.fingerprint LIMIT $3
        """,
        run_id,
        secrets,
        most,
    )
    return [LeakedSecret(**row) for row in rows]


_ALLOWED = """EXISTS (SELECT 1 FROM allowances w WHERE w.repo_id = $1 AND w.check_code = {0}.check_code
    AND w.fingerprint = {0}.fingerprint AND w.ended_at IS NULL AND (w.expires_at IS NULL OR w.expires_at > now()))"""
_RUN = "a.id, a.branch, a.commit_sha, a.created_at"
_DEFAULT = "(SELECT default_branch FROM repos WHERE id = $1)"
_NEWER = """EXISTS (SELECT 1 FROM audit_runs n
    WHERE n.repo_id = $1 AND {} AND n.created_at > c.created_at AND n.status = 'completed')"""


async def list_leaked(connection: Connection, repo_id: UUID, *, secrets: bool, most: int) -> list[LeakedSecret]:
    """Return the verified secrets that stand in the repository's branches; without `secrets` only new ones.

    Their check reads the range, so that what the default branch holds is what any of its audits has reported; of
    another branch the newest audit reads the whole branch. Of a commit that was audited again only the newest counts.
    What a finding that is deleted reported is among those that stand, without its place.

    Of the audits that reported any, the newest MOST_RUNS of the default branch are looked at, and as
    many of other branches among the newest MOST_READ of all.
    """
    rows = await connection.fetch(
        f"""
        WITH of_default AS MATERIALIZED (
            SELECT {_RUN} FROM audit_runs a WHERE a.repo_id = $1 AND a.verified_count > 0 AND a.branch = {_DEFAULT}
            ORDER BY a.created_at DESC LIMIT $4
        ), lately AS MATERIALIZED (
            SELECT {_RUN} FROM audit_runs a WHERE a.repo_id = $1 AND a.verified_count > 0
            ORDER BY a.created_at DESC LIMIT $6
        ), of_others AS MATERIALIZED (
            SELECT * FROM lately a WHERE a.branch IS DISTINCT FROM {_DEFAULT} ORDER BY a.created_at DESC LIMIT $4
        ), newest AS (  -- each branch or commit is compared with its newer audits once
            SELECT * FROM (SELECT DISTINCT ON (commit_sha) * FROM of_default ORDER BY commit_sha, created_at DESC) AS c
            WHERE CASE WHEN c.branch IS NOT NULL  -- it never is; so each is looked up by itself
                THEN NOT {_NEWER.format("n.commit_sha = c.commit_sha AND n.branch = c.branch")} END
            UNION ALL
            SELECT * FROM (SELECT DISTINCT ON (branch) * FROM of_others ORDER BY branch, created_at DESC) AS c
            WHERE CASE WHEN c.branch IS NULL THEN NOT {_NEWER.format("n.branch IS NULL")}
                ELSE NOT {_NEWER.format("n.branch = c.branch")} END
        )
        SELECT DISTINCT ON (fingerprint) run_id, branch, rule, path, line, commit_sha FROM (
            SELECT f.fingerprint, c.created_at, c.id AS run_id, c.branch, f.rule, f.path, f.line,
                coalesce(f.commit_sha, c.commit_sha) AS commit_sha
            FROM newest c CROSS JOIN LATERAL (
                SELECT k.check_code, v.fingerprint, v.rule, v.path, v.line, v.commit_sha
                FROM audit_checks k JOIN findings v ON v.audit_check_id = k.id
                WHERE k.audit_run_id = c.id AND v.is_verified AND v.level <> 'notice' AND ($2 OR v.is_new) LIMIT $5
            ) AS f
            WHERE NOT {_ALLOWED.format("f")}
            UNION ALL
            SELECT s.fingerprint, a.created_at, a.id, a.branch, s.verified_rule, '', 0, a.commit_sha
            FROM standing_secrets s JOIN audit_runs a ON a.id = s.run_id JOIN repos r ON r.id = s.repo_id
            WHERE s.repo_id = $1 AND $2 AND s.verified_rule IS NOT NULL AND a.findings_deleted_at IS NOT NULL
                AND r.standing_branch = r.default_branch AND NOT {_ALLOWED.format("s")}
        ) AS found
        ORDER BY fingerprint, path = '', created_at DESC LIMIT $3
        """,  # noqa: S608  (expressions of ours)
        repo_id,
        secrets,
        most,
        MOST_RUNS,
        MOST_OF_RUN,
        MOST_READ,
    )
    return [LeakedSecret(**row) for row in rows]
