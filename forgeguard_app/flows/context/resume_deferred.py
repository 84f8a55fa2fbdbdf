"""Requeues what was deferred or refused in an installation or a repository, once its reason is gone."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.run_order import BEFORE_ALL, RunPlace, list_deferred, lock_resuming, reset_publish_errors

AT_ONCE = 500


async def resume_deferred(context: WorkerContext, whose: UUID) -> None:
    """Enqueue the jobs of deferred runs and refused verdicts; `whose` is our key of an installation or a repository.

    It works in short transactions, so that no event of the account waits for all of them. Each run is looked at once:
    one whose new job ends with nothing done, since GitHub refuses it again, waits for the next reason to resume.
    A run that has a job gets no other one, also where several resumes of an installation come together, and a run
    that is evaluated already is left alone by its job.
    """
    deferred: RunPlace | None = BEFORE_ALL
    while deferred is not None:
        async with context.pool.acquire() as connection, connection.transaction():
            deferred = await _enqueue_deferred(connection, whose, deferred)
    refused: RunPlace | None = BEFORE_ALL
    while refused is not None:
        async with context.pool.acquire() as connection, connection.transaction():
            refused = await _enqueue_refused(connection, whose, refused)


async def _enqueue_deferred(connection: Connection, whose: UUID, after: RunPlace) -> RunPlace | None:
    """Return the last run of those that were enqueued; None where no other one is left."""
    await lock_resuming(connection, whose)
    places = await list_deferred(connection, whose, after, AT_ONCE)
    for place in places:
        await enqueue_job(connection, Job(Task.AUDIT_COMMIT, place.run_id))
    return places[-1] if len(places) == AT_ONCE else None


async def _enqueue_refused(connection: Connection, whose: UUID, after: RunPlace) -> RunPlace | None:
    await lock_resuming(connection, whose)
    places = await reset_publish_errors(connection, whose, after, AT_ONCE)
    for place in places:
        await enqueue_job(connection, Job(Task.PUBLISH_VERDICT, place.run_id))
    return places[-1] if len(places) == AT_ONCE else None
