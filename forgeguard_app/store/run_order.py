"""Audit runs among one another: what came before on a branch, what waits, what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from forgeguard_app.store.audits import NO_INSTALLATION, REFUSED_FOR, SUSPENDED, AuditRun
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.queue import SUBJECT

# A verdict of a week, or the newest one of its branch, however long it was held back.
# Equality with a branch is found in an index, and sameness that holds for no branch, too, is not.
_IS_WANTED = """(a.created_at > now() - interval '7 days' OR CASE WHEN a.branch IS NULL
    THEN NOT EXISTS (SELECT 1 FROM audit_runs n
        WHERE n.repo_id = a.repo_id AND n.branch IS NULL AND n.created_at > a.created_at)
    ELSE NOT EXISTS (SELECT 1 FROM audit_runs n
        WHERE n.repo_id = a.repo_id AND n.branch = a.branch AND n.created_at > a.created_at) END)"""


@dataclass(frozen=True, slots=True)
class RunPlace:
    """A run's place among others of its installation or repository, from the oldest to the newest."""

    created_at: datetime
    run_id: UUID


BEFORE_ALL = RunPlace(datetime.min.replace(tzinfo=UTC), UUID(int=0))


async def lock_resuming(connection: Connection, whose: UUID) -> None:
    """Let no other resume of the same installation go on until this transaction ends.

    `whose` is our key of the installation or of a repository of it.
    """
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended(
            'resume/' || coalesce((SELECT installation_id FROM repos WHERE id = $1), $1)::text, 0))
        """,
        whose,
    )


async def list_deferred(connection: Connection, whose: UUID, after: RunPlace, most: int) -> list[RunPlace]:
    """Return the runs behind `after` that wait to be evaluated and for which no job waits, the oldest first.

    `whose` is our key of their installation or of their repository.
    """
    rows = await connection.fetch(
        f"""
        SELECT a.created_at, a.id AS run_id FROM audit_runs a JOIN repos r ON r.id = a.repo_id
        WHERE (r.id = $1 OR r.installation_id = $1) AND a.status = 'pending'
            AND a.published_at IS NULL AND (a.created_at, a.id) > ($3, $4) AND (
            SELECT j.id FROM procrastinate_jobs j
            WHERE j.status = 'todo' AND j.task_name = 'audit_commit' AND {SUBJECT} = a.id::text LIMIT 1
        ) IS NULL
        ORDER BY a.created_at, a.id LIMIT $2
        """,  # noqa: S608  (an expression of ours)
        whose,
        most,
        after.created_at,
        after.run_id,
    )
    return [RunPlace(**row) for row in rows]


async def list_with_deferred(connection: Connection, repo_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of the repositories in which runs wait to be evaluated, or verdicts that GitHub did not take."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT repo_id FROM audit_runs
        WHERE repo_id = ANY($1::uuid[]) AND published_at IS NULL AND (status = 'pending' OR publish_error IS NOT NULL)
        """,
        list(repo_ids),
    )
    return [row["repo_id"] for row in rows]


async def find_earlier_unevaluated(connection: Connection, run: AuditRun) -> UUID | None:
    """Return an earlier run of the same branch that has no verdict yet and is not given up: its verdict may be our
    base.
    """
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


async def find_next_pending(connection: Connection, run: AuditRun) -> UUID | None:
    """Return the oldest run of the same branch that waits to be evaluated."""
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
class BranchHead:
    """A head of a branch: what it replaced, as far as its push said, and whether it passed.

    `at_installation` says that it was found there when the App came, so that it passes whatever it holds, and
    `is_rerun` that a person asked for it and no push brought it.
    """

    commit_sha: str
    before_sha: str | None
    passed: bool
    at_installation: bool = False
    is_rerun: bool = False


async def list_earlier_heads(connection: Connection, run: AuditRun, most: int) -> list[BranchHead]:
    """Return the other heads of the run's branch that were heard of before it, the newest first.

    What a pull request's target made of a head says nothing of the head's own branch.
    """
    rows = await connection.fetch(
        """
        SELECT commit_sha, before_sha, coalesce(overall_result = 'PASS', false) AS passed,
            trigger = 'installation' AS at_installation, trigger = 'rerun' AS is_rerun
        FROM audit_runs
        WHERE repo_id = $1 AND branch = $2 AND created_at < $3 AND commit_sha <> $4 AND target_ref IS NULL AND NOT fork
        ORDER BY created_at DESC LIMIT $5
        """,
        run.repo_id,
        run.branch,
        run.created_at,
        run.commit_sha,
        most,
    )
    return [BranchHead(**row) for row in rows]


async def list_evaluated_heads(connection: Connection, repo_id: UUID, branch: str, most: int) -> list[BranchHead]:
    """Return the evaluated heads of a branch, the newest first; running an old head again makes it no newer."""
    rows = await connection.fetch(
        """
        SELECT commit_sha, before_sha, coalesce(overall_result = 'PASS', false) AS passed,
            trigger = 'installation' AS at_installation
        FROM audit_runs
        WHERE repo_id = $1 AND branch = $2 AND status = 'completed' AND trigger <> 'rerun' AND target_ref IS NULL
            AND NOT fork
        ORDER BY created_at DESC LIMIT $3
        """,
        repo_id,
        branch,
        most,
    )
    return [BranchHead(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class FirstEvaluated:
    """The oldest evaluated run of a branch: what it was evaluated against, None for nothing."""

    base_sha: str | None


async def oldest_evaluated(connection: Connection, run: AuditRun) -> FirstEvaluated | None:
    """Return the oldest run of another head of the branch that came to a verdict; None where there is none.

    The audit at installation of a head that a push brought does not count.
    """
    row = await connection.fetchrow(
        """
        SELECT base_sha FROM audit_runs a
        WHERE repo_id = $1 AND branch = $2 AND created_at < $3 AND commit_sha <> $4 AND status = 'completed'
            AND target_ref IS NULL AND NOT fork
            AND NOT (trigger = 'installation' AND EXISTS (SELECT 1 FROM audit_runs p WHERE p.repo_id = a.repo_id
                AND p.branch = a.branch AND p.commit_sha = a.commit_sha AND p.trigger = 'push'))
        ORDER BY created_at LIMIT 1
        """,
        run.repo_id,
        run.branch,
        run.created_at,
        run.commit_sha,
    )
    return None if row is None else FirstEvaluated(row["base_sha"])


async def is_baseline_run(connection: Connection, run: AuditRun) -> bool:
    """Return whether the run is the audit at installation, or that one once more, of a head that no push brought."""
    if run.trigger != "rerun" or run.target_ref is not None:
        return run.trigger == "installation"
    found: bool = await connection.fetchval(
        """
        SELECT coalesce(bool_or(trigger = 'installation') AND NOT bool_or(trigger = 'push'), false) FROM audit_runs
        WHERE repo_id = $1 AND branch = $2 AND commit_sha = $3
        """,
        run.repo_id,
        run.branch,
        run.commit_sha,
    )
    return found


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A run that is not published. `task` is the job that it wants where its work was lost, else None.

    `installation_id` is our key of its installation, None where the run wants no job.
    """

    place: RunPlace
    installation_id: UUID | None
    task: str | None


async def list_unpublished(connection: Connection, after_s: float, after: RunPlace, most: int) -> list[Unpublished]:
    """Return the runs behind `after` that are not published and are older than `after_s`, the oldest first, and which
    of them wait for no job, though nothing defers them.

    A verdict that was held back from a suspended installation counts once that is active again, and one that GitHub
    refused for as long as it is tried again by itself, once the next try is due.

    The cost grows with `most` alone: each run is looked up by itself, whatever PostgreSQL knows of the tables' sizes.
    """
    rows = await connection.fetch(
        f"""
        WITH page AS MATERIALIZED (
            SELECT a.id, a.created_at, a.repo_id, a.branch, a.status, a.publish_error, a.publish_retry_at
            FROM audit_runs a
            WHERE a.published_at IS NULL AND a.created_at < now() - make_interval(secs => $1)
                AND (a.created_at, a.id) > ($3, $4)
            ORDER BY a.created_at, a.id LIMIT $2
        )
        SELECT a.created_at, a.id AS run_id, wanting.installation_id, CASE WHEN wanting.installation_id IS NOT NULL
            THEN CASE WHEN a.status IN ('pending', 'running') THEN 'audit_commit' ELSE 'publish_verdict' END END AS task
        FROM page a LEFT JOIN LATERAL (
            SELECT r.installation_id FROM repos r JOIN installations i ON i.id = r.installation_id
            WHERE r.id = a.repo_id AND i.status = 'active' AND r.removed_at IS NULL
                AND (a.publish_error IS NULL OR a.publish_error = ANY($5::text[]) OR (
                    a.created_at > now() - $6::interval AND coalesce(a.publish_retry_at <= clock_timestamp(), true)))
                AND (a.status IN ('pending', 'running') OR coalesce((SELECT l.waiting_until FROM rate_limits l
                    WHERE l.github_installation_id = i.github_installation_id) < now() - interval '1 minute', true))
                AND {_IS_WANTED} AND (
                    SELECT j.id FROM procrastinate_jobs j
                    WHERE j.status IN ('todo', 'doing') AND {SUBJECT} = a.id::text
                        AND j.task_name <> 'record_violations' LIMIT 1) IS NULL
            LIMIT 1
        ) AS wanting ON true
        ORDER BY a.created_at, a.id
        """,  # noqa: S608  (expressions of ours)
        after_s,
        most,
        after.created_at,
        after.run_id,
        [SUSPENDED, NO_INSTALLATION],
        REFUSED_FOR,
    )
    return [
        Unpublished(RunPlace(row["created_at"], row["run_id"]), row["installation_id"], row["task"]) for row in rows
    ]


async def cancel_runs(connection: Connection, repo_id: UUID, commit_sha: str, reason: str) -> list[UUID]:
    """End the merge group's runs that have no verdict yet, and return them."""
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


async def reset_publish_errors(connection: Connection, whose: UUID, after: RunPlace, most: int) -> list[RunPlace]:
    """Let the verdicts behind `after` that GitHub did not take be tried again; return their runs, the oldest first.

    `whose` is our key of their installation or of their repository.
    """
    rows = await connection.fetch(
        f"""
        UPDATE audit_runs SET publish_error = NULL, publish_retry_at = NULL WHERE id = ANY(ARRAY(
            SELECT a.id FROM audit_runs a JOIN repos r ON r.id = a.repo_id
            WHERE (r.id = $1 OR r.installation_id = $1) AND (a.created_at, a.id) > ($3, $4)
                AND a.publish_error IS NOT NULL AND a.published_at IS NULL AND {_IS_WANTED}
            ORDER BY a.created_at, a.id LIMIT $2 FOR UPDATE OF a))
        RETURNING created_at, id AS run_id
        """,  # noqa: S608  (an expression of ours)
        whose,
        most,
        after.created_at,
        after.run_id,
    )
    return sorted((RunPlace(**row) for row in rows), key=lambda place: (place.created_at, place.run_id))


@dataclass(frozen=True, slots=True)
class BranchStart:
    """The first runs of a branch: whether it has a baseline, and the first push that was received."""

    drawn: bool
    first_push_id: UUID | None
    before_sha: str | None


async def has_run_of_branch(connection: Connection, repo_id: UUID, branch: str, commit_sha: str) -> bool:
    """Return whether the commit was evaluated as a head of the branch itself, whatever pull requests it has."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM audit_runs WHERE repo_id = $1 AND branch = $2 AND commit_sha = $3
            AND target_ref IS NULL AND NOT fork)
        """,
        repo_id,
        branch,
        commit_sha,
    )
    return found


async def find_branch_start(connection: Connection, repo_id: UUID, branch: str) -> BranchStart:
    """Return the first runs of a branch, as far as they are known."""
    drawn: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM audit_runs WHERE repo_id = $1 AND branch = $2 AND trigger = 'installation')",
        repo_id,
        branch,
    )
    first = await connection.fetchrow(
        """
        SELECT id, before_sha FROM audit_runs WHERE repo_id = $1 AND branch = $2 AND trigger = 'push'
        ORDER BY created_at LIMIT 1
        """,
        repo_id,
        branch,
    )
    return BranchStart(drawn, first["id"] if first else None, first["before_sha"] if first else None)


async def set_before(connection: Connection, run_id: UUID, later_id: UUID) -> None:
    """Let the run come before the other one, whenever it was made."""
    await connection.execute(
        """
        UPDATE audit_runs r SET created_at = later.created_at - interval '1 microsecond',
            started_at = later.created_at - interval '1 microsecond'
        FROM audit_runs later WHERE r.id = $1 AND later.id = $2
        """,
        run_id,
        later_id,
    )
