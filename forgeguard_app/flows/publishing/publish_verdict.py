"""A stored verdict is published: GitHub comes to hold the three check runs, each annotation once.

What is sent was stored before. Each write is announced in the outbox, so that one whose answer was lost is looked
up and adopted instead of repeated. A verdict that finds no room in GitHub's limits waits without a job; one job an
installation publishes what waits as soon as there is room.
"""

from __future__ import annotations

import asyncio
import logging
import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from forgeguard_app.audit.model import CheckCode
from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.jobs import Job, Priority, Task, enqueue_job
from forgeguard_app.flows.context.rate_budget import BudgetExhausted, reserve
from forgeguard_app.flows.context.worker_context import Timings, WorkerContext
from forgeguard_app.flows.intake.start_run import enqueue_publication
from forgeguard_app.flows.publishing.check_run_writer import (
    CheckRunWriter,
    final_run,
    may_be_on_github,
    publish_check,
    wanted_run,
)
from forgeguard_app.flows.publishing.commit_verdict import (
    CompleteOnly,
    Decision,
    Publish,
    TargetCheck,
    Wait,
    decide,
    read_commit_verdict,
)
from forgeguard_app.flows.publishing.verdicts import cancelled_check
from forgeguard_app.github.check_runs import ANNOTATIONS_PER_REQUEST, CheckRun, progress
from forgeguard_app.github.client import Archived, CommitNotFound, RequestRejected
from forgeguard_app.github.limits import Cost
from forgeguard_app.github.tokens import InstallationUnavailable
from forgeguard_app.store.audits import (
    NO_INSTALLATION,
    SUSPENDED,
    AuditRun,
    find_run,
    set_publish_error,
    set_published,
)
from forgeguard_app.store.check_runs import OutboxRow, find_unsettled_write, list_outbox, want_check_runs
from forgeguard_app.store.commit_targets import AuditTarget
from forgeguard_app.store.installations import Installation, find_installation
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.queue import has_job
from forgeguard_app.store.rates import list_waiting, schedule_waiting, unschedule_waiting
from forgeguard_app.store.repos import Repo, get_installation_id, get_repo
from forgeguard_app.store.states import InstallationStatus, RunStatus

_GONE = (403, 404, 410)
ARCHIVED = "The repository is archived, so that it takes no check runs; they follow once it is unarchived."
AT_ONCE = 200  # verdicts that one job publishes of what waits
FIRST_TRY, LAST_TRY = timedelta(minutes=1), timedelta(days=1)  # pauses of a refused verdict, which double with its age
JOB_UP_TO = timedelta(minutes=10)  # a longer pause of a refused verdict has no job
MAX_FAULTS = 3  # of one pass over what waits
log = structlog.get_logger()


def lock_of(run: AuditRun) -> str:
    """Return the name that is held while something is written on the run's commit."""
    return f"publish/{run.repo_id}/{run.commit_sha}"


async def publish_verdict(context: WorkerContext, run_id: UUID) -> None:
    """Bring GitHub to hold the run's verdict; done twice it changes nothing.

    Raises:
        RetryLater: a transient fault; what was sent is known, the rest is to be tried later.
    """
    try:
        await _publish_run(context, run_id)
    except BudgetExhausted as error:
        number = await _installation_of(context, run_id)
        if number is not None:
            await _publish_waiting_later(context, number, error.delay_s or 1.0)


async def publish_waiting(context: WorkerContext, github_installation_id: int) -> None:
    """Publish what waits for room in an installation's limits, the most wanted first, until there is none left."""
    async with context.pool.acquire() as connection:
        await unschedule_waiting(connection, github_installation_id)
        waiting = await list_waiting(connection, github_installation_id, AT_ONCE)
    faults, later_s = 0, context.timings.retry_s if len(waiting) == AT_ONCE else None
    for run_id in waiting:
        try:
            await _publish_run(context, run_id)
        except RetryLater as error:
            log.info("publish.later", run_id=str(run_id), reason=str(error))
            later_s = max(error.delay_s or context.timings.retry_s * 10, later_s or 0.0)
            faults += 1
            # One that GitHub stumbles over holds up nobody; where there is no room, or GitHub is away, all wait.
            if isinstance(error, BudgetExhausted) or faults == MAX_FAULTS:
                break
    if later_s is not None:
        await _publish_waiting_later(context, github_installation_id, later_s)


async def _installation_of(context: WorkerContext, run_id: UUID) -> int | None:
    async with context.pool.acquire() as connection:
        run = await find_run(connection, run_id)
        repo = await get_repo(connection, run.repo_id) if run else None
        installation = await find_installation(connection, repo.installation_id if repo else None)
    return installation.github_installation_id if installation else None


async def _publish_waiting_later(context: WorkerContext, number: int, after_s: float) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        if await schedule_waiting(connection, number, after_s, context.timings.stalled_s * 2):
            job = Job(Task.PUBLISH_WAITING, number, Priority.WAITING_VERDICTS)
            await enqueue_job(connection, job, delay=timedelta(seconds=after_s))


async def _publish_run(context: WorkerContext, run_id: UUID) -> None:
    async with context.pool.acquire() as connection:
        known = await find_run(connection, run_id)
    if known is None:
        return
    # One writer a commit: what one takes for the verdict on it, no other changes before it is written.
    async with context.locks.only_one(lock_of(known)) as held:
        if not held:
            raise RetryLater("another worker publishes this", delay_s=context.timings.retry_s)
        async with context.pool.acquire() as connection:
            run = await find_run(connection, run_id)
            if run is None or run.published_at is not None or run.status not in ("completed", "error", "cancelled"):
                return
            repo = await get_repo(connection, run.repo_id)
            installation = await find_installation(connection, repo.installation_id)
            if installation is None:
                await set_publish_error(connection, run_id, NO_INSTALLATION)
                return
            if installation.status == InstallationStatus.SUSPENDED:
                await set_publish_error(connection, run_id, SUSPENDED)
                return
            if run.publish_error is not None:
                await set_publish_error(connection, run_id, None)
            rows = {row.check_code: row for row in await list_outbox(connection, run_id)}
            decision = await _decide(connection, context, run, repo, list(rows.values()))
            if isinstance(decision, Wait):
                return
            if not decision.checks:
                await set_published(connection, run_id)
                return
            codes = [worst.check.check_code for worst in decision.checks]
            rows = {row.check_code: row for row in await want_check_runs(connection, run_id, codes)}
            # One that another run began may arrive after ours, and would hold then.
            unsettled_s = await find_unsettled_write(connection, run.repo_id, run.commit_sha)
        if unsettled_s is not None and unsettled_s < context.timings.settle_s:
            raise RetryLater("a write is not settled yet", delay_s=context.timings.settle_s - unsettled_s)
        writer = CheckRunWriter(context, context.access(installation, repo), run, repo, installation)
        await _publish_checks(writer, decision, rows)


async def _decide(
    connection: Connection, context: WorkerContext, run: AuditRun, repo: Repo, rows: list[OutboxRow]
) -> Decision:
    """Return what is to be written for the run; without checks it counts no more."""
    begun = [row for row in rows if may_be_on_github(row)]
    if run.status == RunStatus.CANCELLED:
        reason = run.error_detail or "Cancelled."
        target = AuditTarget(run.branch)
        return CompleteOnly([TargetCheck(target, run, cancelled_check(row.check_code, reason)) for row in begun])
    verdict = await read_commit_verdict(connection, context, run, repo)
    return decide(verdict, {row.check_code for row in begun})


async def _publish_checks(writer: CheckRunWriter, decision: Publish | CompleteOnly, rows: dict[str, OutboxRow]) -> None:
    context, run = writer.context, writer.audit_run
    todo = [
        (worst, rows[worst.check.check_code])
        for worst in decision.checks
        if rows[worst.check.check_code].published_at is None
    ]
    wanted = [(await final_run(writer, worst.run, worst.check), row) for worst, row in todo]
    writes = sum(_writes(check_run, row) for check_run, row in wanted)
    reads = sum(row.sending_s is not None for _, row in wanted)
    try:
        if writes:
            await writer.access.name()  # before a write is announced: nothing goes to a repository that took the name
            async with reserve(context, writer.access, Cost(writes + reads + 1, writes)):
                results = await asyncio.gather(
                    *(publish_check(writer, *pair) for pair in wanted), return_exceptions=True
                )
                for problem in results:
                    if isinstance(problem, BaseException):
                        raise problem
    except RequestRejected as error:
        await _refused(writer, error)
        return
    # Where a part was written before, that part may say less.
    older = decision.older if isinstance(decision, Publish) and len(todo) == len(decision.checks) else ()
    async with context.pool.acquire() as connection, connection.transaction():
        await set_published(connection, run.id)
        for run_id in older:
            if not any(map(may_be_on_github, await list_outbox(connection, run_id))):
                await set_published(connection, run_id)
        await enqueue_publication(connection, run.repo_id, run.commit_sha)
    log.info("publish.done")


def _writes(wanted: CheckRun, row: OutboxRow) -> int:
    return max(1, math.ceil((len(wanted.annotations) - row.annotations_sent) / ANNOTATIONS_PER_REQUEST))


def refusal_reason(error: RequestRejected) -> str:
    """Return the sentence that says why GitHub does not take the verdict."""
    if isinstance(error, CommitNotFound):
        return "The commit is not in the repository any more."
    if isinstance(error, Archived):
        return ARCHIVED
    return f"GitHub does not take it ({error.status})."


def _is_too_early(timings: Timings, run: AuditRun, error: RequestRejected) -> bool:
    """Return whether the run is so young that GitHub may not know its commit everywhere yet."""
    lag_s = timings.lag_s if isinstance(error, InstallationUnavailable) else timings.commit_lag_s
    is_young = datetime.now(UTC) - run.created_at < timedelta(seconds=lag_s)
    return is_young and (isinstance(error, CommitNotFound) or error.status in (404, 422))


async def _refused(writer: CheckRunWriter, error: RequestRejected) -> None:
    """Store the refusal for operators, together with when the verdict is tried again.

    Raises:
        RetryLater: GitHub may take the verdict within seconds.
    """
    context, run = writer.context, writer.audit_run
    if _is_too_early(context.timings, run, error):
        raise RetryLater("GitHub does not know the commit yet", delay_s=context.timings.retry_s) from error
    known = isinstance(error, (CommitNotFound, InstallationUnavailable)) or error.status in _GONE
    log.log(logging.WARNING if known else logging.ERROR, "publish.refused", reason=str(error))
    async with context.pool.acquire() as connection, connection.transaction():
        await _try_again_later(connection, run, refusal_reason(error))
    await _retry_if_changed(writer, error)


async def _retry_if_changed(writer: CheckRunWriter, error: RequestRejected) -> None:
    """Withdraw the stored refusal where its reason may have changed while GitHub was asked.

    The event of such a change resets the refusals that it finds: this one was not committed yet.

    Raises:
        RetryLater: the installation has other permissions, or the repository has another installation.
    """
    context, run, installation = writer.context, writer.audit_run, writer.installation
    async with context.pool.acquire() as connection:
        now = await find_installation(connection, installation.id, settled=True)
        if now is not None and dict(now.permissions) != dict(installation.permissions):
            await set_publish_error(connection, run.id, None)
            raise RetryLater("the installation's permissions have changed", delay_s=context.timings.retry_s) from error
    async with context.pool.acquire() as connection, connection.transaction():
        moved = await get_installation_id(connection, run.repo_id) != installation.id
        if moved:
            await set_publish_error(connection, run.id, None)
    if moved:
        raise RetryLater(
            "the repository belongs to another installation now", delay_s=context.timings.retry_s
        ) from error


async def _try_again_later(connection: Connection, run: AuditRun, reason: str) -> None:
    """Store the refusal with the time of the next try: a refusal may pass without an event that tells of it.

    Wants a transaction. A young verdict has a job for it; later ones are found by the look for stranded runs, so that
    an account whose verdicts are all refused keeps no jobs for a month.
    """
    age = datetime.now(UTC) - run.created_at
    pause = min(max(age, FIRST_TRY), LAST_TRY)
    await set_publish_error(connection, run.id, reason, pause)
    if pause < JOB_UP_TO and not await has_job(connection, Task.PUBLISH_VERDICT, run.id):
        await enqueue_job(connection, Job(Task.PUBLISH_VERDICT, run.id), delay=pause)


async def announce_progress(context: WorkerContext, run: AuditRun, repo: Repo, installation: Installation) -> None:
    """Show the three check runs as in progress; a fault here costs nothing but that."""
    access = context.access(installation, repo)
    writer = CheckRunWriter(context, access, run, repo, installation)
    async with context.locks.only_one(lock_of(run)) as held:
        if not held:
            return
        async with context.pool.acquire() as connection:
            now = await find_run(connection, run.id)
            # Cancelled meanwhile, and its end published: what is begun now would never be ended.
            if now is None or now.status != RunStatus.RUNNING:
                return
            rows = await want_check_runs(connection, run.id, list(CheckCode))
        rows = [row for row in rows if not may_be_on_github(row)]
        if not rows:
            return
        try:
            async with reserve(context, access, Cost(len(rows), len(rows), final=False)):
                for row in rows:
                    await writer.write(row.check_code, None, progress(wanted_run(writer, row.check_code)))
        except (RetryLater, RequestRejected) as error:
            log.info("publish.no_progress", reason=str(error))
