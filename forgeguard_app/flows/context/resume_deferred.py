"""Requeues what was deferred or refused, once its reason is gone."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.run_order import (
    list_deferred,
    list_deferred_in,
    reset_publish_errors,
    reset_publish_errors_in,
)


async def resume_deferred(connection: Connection, github_installation_id: int) -> None:
    """Requeue deferred runs and refused verdicts; a run that is evaluated already is left alone by its job."""
    for run_id in await list_deferred(connection, github_installation_id):
        await enqueue_job(connection, Job(Task.AUDIT_COMMIT, run_id))
    await publish_again(connection, await reset_publish_errors(connection, github_installation_id))


async def resume_deferred_in(connection: Connection, repo_id: UUID) -> None:
    """Resume what was deferred or refused while the repository was away from its installation."""
    for run_id in await list_deferred_in(connection, repo_id):
        await enqueue_job(connection, Job(Task.AUDIT_COMMIT, run_id))
    await publish_again(connection, await reset_publish_errors_in(connection, repo_id))


async def publish_again(connection: Connection, run_ids: list[UUID]) -> None:
    for run_id in run_ids:
        await enqueue_job(connection, Job(Task.PUBLISH_VERDICT, run_id))
