"""A delivery says that a repository became public: GitHub is asked, since the delivery may be an old one."""

from __future__ import annotations

from uuid import UUID

import structlog

from forgeguard_app.flows.context import Context
from forgeguard_app.github.client import Refused
from forgeguard_app.store.changes import ACCESS, notify_change
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.repos import believe, find_repo, get_database_time, set_public
from forgeguard_app.store.users import forget_access

log = structlog.get_logger()


async def ask_if_public(context: Context, repo_id: UUID) -> None:
    """Store that the repository is public where GitHub, asked now, says so.

    Raises:
        Temporary: GitHub does not answer now.
    """
    async with context.pool.acquire() as connection:
        repo = await find_repo(connection, repo_id)
        installation = (
            await find_installation(connection, repo.installation_id) if repo and repo.installation_id else None
        )
        asked_at = await get_database_time(connection)
    if repo is None or installation is None or not repo.private or installation.status != "active":
        return
    try:
        found = await context.access(installation, repo).ask("GET", "")
    except Refused as error:
        log.info("visibility.refused", status=error.status)
        return
    if not isinstance(found, dict) or found.get("id") != repo.github_repo_id or found.get("private") is not False:
        return
    async with context.pool.acquire() as connection, connection.transaction():
        await believe(connection, asked_at)
        await set_public(connection, repo.id)
        await forget_access(connection, [repo.github_repo_id])
        await notify_change(connection, ACCESS)
    log.info("repo.publicized", repo_id=str(repo.id))
