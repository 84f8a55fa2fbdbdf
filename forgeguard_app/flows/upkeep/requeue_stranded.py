"""Runs and deferred re-runs whose job was lost, whatever lost it, get it again: nothing waits for ever.

So do verdicts that GitHub refused, whenever their next try is due.
"""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import structlog

from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.reruns import list_overdue
from forgeguard_app.store.run_order import BEFORE_ALL, RunPlace, list_unpublished

AT_ONCE = 500  # jobs of an installation, or overdue re-runs of all
PAGE = 2_000  # runs that one short transaction looks at
log = structlog.get_logger()


async def requeue_stranded(context: WorkerContext, after_s: float | None = None) -> int:
    """Enqueue the jobs that stranded runs and overdue re-runs need, and return their number.

    An installation gets at most AT_ONCE of them, its oldest runs first; the others follow with the next look.
    """
    after_s = context.timings.stranded_s if after_s is None else after_s
    enqueued: Counter[UUID] = Counter()
    after: RunPlace | None = BEFORE_ALL
    while after is not None:
        async with context.pool.acquire() as connection, connection.transaction():
            after = await _requeue_page(connection, after_s, after, enqueued)
    number = enqueued.total() + await _requeue_overdue(context, after_s)
    if number:
        log.warning("runs.taken_up", number=number)
    return number


async def _requeue_page(
    connection: Connection, after_s: float, after: RunPlace, enqueued: Counter[UUID]
) -> RunPlace | None:
    """Enqueue the jobs that a page's runs need; return its last run, None where no other page follows."""
    page = await list_unpublished(connection, after_s, after, PAGE)
    for run in page:
        if run.task is None or run.installation_id is None or enqueued[run.installation_id] >= AT_ONCE:
            continue
        enqueued[run.installation_id] += 1
        await enqueue_job(connection, Job(Task(run.task), run.place.run_id))
    return page[-1].place if len(page) == PAGE else None


async def _requeue_overdue(context: WorkerContext, after_s: float) -> int:
    async with context.pool.acquire() as connection, connection.transaction():
        overdue = await list_overdue(connection, after_s, AT_ONCE)
        for request in overdue:
            repo = ("repo_id", str(request.repo_id))
            await enqueue_job(connection, Job(Task.START_RERUN, request.id, also=(repo,)))
    return len(overdue)
