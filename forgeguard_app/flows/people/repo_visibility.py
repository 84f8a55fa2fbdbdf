"""Asks GitHub whether a repository is still public: the event that makes it private may be lost."""

from __future__ import annotations

import asyncio

import structlog

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.tokens import LIST, InstallationSuspended, InstallationUnavailable
from forgeguard_app.store.changes import ACCESS, notify_change
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.repos import Repo, set_private
from forgeguard_app.store.states import InstallationStatus
from forgeguard_app.store.users import forget_access

TIMEOUT_S = 5.0
log = structlog.get_logger()


async def is_public(context: WebContext, repo: Repo) -> bool:
    """Return whether everybody may see the repository, as GitHub said within half a minute.

    Where GitHub cannot be asked, what it last said counts. One caller asks, others do not wait for the answer.
    """
    if repo.private:
        return False
    turns = context.visibility
    if context.app.access is None or repo.installation_id is None or not turns.take(repo.id, repo.installation_id):
        return True
    try:
        async with asyncio.timeout(TIMEOUT_S):
            private = await _is_private(context, repo)
    except (RequestRejected, RetryLater, TimeoutError) as error:
        log.info("visibility.unanswered", repo_id=str(repo.id), reason=str(error) or type(error).__name__)
        turns.give_back(repo.id)
        return True
    if not private:
        return True
    async with context.pool.acquire() as connection, connection.transaction():
        await set_private(connection, repo.id)
        await forget_access(connection, [repo.github_repo_id])
        await notify_change(connection, ACCESS)
    log.warning("repo.privatized", repo_id=str(repo.id))
    return False


async def _is_private(context: WebContext, repo: Repo) -> bool:
    """Return what GitHub says, asked by id. What it does not show to the App any more counts as private."""
    async with context.pool.acquire() as connection:
        installation = await find_installation(connection, repo.installation_id)
    if installation is None or installation.status != InstallationStatus.ACTIVE:
        return False
    try:
        token = await context.tokens.get(installation.github_installation_id, repo.github_repo_id, LIST)
    except InstallationSuspended:
        return False
    except InstallationUnavailable:
        return True
    try:
        found = await context.client.ask("GET", f"/repositories/{repo.github_repo_id}", token=token.value)
    except RequestRejected:
        context.tokens.drop(token)
        raise
    return not isinstance(found, dict) or found.get("private") is not False
