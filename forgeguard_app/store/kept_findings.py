"""Which findings go first where a repository or an installation passed its quota, and their deletion."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.audit_findings import FREE_TEXT_BYTES, ROW_BYTES
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.standing_secrets import fill_standing_secrets

MOST_RUNS = 200  # that are chosen at once
COUNTED_AT_ONCE = 20  # audits of before, each with up to thousands of findings
LEFT_CHARS = 1_000  # of each text of a check whose findings are deleted


@dataclass(frozen=True, slots=True)
class FindingUse:
    """How many bytes the findings of a repository take, and those of all repositories of its installation."""

    of_repository: int
    of_installation: int
    installation_id: UUID | None


async def find_use(connection: Connection, repo_id: UUID) -> FindingUse | None:
    """Return what the findings take; None where the repository is gone."""
    row = await connection.fetchrow(
        """
        SELECT r.finding_bytes AS of_repository, r.installation_id, coalesce((
            SELECT sum(o.finding_bytes) FROM repos o WHERE o.installation_id = r.installation_id), 0)::bigint
            AS of_installation
        FROM repos r WHERE r.id = $1
        """,
        repo_id,
    )
    return None if row is None else FindingUse(**row)


async def list_repos_over(connection: Connection, of_repository: int, of_installation: int) -> list[UUID]:
    """Return the repositories beyond their quota, and one of each installation that is beyond its own."""
    rows = await connection.fetch(
        """
        SELECT id FROM repos WHERE finding_bytes > $1
        UNION SELECT (array_agg(id))[1] FROM repos WHERE installation_id IS NOT NULL
            GROUP BY installation_id HAVING sum(finding_bytes) > $2
        """,
        of_repository,
        of_installation,
    )
    return [row["id"] for row in rows]


async def list_repos_of(connection: Connection, installation_id: UUID) -> list[UUID]:
    """Return the repositories of the installation that hold findings."""
    rows = await connection.fetch(
        "SELECT id FROM repos WHERE installation_id = $1 AND finding_bytes > 0", installation_id
    )
    return [row["id"] for row in rows]


@dataclass(frozen=True, slots=True)
class KeptRun:
    """An audit whose findings are kept, and the bytes that they take."""

    id: UUID
    repo_id: UUID
    finding_bytes: int


async def list_first_to_go(connection: Connection, repo_ids: Collection[UUID], most_bytes: int) -> list[KeptRun]:
    """Return the audits whose findings go first until those of the repositories take `most_bytes`, at most a batch.

    The newest audit of each default branch goes last; before it those that are the newest of another branch or not
    published yet; before them all others of the repository. Those of forks' heads go first of all: strangers make as
    many as they like. Of each group the oldest go first, of forks' those that are published.
    """
    rows = await connection.fetch(
        """
        SELECT id, repo_id, finding_bytes FROM (
            SELECT id, repo_id, finding_bytes, rank, created_at,
                sum(finding_bytes) OVER (ORDER BY rank, created_at DESC, id) AS total
            FROM (
                SELECT a.id, a.repo_id, a.finding_bytes, a.created_at, CASE
                    WHEN a.fork THEN CASE WHEN a.published_at IS NULL THEN 3 ELSE 4 END
                    WHEN a.published_at IS NULL AND a.branch IS DISTINCT FROM r.default_branch THEN 1
                    WHEN EXISTS (SELECT 1 FROM audit_runs n WHERE n.repo_id = a.repo_id AND n.branch = a.branch
                        AND n.created_at > a.created_at AND n.status = 'completed')
                        THEN CASE WHEN a.published_at IS NULL THEN 1 ELSE 2 END
                    WHEN a.branch = r.default_branch THEN 0 ELSE 1 END AS rank
                FROM audit_runs a JOIN repos r ON r.id = a.repo_id
                WHERE a.finding_bytes > 0 AND a.repo_id = ANY($1::uuid[])
            ) AS ranked
        ) AS summed WHERE total > $2 ORDER BY rank DESC, created_at, id DESC LIMIT $3
        """,
        list(repo_ids),
        most_bytes,
        MOST_RUNS,
    )
    return [KeptRun(**row) for row in rows]


async def delete_findings(connection: Connection, repo_id: UUID, run_ids: Collection[UUID]) -> None:
    """Delete the findings of these audits of the repository and cut the texts of their checks; their counts stay.

    Wants a transaction that holds the repository.
    """
    branch = await connection.fetchval("SELECT default_branch FROM repos WHERE id = $1", repo_id)
    await fill_standing_secrets(connection, repo_id, branch)  # or what stands would be forgotten with the findings
    freed = await connection.fetch(
        """
        WITH gone AS (SELECT id, finding_bytes FROM audit_runs WHERE id = ANY($1::uuid[]) AND finding_bytes > 0)
        UPDATE audit_runs a SET finding_bytes = 0, excerpt_bytes = 0, findings_deleted_at = now()
        FROM gone WHERE a.id = gone.id RETURNING gone.finding_bytes AS bytes
        """,
        list(run_ids),
    )
    checks = [
        row["id"]
        for row in await connection.fetch(
            """
            UPDATE audit_checks SET kept_count = 0,
                summary = CASE WHEN length(summary) > $2 THEN left(summary, $2 - 1) || '…' ELSE summary END,
                detail = CASE WHEN length(detail) > $2 THEN left(detail, $2 - 1) || '…' ELSE detail END,
                rule_counts = CASE WHEN octet_length(rule_counts::text) > $2 THEN '{}' ELSE rule_counts END
            WHERE audit_run_id = ANY($1::uuid[]) RETURNING id
            """,
            list(run_ids),
            LEFT_CHARS,
        )
    ]
    await connection.execute("DELETE FROM findings WHERE audit_check_id = ANY($1::uuid[])", checks)
    await connection.execute(
        "UPDATE repos SET finding_bytes = greatest(finding_bytes - $2, 0) WHERE id = $1",
        repo_id,
        sum(row["bytes"] for row in freed),
    )


async def set_finding_bytes(connection: Connection, repo_id: UUID) -> None:
    """Store the sum of what the repository's findings take. Wants a transaction that holds the repository."""
    await connection.execute(
        """
        UPDATE repos SET finding_bytes = (
            SELECT coalesce(sum(a.finding_bytes), 0) FROM audit_runs a WHERE a.repo_id = $1 AND a.finding_bytes > 0)
        WHERE id = $1
        """,
        repo_id,
    )


async def find_uncounted(connection: Connection) -> UUID | None:
    """Return a repository that has audits whose findings were stored before they were counted."""
    found: UUID | None = await connection.fetchval(
        "SELECT repo_id FROM audit_runs WHERE finding_bytes IS NULL AND overall_result IS NOT NULL LIMIT 1"
    )
    return found


async def count_findings(connection: Connection, repo_id: UUID) -> None:
    """Count what the findings and texts of some of these audits take. Wants a transaction that holds the repository."""
    await connection.execute(
        """
        WITH counted AS (
            SELECT u.id, (
                SELECT coalesce(sum(octet_length(f.path) + octet_length(f.rule) + octet_length(f.message) + $3), 0)
                FROM audit_checks c JOIN findings f ON f.audit_check_id = c.id WHERE c.audit_run_id = u.id) + (
                SELECT coalesce(sum(greatest(octet_length(k.summary) + coalesce(octet_length(k.detail), 0)
                    + octet_length(k.rule_counts::text) - $4, 0)), 0)
                FROM audit_checks k WHERE k.audit_run_id = u.id) AS bytes
            FROM audit_runs u
            WHERE u.repo_id = $1 AND u.finding_bytes IS NULL AND u.overall_result IS NOT NULL LIMIT $2
        ), stored AS (
            UPDATE audit_runs a SET finding_bytes = counted.bytes FROM counted WHERE a.id = counted.id
            RETURNING a.finding_bytes
        )
        UPDATE repos SET finding_bytes = finding_bytes + (SELECT coalesce(sum(stored.finding_bytes), 0) FROM stored)
        WHERE id = $1
        """,
        repo_id,
        COUNTED_AT_ONCE,
        ROW_BYTES,
        FREE_TEXT_BYTES,
    )
