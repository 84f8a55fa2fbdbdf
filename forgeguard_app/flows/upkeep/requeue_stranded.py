"""Runs and deferred re-runs whose job was lost, whatever lost it, get it again: nothing waits for ever."""

from __future__ import annotations

import structlog

from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.store.reruns import list_overdue
from forgeguard_app.store.run_order import list_stranded

AT_ONCE = 500
log = structlog.get_logger()


async def requeue_stranded(context: WorkerContext, after_s: float | None = None) -> int:
    """Enqueue the jobs that stranded runs and overdue re-runs need, and return their number."""
    after_s = context.timings.stranded_s if after_s is None else after_s
    async with context.pool.acquire() as connection, connection.transaction():
        stranded = await list_stranded(connection, after_s, AT_ONCE)
        for run in stranded:
            await enqueue_job(connection, Job(Task(run.task), run.run_id))
        overdue = await list_overdue(connection, after_s, AT_ONCE)
        for request in overdue:
            repo = ("repo_id", str(request.repo_id))
            await enqueue_job(connection, Job(Task.START_RERUN, request.id, also=(repo,)))
    number = len(stranded) + len(overdue)
    if number:
        log.warning("runs.taken_up", number=number)
    return number
