"""One table of job kind → flow, and how a failed job is tried again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job

from forgeguard_app.errors import RetryLater, as_transient
from forgeguard_app.flows.audits.audit_commit import audit_commit
from forgeguard_app.flows.builds.advance_build import advance_build
from forgeguard_app.flows.context.jobs import SUBJECTS, Task
from forgeguard_app.flows.context.resume_deferred import resume_deferred
from forgeguard_app.flows.context.worker_context import Timings, WorkerContext
from forgeguard_app.flows.intake.ask_about_repo import ask_about_repo
from forgeguard_app.flows.intake.rerun_audit import start_rerun
from forgeguard_app.flows.proposals.record_violations import record_violations
from forgeguard_app.flows.proposals.run_trial import run_trial
from forgeguard_app.flows.publishing.notify_owner import notify_owner
from forgeguard_app.flows.publishing.publish_verdict import publish_verdict, publish_waiting
from forgeguard_app.flows.upkeep.audit_baseline import audit_baseline
from forgeguard_app.flows.upkeep.reconcile_heads import reconcile_heads
from forgeguard_app.flows.upkeep.sync_installations import sync_installation
from forgeguard_app.git.mirror_lock import MirrorBusy
from forgeguard_app.jobs.deadline import end_by
from forgeguard_app.jobs.fair_jobs import FairJobs
from forgeguard_app.store.pool import DATABASE_ERRORS
from forgeguard_app.store.queue import NAME, uncount_attempt


@dataclass(frozen=True, slots=True)
class JobKind:
    """A job kind: its flow, how the argument that names its subject is read, and after how many seconds it is ended."""

    flow: Callable[[WorkerContext, Any], Coroutine[Any, Any, None]]
    read: Callable[[str], Any] = UUID
    deadline_s: float = 3_600.0
    builds: bool = False  # the builder's own bound comes on top

    def ends_after_s(self, context: WorkerContext) -> float:
        """Return the deadline, in seconds."""
        return self.deadline_s + (context.builder.bounds.time_s if self.builds else 0.0)


FLOWS: dict[Task, JobKind] = {
    Task.AUDIT_COMMIT: JobKind(audit_commit),
    Task.START_RERUN: JobKind(start_rerun),
    Task.PUBLISH_VERDICT: JobKind(publish_verdict),
    Task.PUBLISH_WAITING: JobKind(publish_waiting, int),
    Task.AUDIT_BASELINE: JobKind(audit_baseline),
    Task.ASK_ABOUT_REPO: JobKind(ask_about_repo),
    Task.SYNC_INSTALLATION: JobKind(sync_installation),
    Task.RESUME_INSTALLATION: JobKind(resume_deferred),
    Task.RESUME_REPO: JobKind(resume_deferred),
    Task.RECONCILE_HEADS: JobKind(reconcile_heads),
    Task.RECORD_VIOLATIONS: JobKind(record_violations),
    Task.RUN_TRIAL: JobKind(run_trial),
    Task.ADVANCE_BUILD: JobKind(advance_build, builds=True),
    Task.NOTIFY_OWNER: JobKind(notify_owner),
}
MAX_TRANSIENT_FAULTS = 200
MAX_OWN_FAULTS = 5
log = structlog.get_logger()


class Retry(BaseRetryStrategy):
    """Transient faults are tried again for long, with growing waits; faults of ours a few times."""

    def __init__(self, timings: Timings) -> None:
        self.timings = timings

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """When to try again; None gives up."""
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_at=due_now())  # the worker is told to stop: another one takes it up
        is_transient = isinstance(exception, (RetryLater, *DATABASE_ERRORS))
        if job.attempts >= (MAX_TRANSIENT_FAULTS if is_transient else MAX_OWN_FAULTS):
            return None
        wait = min(self.timings.retry_s * 2.0 ** min(job.attempts, 12), self.timings.longest_retry_s)
        if isinstance(exception, RetryLater) and exception.delay_s is not None:
            wait = max(exception.delay_s, min(wait, 2 * self.timings.retry_s))
        return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=wait))


def due_now() -> datetime:
    """Return a time that is past by the database's clock too, however far ours is off."""
    return datetime.now(UTC) - timedelta(hours=1)


def make_app(dsn: str, context: WorkerContext, under_way: UnderWay, most_slots: int) -> App:
    """Return Procrastinate's App over our database; its tables live in a schema of their own.

    While others wait, an installation's jobs occupy at most `most_slots` of the worker.
    """
    connector = PsycopgConnector(
        conninfo=dsn, kwargs={"options": "-c search_path=procrastinate,public"}, min_size=1, max_size=4, timeout=10
    )
    app = App(connector=connector)
    app.job_manager = FairJobs(connector, context.pool, most_slots)
    for name in FLOWS:
        app.task(name=name, queue=NAME, retry=Retry(context.timings), pass_context=True)(_task(name, under_way))
    return app


class UnderWay:
    """The jobs that this process works on just now, and the queue's names for this process."""

    def __init__(self) -> None:
        self.jobs: set[int] = set()
        self.workers: set[int] = set()


def _task(name: Task, under_way: UnderWay) -> Callable[..., Awaitable[None]]:
    async def run(job: JobContext, **arguments: str) -> None:
        context: Any = job.additional_context["context"]
        if job.job.worker_id is not None:
            under_way.workers.add(job.job.worker_id)
        number = job.job.id or 0
        under_way.jobs.add(number)
        names = {key: value for key, value in arguments.items() if key in _LOGGED}
        try:
            with structlog.contextvars.bound_contextvars(job=name, **names):
                await _logged(name, context, arguments, job.job.attempts)
        except MirrorBusy:
            with contextlib.suppress(*DATABASE_ERRORS):
                async with context.pool.acquire() as connection:
                    await uncount_attempt(connection, number)
            raise
        finally:
            under_way.jobs.discard(number)

    return run


_LOGGED = {*SUBJECTS.values(), "repo_id", "delivery_id"}


async def _with_transient_faults(work: Awaitable[None]) -> None:
    """Await the work; a full disk or the like is a transient fault."""
    try:
        await work
    except TimeoutError:
        raise
    except OSError as error:
        if transient := as_transient(error):
            raise transient from error
        raise


async def _logged(name: Task, context: WorkerContext, arguments: dict[str, str], attempt: int) -> None:
    work = FLOWS[name]
    try:
        await _with_transient_faults(
            end_by(work.flow(context, work.read(arguments[SUBJECTS[name]])), work.ends_after_s(context))
        )
    except MirrorBusy:
        log.debug("job.waits_for_mirror")
        raise
    except RetryLater as error:
        context.counts.add("errors", type(error).__name__)
        log.info("job.later", reason=str(error), attempt=attempt)
        raise
    except DATABASE_ERRORS as error:
        context.counts.add("errors", "DatabaseAway")
        log.warning("job.database_away", error=type(error).__name__, attempt=attempt)
        raise
    except Exception as error:
        context.counts.add("errors", type(error).__name__)
        log.error("job.failed", error=type(error).__name__, attempt=attempt, exc_info=True)
        raise
