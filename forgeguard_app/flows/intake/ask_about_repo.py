"""A delivery claims more of a repository than is stored: GitHub is asked, since the delivery may be an old one."""

from __future__ import annotations

from uuid import UUID

import msgspec
import structlog

from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.context.repo_records import facts_of
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.intake.follow_account import audit_baselines
from forgeguard_app.github import events
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.repo_access import nowhere
from forgeguard_app.store.changes import ACCESS, notify_change
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.repos import believe, find_repo, get_database_time, get_repo, upsert_repo
from forgeguard_app.store.states import InstallationStatus
from forgeguard_app.store.users import forget_access

log = structlog.get_logger()


async def ask_about_repo(context: WorkerContext, repo_id: UUID) -> None:
    """Store what GitHub, asked now, says: the repository is public, is guarded, has this name and default branch.

    Raises:
        RetryLater: GitHub does not answer now, or the repository belongs to another installation now.
    """
    async with context.pool.acquire() as connection:
        repo = await get_repo(connection, repo_id)
        installation = await find_installation(connection, repo.installation_id)
        guarded = await find_repo(connection, repo_id) is not None
        asked_at = await get_database_time(connection)
    if installation is None or installation.status != InstallationStatus.ACTIVE:
        return
    access = context.access(installation, repo)
    if not guarded:
        access.left = nowhere  # it may well be gone
        context.tokens.forget(installation.github_installation_id, repo.github_repo_id)
    try:
        answer = await access.ask("GET", "")
    except RequestRejected as error:
        log.info("repo.refused", repo_id=str(repo_id), status=error.status)
        return
    try:
        found = msgspec.convert(answer, events.Repository)
    except msgspec.ValidationError:
        return
    if found.id != repo.github_repo_id:
        return
    async with context.pool.acquire() as connection, connection.transaction():
        await believe(connection, asked_at)
        await upsert_repo(connection, facts_of(found), installation.id)
        now = await find_repo(connection, repo_id)
        if now is None:
            return
        if not guarded:
            await audit_baselines(connection, [repo_id])
            await enqueue_job(connection, Job(Task.RESUME_REPO, repo_id))
            await forget_access(connection, [repo.github_repo_id])
        if not guarded or now.private != repo.private:
            await notify_change(connection, ACCESS)
            log.info("repo.changed", repo_id=str(repo_id), private=now.private, came_back=not guarded)
