"""The App came to a repository: its default branch is evaluated once, so that what stands there counts as existing.

It also makes the three names known to GitHub, which lets only reported names be chosen as required checks.
"""

from __future__ import annotations

from uuid import UUID

import structlog

from forgeguard_app.flows.context.jobs import Job, Priority, Task, enqueue_job
from forgeguard_app.flows.context.visibility_lag import retry_until_visible
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.git.mirror import RepositoryGone, read_default_head
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.events import good_ref
from forgeguard_app.store.audits import NewRun, insert_run
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.repos import get_repo, lock_repo, set_default_branch, set_empty
from forgeguard_app.store.run_order import find_branch_start, has_run_of_branch, set_before
from forgeguard_app.store.states import InstallationStatus, Trigger

log = structlog.get_logger()


async def audit_baseline(context: WorkerContext, repo_id: UUID) -> None:
    """Start the audit of the default branch's head, unless that head was evaluated already or the branch is empty.

    Raises:
        RetryLater: a transient fault.
    """
    async with context.pool.acquire() as connection:
        repo = await get_repo(connection, repo_id)
        installation = await find_installation(connection, repo.installation_id)
    if installation is None or installation.status != InstallationStatus.ACTIVE:
        return
    try:
        head = await retry_until_visible(context, context.access(installation, repo), read_default_head)
    except (RequestRejected, RepositoryGone) as error:
        log.warning("baseline.refused", reason=type(error).__name__)
        return
    async with context.pool.acquire() as connection:
        await set_empty(connection, repo_id, empty=head is None)
    if head is None or not good_ref(head.branch):
        return
    async with context.pool.acquire() as connection, connection.transaction():
        await lock_repo(connection, repo_id)
        await set_default_branch(connection, repo_id, head.branch)
        start = await find_branch_start(connection, repo_id, head.branch)
        # Pushes since then are evaluated against what stood there before.
        sha = start.before_sha if start.first_push_id is not None else head.sha
        if start.drawn or sha is None or await has_run_of_branch(connection, repo_id, head.branch, sha):
            return
        run_id = await insert_run(connection, NewRun(repo_id, sha, head.branch, trigger=Trigger.INSTALLATION))
        if start.first_push_id is not None:
            await set_before(connection, run_id, start.first_push_id)
        await enqueue_job(connection, Job(Task.AUDIT_COMMIT, run_id, Priority.BASELINE))
