"""Audit runs among one another: what came before on a branch, what waits, what was lost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.audits import NewRun, Run
from forgeguard_app.store.pool import Connection


async def list_parked(connection: Connection, github_installation_id: int) -> list[UUID]:
    """The runs of an installation that wait to be judged, the oldest first."""
    rows = await connection.fetch(
        """
        SELECT a.id FROM audit_runs a JOIN repos r ON r.id = a.repo_id JOIN installations i ON i.id = r.installation_id
        WHERE i.github_installation_id = $1 AND a.status = 'pending' ORDER BY a.created_at
        """,
        github_installation_id,
    )
    return [row["id"] for row in rows]


async def find_earlier_unjudged(connection: Connection, run: Run) -> UUID | None:
    """An earlier run of the same branch that has no verdict yet and is not given up: its verdict may be our base."""
    found: UUID | None = await connection.fetchval(
        """
        SELECT id FROM audit_runs
        WHERE repo_id = $1 AND branch = $2 AND created_at < $3 AND status IN ('pending', 'running')
            AND commit_sha <> $4 AND target_ref IS NULL
        LIMIT 1
        """,
        run.repo_id,
        run.branch,
        run.created_at,
        run.commit_sha,
    )
    return found


async def find_next_pending(connection: Connection, run: Run) -> UUID | None:
    """The oldest run of the same branch that waits to be judged."""
    found: UUID | None = await connection.fetchval(
        """
        SELECT id FROM audit_runs WHERE repo_id = $1 AND branch = $2 AND status = 'pending' AND target_ref IS NULL
        ORDER BY created_at LIMIT 1
        """,
        run.repo_id,
        run.branch,
    )
    return found


@dataclass(frozen=True, slots=True)
class JudgedHead:
    """A head of a branch: what it replaced, as far as its push said, and whether it passed."""

    commit_sha: str
    before_sha: str | None
    passed: bool


async def list_judged_heads(connection: Connection, run: Run, most: int) -> list[JudgedHead]:
    """The other heads of the run's branch that were heard of before it, the newest first."""
    rows = await connection.fetch(
        """
        SELECT commit_sha, before_sha, coalesce(overall_result = 'PASS', false) AS passed FROM audit_runs
        WHERE repo_id = $1 AND branch = $2 AND created_at < $3 AND commit_sha <> $4
        ORDER BY created_at DESC LIMIT $5
        """,
        run.repo_id,
        run.branch,
        run.created_at,
        run.commit_sha,
        most,
    )
    return [JudgedHead(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class FirstJudged:
    """The oldest judged run of a branch: what it was judged against, None for nothing."""

    base_sha: str | None


async def oldest_judged(connection: Connection, run: Run) -> FirstJudged | None:
    """The oldest run of another head of the branch that came to a verdict; None where there is none."""
    row = await connection.fetchrow(
        """
        SELECT base_sha FROM audit_runs
        WHERE repo_id = $1 AND branch = $2 AND created_at < $3 AND commit_sha <> $4 AND status = 'completed'
        ORDER BY created_at LIMIT 1
        """,
        run.repo_id,
        run.branch,
        run.created_at,
        run.commit_sha,
    )
    return None if row is None else FirstJudged(row["base_sha"])


@dataclass(frozen=True, slots=True)
class Stranded:
    """A run whose work was lost: `task` is the job that it wants."""

    run_id: UUID
    task: str


async def list_stranded(connection: Connection, after_s: float, most: int) -> list[Stranded]:
    """Runs of a week that are not published, older than `after_s`, for which no job waits; parked ones left out."""
    rows = await connection.fetch(
        """
        SELECT a.id AS run_id, CASE WHEN a.status IN ('pending', 'running') THEN 'audit_commit' ELSE 'publish_verdict' END AS task
        FROM audit_runs a JOIN repos r ON r.id = a.repo_id JOIN installations i ON i.id = r.installation_id
        LEFT JOIN rate_limits l ON l.github_installation_id = i.github_installation_id
        WHERE a.published_at IS NULL AND a.publish_error IS NULL AND a.created_at > now() - interval '7 days'
            AND a.created_at < now() - make_interval(secs => $1) AND i.status = 'active' AND r.removed_at IS NULL
            AND (a.status IN ('pending', 'running') OR l.waiting_until IS NULL OR l.waiting_until < now() - interval '1 minute')
            AND NOT EXISTS (
                SELECT 1 FROM procrastinate_jobs j
                WHERE j.status IN ('todo', 'doing') AND j.args->>'run_id' = a.id::text
            )
        ORDER BY a.created_at LIMIT $2
        """,
        after_s,
        most,
    )
    return [Stranded(**row) for row in rows]


async def adopt_push(connection: Connection, run: NewRun) -> UUID | None:
    """The run that was made for this push already, by another event, which now knows all that this one says.

    None where there is none. A branch that was reset to an earlier head was pushed from elsewhere, and is another push.
    """
    found: UUID | None = await connection.fetchval(
        """
        UPDATE audit_runs SET before_sha = coalesce(before_sha, $4), commit_message = coalesce(commit_message, $5),
            commit_author = coalesce(commit_author, $6), delivery_id = coalesce(delivery_id, $7)
        WHERE id = (
            SELECT id FROM audit_runs
            WHERE repo_id = $1 AND commit_sha = $2 AND branch = $3 AND trigger = 'push'
                AND (before_sha IS NOT DISTINCT FROM $4 OR before_sha IS NULL OR $4 IS NULL)
            ORDER BY created_at DESC LIMIT 1
        )
        RETURNING id
        """,
        run.repo_id,
        run.commit_sha,
        run.branch,
        run.before_sha,
        run.commit_message,
        run.commit_author,
        run.delivery_id,
    )
    return found


async def list_targets_of(
    connection: Connection, repo_id: UUID, commit_shas: Collection[str]
) -> set[tuple[str, str | None]]:
    """Which of these heads have a run, each with the targets that it was judged for (None: its usual one)."""
    rows = await connection.fetch(
        "SELECT DISTINCT commit_sha, target_ref FROM audit_runs WHERE repo_id = $1 AND commit_sha = ANY($2::text[])",
        repo_id,
        list(commit_shas),
    )
    return {(row["commit_sha"], row["target_ref"]) for row in rows}


async def cancel_runs(connection: Connection, repo_id: UUID, commit_sha: str, reason: str) -> list[UUID]:
    """Ends the merge group's runs that have no verdict yet, and gives them."""
    rows = await connection.fetch(
        """
        UPDATE audit_runs SET status = 'cancelled', error_detail = $3, completed_at = now()
        WHERE repo_id = $1 AND commit_sha = $2 AND trigger = 'merge_group' AND status IN ('pending', 'running')
        RETURNING id
        """,
        repo_id,
        commit_sha,
        reason,
    )
    return [row["id"] for row in rows]


async def list_refused(connection: Connection, github_installation_id: int) -> list[UUID]:
    """Verdicts of a week that GitHub did not take, to be tried again."""
    rows = await connection.fetch(
        """
        UPDATE audit_runs a SET publish_error = NULL FROM repos r, installations i
        WHERE r.id = a.repo_id AND i.id = r.installation_id AND i.github_installation_id = $1
            AND a.publish_error IS NOT NULL AND a.published_at IS NULL AND a.created_at > now() - interval '7 days'
        RETURNING a.id
        """,
        github_installation_id,
    )
    return [row["id"] for row in rows]
