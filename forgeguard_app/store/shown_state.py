"""Reads what decides the shown state of an audit or a repository: its rows, its installation, and the queue."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from forgeguard_app.audit.counts import Evaluation, OverallOutcome
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.queue import SUBJECT
from forgeguard_app.store.states import RunStatus

SILENT_S = 15.0  # a worker that has given no sign of life for so long is not counted
APP = 0  # the row of rate_limits for the App itself


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """A stored check, as far as a state depends on it."""

    code: str
    result: str
    evaluation: Evaluation
    title: str
    verified: int


MAX_AHEAD = 1_000  # each reader of a page that shows a waiting audit has them sorted
MOST_OF_COMMIT = 500  # audits of a commit that one look at it reads: a push may bring thousands of branches to it
MAX_EARLIER = 100  # each reader of a page of waiting audits has them counted for each audit


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """The place of an audit in the queue.

    `earlier` counts the earlier pushes of the same branch without a verdict, to one more than MAX_EARLIER. `ahead` are
    the jobs that are due before this one, a number beyond MAX_AHEAD where so many wait that they are not sorted.
    `retry_s` are the seconds until the next try of a job that was put off. None where no job waits.
    """

    earlier: int = 0
    ahead: int | None = None
    retry_s: float | None = None


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """The installation that an audit belongs to, and who works for it.

    `limited_s` are the seconds for which GitHub told the installation or the App to wait, `writes_wait_s` those for
    which verdicts wait for room in its limits.
    """

    installation: str = "active"
    limited_s: float = 0.0
    writes_wait_s: float = 0.0
    workers: int = 1
    is_empty: bool = False
    starts: bool = False


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A stored audit, as far as its state depends on it. `age_s` is the time since its push."""

    status: RunStatus
    outcome: OverallOutcome | None = None
    verified: int = 0
    age_s: float = 0.0
    error_detail: str | None = None
    published: bool = True
    publish_error: str | None = None
    checks: tuple[CheckFacts, ...] = ()
    queue: QueueFacts = QueueFacts()


Stored = tuple[RunFacts, PlaceFacts]


async def has_worker(connection: Connection) -> bool:
    """Return whether some worker gave a sign of life lately."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM procrastinate_workers"
        " WHERE last_heartbeat > clock_timestamp() - make_interval(secs => $1))",
        SILENT_S,
    )
    return found


_PLACE = f"""
    coalesce(i.status, 'deleted') AS installation,
    coalesce((SELECT extract(epoch FROM max(greatest(l.blocked_until, CASE WHEN l.remaining = 0 THEN l.resets_at END))
            - clock_timestamp()) FROM rate_limits l
        WHERE l.github_installation_id IN (i.github_installation_id, {APP})), 0)::float8 AS limited_s,
    coalesce((SELECT extract(epoch FROM max(l.waiting_until) - clock_timestamp()) FROM rate_limits l
        WHERE l.github_installation_id = i.github_installation_id), 0)::float8 AS writes_wait_s,
    (SELECT count(*) FROM procrastinate_workers
        WHERE last_heartbeat > clock_timestamp() - make_interval(secs => {SILENT_S}))::integer AS workers,
    r.is_empty
"""  # noqa: S608  (numbers of ours)


def newest_run_of(repo_id: str, branch: str) -> str:
    """Return the SQL of the id of a branch's state: the newest audit of its newest head.

    An old head that was audited again is not the newest head. The verdict for a pull request of the default branch says
    nothing of the default branch.
    """
    default = f"(SELECT d.default_branch FROM repos d WHERE d.id = {repo_id})"  # noqa: S608  (columns of ours)
    own = f"target_ref IS NULL OR {branch} <> {default}"
    return f"""(
        SELECT n.id FROM audit_runs n
        WHERE n.repo_id = {repo_id} AND n.branch = {branch} AND (n.{own}) AND n.commit_sha = (
            SELECT h.commit_sha FROM audit_runs h WHERE h.repo_id = {repo_id} AND h.branch = {branch}
                AND (h.{own}) AND h.trigger <> 'rerun' ORDER BY h.created_at DESC LIMIT 1)
        ORDER BY n.created_at DESC LIMIT 1)"""  # noqa: S608  (columns of ours)


def newest_run_of_pull(repo: str, pull: str) -> str:
    """Return the SQL of the id of a pull request's state: the newest audit of its head for its base, else of its head.

    `repo` and `pull` are the names of their rows. Of the head the newest MOST_OF_COMMIT audits are looked at.
    """
    fork = f"{pull}.head_repo_github_id IS DISTINCT FROM {repo}.github_repo_id"
    return f"""(
        SELECT a.id FROM (
            SELECT * FROM audit_runs h WHERE h.repo_id = {repo}.id AND h.commit_sha = {pull}.head_sha
            ORDER BY h.created_at DESC LIMIT {MOST_OF_COMMIT}) AS a
        ORDER BY a.fork = ({fork}) AND coalesce(a.target_ref,
            nullif(a.evaluated_target, ''), {repo}.default_branch)
            = {pull}.base_ref DESC, a.created_at DESC LIMIT 1)"""  # noqa: S608  (columns of ours)


async def list_states(
    connection: Connection, run_ids: Collection[UUID], *, with_queue: bool = True
) -> dict[UUID, Stored]:
    """Return what decides the state of these audits; the queue is asked for those that wait, where it is wanted."""
    rows = await connection.fetch(
        f"""
        SELECT a.id, a.status, a.outcome, a.verified_count, a.error_detail, a.published_at IS NOT NULL AS published,
            a.publish_error, extract(epoch FROM clock_timestamp() - a.created_at)::float8 AS age_s,
            (SELECT jsonb_agg(jsonb_build_array(c.check_code, c.result, c.evaluation, c.title, c.verified_count)
                ORDER BY c.check_code) FROM audit_checks c WHERE c.audit_run_id = a.id) AS checks,
            {_PLACE}
        FROM audit_runs a JOIN repos r ON r.id = a.repo_id LEFT JOIN installations i ON i.id = r.installation_id
        WHERE a.id = ANY($1::uuid[])
        """,  # noqa: S608  (constants of ours)
        list(run_ids),
    )
    found = {row["id"]: (_run(dict(row)), _place(dict(row))) for row in rows}
    waiting = [run_id for run_id, (run, _) in found.items() if run.status == RunStatus.PENDING]
    for run_id, queue in (await _list_queue(connection, waiting) if waiting and with_queue else {}).items():
        run, place = found[run_id]
        found[run_id] = replace(run, queue=queue), place
    return found


async def list_places(connection: Connection, repo_ids: Collection[UUID]) -> dict[UUID, PlaceFacts]:
    """Return what decides the state of repositories without an audit."""
    rows = await connection.fetch(
        f"""
        WITH newest_jobs AS (
            SELECT args FROM procrastinate_jobs WHERE status IN ('todo', 'doing') ORDER BY id DESC LIMIT {MAX_AHEAD}
        )
        SELECT r.id, {_PLACE}, EXISTS (SELECT 1 FROM audit_runs a WHERE a.repo_id = r.id) AS is_known,
            EXISTS (SELECT 1 FROM newest_jobs j WHERE j.args->>'repo_id' = r.id::text) AS starts
        FROM repos r LEFT JOIN installations i ON i.id = r.installation_id WHERE r.id = ANY($1::uuid[])
        """,  # noqa: S608
        list(repo_ids),
    )
    return {
        row["id"]: replace(_place(dict(row)), starts=row["starts"], is_empty=row["is_empty"] and not row["is_known"])
        for row in rows
    }


DUE_JOBS = f"due_jobs({MAX_AHEAD + 1})"  # enough of them to know whether more than MAX_AHEAD wait


async def _list_queue(connection: Connection, run_ids: Collection[UUID]) -> dict[UUID, QueueFacts]:
    waiting: int = await connection.fetchval(f"SELECT count(*) FROM {DUE_JOBS} AS jobs")  # noqa: S608
    if waiting > MAX_AHEAD:
        return {run_id: QueueFacts(ahead=waiting) for run_id in run_ids}
    rows = await connection.fetch(
        f"""
        WITH waiting AS (
            SELECT id, args, priority,
                row_number() OVER (PARTITION BY queue_name ORDER BY priority DESC, id) AS turn
            FROM {DUE_JOBS} AS due
        ), jobs AS (
            SELECT args->>'run_id' AS run_id, row_number() OVER (ORDER BY turn, priority DESC, id) - 1 AS ahead
            FROM waiting
        )
        SELECT a.id, j.ahead::integer AS ahead, (
                -- Of a bare time the least one would be sought in the index of times, behind all that waits for later.
                SELECT min(extract(epoch FROM j.scheduled_at - clock_timestamp())) FROM procrastinate_jobs j
                WHERE j.status = 'todo' AND {SUBJECT} = a.id::text AND j.scheduled_at > clock_timestamp()
            )::float8 AS later_s,
            (SELECT count(*) FROM (SELECT FROM audit_runs e WHERE e.repo_id = a.repo_id AND e.branch = a.branch
                AND e.created_at < a.created_at AND e.status IN ('pending', 'running') AND e.commit_sha <> a.commit_sha
                AND e.target_ref IS NULL AND a.target_ref IS NULL AND a.branch = r.default_branch
                ORDER BY e.created_at DESC LIMIT {MAX_EARLIER + 1}) AS before)::integer AS earlier
        FROM audit_runs a JOIN repos r ON r.id = a.repo_id LEFT JOIN jobs j ON j.run_id = a.id::text
        WHERE a.id = ANY($1::uuid[])
        """,  # noqa: S608  (expressions of ours)
        list(run_ids),
    )
    return {
        row["id"]: QueueFacts(row["earlier"], row["ahead"] if row["later_s"] is None else None, row["later_s"])
        for row in rows
    }


def _run(row: Mapping[str, object]) -> RunFacts:
    checks = [
        CheckFacts(code, result, Evaluation(evaluation), title, verified)
        for code, result, evaluation, title, verified in json.loads(str(row["checks"] or "[]"))
    ]
    return RunFacts(
        status=RunStatus(str(row["status"])),
        outcome=None if row["outcome"] is None else OverallOutcome(str(row["outcome"])),
        verified=int(str(row["verified_count"])),
        age_s=float(str(row["age_s"])),
        error_detail=None if row["error_detail"] is None else str(row["error_detail"]),
        published=bool(row["published"]),
        publish_error=None if row["publish_error"] is None else str(row["publish_error"]),
        checks=tuple(checks),
    )


def _place(row: Mapping[str, object]) -> PlaceFacts:
    return PlaceFacts(
        installation=str(row["installation"]),
        limited_s=max(float(str(row["limited_s"])), 0.0),
        writes_wait_s=max(float(str(row["writes_wait_s"])), 0.0),
        workers=int(str(row["workers"])),
        is_empty=bool(row["is_empty"]),
    )
