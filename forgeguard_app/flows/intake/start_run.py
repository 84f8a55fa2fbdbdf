"""A run is made durable with the job that evaluates it; a verdict that waits gets the job that publishes it."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.flows.context.jobs import Job, Priority, Task, enqueue_job
from forgeguard_app.flows.intake.rank_heads import rank_of
from forgeguard_app.store.audits import NewRun, insert_run
from forgeguard_app.store.commit_targets import list_unpublished
from forgeguard_app.store.pool import Connection


async def start_run(connection: Connection, run: NewRun, github_delivery_id: str | None = None) -> UUID:
    """Make the run and its job durable; `github_delivery_id` names what asked for it."""
    run_id = await insert_run(connection, run)
    await enqueue_job(connection, Job(Task.AUDIT_COMMIT, run_id, await rank_of(connection, run), github_delivery_id))
    return run_id


async def enqueue_publication(connection: Connection, repo_id: UUID, commit_sha: str) -> None:
    """Enqueue what is to be published of a commit: its verdicts wait for one another."""
    for run_id, github_delivery_id in await list_unpublished(connection, repo_id, commit_sha):
        await enqueue_job(connection, Job(Task.PUBLISH_VERDICT, run_id, Priority.VERDICT, github_delivery_id))
