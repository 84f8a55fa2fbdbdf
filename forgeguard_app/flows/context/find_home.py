"""A repository that its installation does not hold any more is looked for: its transfer may have been told to
nobody.
"""

from __future__ import annotations

import structlog

from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.context.repo_records import state_of, upsert_installation_from_event
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.events import Installation
from forgeguard_app.github.installations import find_installation_of
from forgeguard_app.github.tokens import LIST, InstallationUnavailable, TokenCache
from forgeguard_app.store.changes import ACCESS, notify_change
from forgeguard_app.store.counters import claim_turn, drop_turn
from forgeguard_app.store.installations import set_installation_state
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.repos import Repo, RepoFacts, believe, belongs_elsewhere, get_database_time, upsert_repo
from forgeguard_app.store.states import InstallationStatus
from forgeguard_app.store.users import forget_access

EARLY_SYNC_S = 600.0  # comparing all installations costs a request for each of them
log = structlog.get_logger()


async def find_home(pool: Pool, app: AppAccess, tokens: TokenCache, repo: Repo, github_installation_id: int) -> bool:
    """Store the installation that holds the repository now; False where that is the given one, or none is found.

    Another process may have stored it already, since the caller read where the repository belongs.

    GitHub is asked by name, and the name may be another repository's by now: the installation counts only where it
    gives a token for the repository's numeric id. Otherwise all installations are compared within minutes.

    Raises:
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away, or its limit is reached.
    """
    async with pool.acquire() as connection:
        if await belongs_elsewhere(connection, repo.id, github_installation_id):
            return True
        asked_at = await get_database_time(connection)
    found = await find_installation_of(app, repo.full_name)
    elsewhere = found is not None and found.id != github_installation_id
    full_name = await _name_in(tokens, repo, found) if found is not None and elsewhere else None
    if found is None or full_name is None:
        await _sync_soon(pool)
        return False
    async with pool.acquire() as connection, connection.transaction():
        await believe(connection, asked_at)
        installation_id = await upsert_installation_from_event(connection, found)
        state = state_of(found, InstallationStatus.SUSPENDED if found.suspended_at else InstallationStatus.ACTIVE)
        await set_installation_state(connection, found.id, state)
        await upsert_repo(connection, RepoFacts(repo.github_repo_id, full_name), installation_id)
        await enqueue_job(connection, Job(Task.RESUME_REPO, repo.id))
        await forget_access(connection, [repo.github_repo_id])
        await notify_change(connection, ACCESS)
    log.warning("repo.transferred", repo_id=str(repo.id), full_name=full_name, installation=found.id)
    return True


async def _name_in(tokens: TokenCache, repo: Repo, installation: Installation) -> str | None:
    """Return the repository's name, where the installation holds it.

    A token that was kept says nothing of the name: a new one is asked for.
    """
    try:
        kept = await tokens.get(installation.id, repo.github_repo_id, LIST)
        if tokens.names.recent(repo.github_repo_id) is None:
            tokens.drop(kept)
            await tokens.get(installation.id, repo.github_repo_id, LIST)
    except InstallationUnavailable:
        return None
    return tokens.names.recent(repo.github_repo_id)


async def _sync_soon(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        if await claim_turn(connection, "early sync", EARLY_SYNC_S):
            await drop_turn(connection, "sync")
