"""What we know of installations and their repositories is brought to what GitHub itself lists, whatever events were lost."""

from __future__ import annotations

from datetime import datetime

import structlog

from forgeguard_app.errors import Temporary
from forgeguard_app.flows.context import Context
from forgeguard_app.flows.follow_account import catch_up, catch_up_in, draw_starting_lines, state_of
from forgeguard_app.flows.known_repos import know_installation, know_repos
from forgeguard_app.github.client import Refused
from forgeguard_app.github.events import Installation, Repository
from forgeguard_app.github.installations import list_installations, list_repositories
from forgeguard_app.store.installations import State, find_by_github_id, list_live_installations, set_installation_state
from forgeguard_app.store.repos import (
    believe,
    get_database_time,
    list_guarded,
    set_removed_except,
    set_removed_with,
)

log = structlog.get_logger()


async def sync_installations(context: Context) -> None:
    """Compares every installation; one that cannot be read is passed over until the next time.

    Raises:
        Refused, Temporary: GitHub does not list the installations.
    """
    listed = await list_installations(context.app)
    async with context.pool.acquire() as connection:
        known = await list_live_installations(connection)
    there = {one.id for one in listed}
    for former in known:
        if former.github_installation_id not in there:
            async with context.pool.acquire() as connection, connection.transaction():
                gone = State("deleted", {}, None)
                await set_installation_state(connection, former.github_installation_id, gone)
                await set_removed_with(connection, former.github_installation_id)
    for one in listed:
        async with context.pool.acquire() as connection:
            asked_at = await get_database_time(connection)
        try:
            repositories = None if one.suspended_at else await list_repositories(context.client, context.tokens, one.id)
        except (Temporary, Refused) as error:
            log.info("sync.passed_over", installation=one.id, reason=str(error))
            continue
        await _take_in(context, one, repositories, asked_at)


async def _take_in(
    context: Context, one: Installation, repositories: list[Repository] | None, asked_at: datetime
) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        await believe(connection, asked_at)
        installation_id = await know_installation(connection, one)
        before = await find_by_github_id(connection, one.id)
        state = state_of(one, "suspended" if one.suspended_at else "active")
        await set_installation_state(connection, one.id, state)
        if repositories is None:
            return
        guarded = await list_guarded(connection, [repository.id for repository in repositories])
        ids = await know_repos(connection, repositories, installation_id)
        fresh = [
            key for key, repository in zip(ids, _ordered(repositories), strict=True) if repository.id not in guarded
        ]
        await draw_starting_lines(connection, fresh)
        for repo_id in fresh:
            await catch_up_in(connection, repo_id)
        await set_removed_except(connection, installation_id, [repository.id for repository in repositories])
        if before is not None and (before.status == "suspended" or dict(before.permissions) != dict(state.permissions)):
            await catch_up(connection, one.id)


def _ordered(repositories: list[Repository]) -> list[Repository]:
    return sorted(repositories, key=lambda one: one.id)  # the order in which know_repos answers
