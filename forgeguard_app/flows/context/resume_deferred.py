"""Requeues what was deferred or refused in an installation or a repository, once its reason is gone."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.store.run_order import list_deferred, reset_publish_errors

AT_ONCE = 500


async def resume_deferred(context: WorkerContext, whose: UUID) -> None:
    """Enqueue the jobs of deferred runs and refused verdicts; `whose` is our key of an installation or a repository.

    It works in short transactions, so that no event of the account waits for all of them. A run that has a job gets no
    other one, and a run that is evaluated already is left alone by its job.
    """
    while await _resume_some(context, whose):
        pass


async def _resume_some(context: WorkerContext, whose: UUID) -> bool:
    async with context.pool.acquire() as connection, connection.transaction():
        deferred = await list_deferred(connection, whose, AT_ONCE)
        for run_id in deferred:
            await enqueue_job(connection, Job(Task.AUDIT_COMMIT, run_id))
        refused = await reset_publish_errors(connection, whose, AT_ONCE)
        for run_id in refused:
            await enqueue_job(connection, Job(Task.PUBLISH_VERDICT, run_id))
    return len(deferred) == AT_ONCE or len(refused) == AT_ONCE
