"""Installations and their repositories are compared with what GitHub lists, whatever events were lost.

A list can leave something out, and it can be older than what we know. So nothing is removed that was made after the
list was begun, that only one list left out, or that GitHub still has when it is asked for it by its id.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID

import structlog

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.context.repo_records import state_of, upsert_all_from_event, upsert_installation_from_event
from forgeguard_app.flows.context.try_step import try_step
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.intake.follow_account import AT_ONCE, audit_baselines
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.events import Installation, Repository
from forgeguard_app.github.installations import (
    MAX_INSTALLATIONS,
    MAX_REPOSITORIES,
    Listed,
    get_installation,
    list_installations,
    list_repositories,
)
from forgeguard_app.github.repo_access import nowhere
from forgeguard_app.store.changes import ACCESS, notify_change
from forgeguard_app.store.counters import bring_turn_forward
from forgeguard_app.store.installations import (
    InstallationState,
    find_by_github_id,
    find_installation,
    is_any_newly_missing,
    set_installation_state,
    set_missing,
)
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.repos import (
    believe,
    find_repo,
    get_database_time,
    list_guarded,
    set_missing_repos,
    set_removed,
    set_removed_with,
)
from forgeguard_app.store.run_order import list_with_deferred
from forgeguard_app.store.states import InstallationStatus
from forgeguard_app.store.users import forget_access, forget_access_with

LISTING_S = 1_800.0  # for the repositories of one installation
SOON_S = 300.0  # until what a list left out is looked for in a second one
MAX_ASKED = 200  # of one comparison, by their ids; the others wait for the next one
_GONE = (404, 410, 422)  # 422: a token for a repository that the installation does not hold
_T = TypeVar("_T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ListBounds:
    """Bounds of the lists that are read, and of what is stored at once; a list that is longer removes nothing."""

    installations: int = MAX_INSTALLATIONS
    repositories: int = MAX_REPOSITORIES
    at_once: int = AT_ONCE  # repositories that one transaction stores


async def sync_installations(context: WorkerContext, bounds: ListBounds | None = None) -> None:
    """Compare every installation; one that cannot be read or stored is passed over until the next time.

    Raises:
        RequestRejected, RetryLater: GitHub does not list the installations.
        DATABASE_ERRORS: the database is away.
    """
    bounds = bounds or ListBounds()
    listed_at = await _time(context)
    listed = await list_installations(context.app, bounds.installations)
    # The order is random, so that a pass that runs out of time does not leave out the same ones each time.
    for installation in random.sample(listed.items, len(listed.items)):
        asked_at = await _time(context)
        step = partial(_compare, context, installation, listed_at, asked_at, bounds)
        await try_step(context, "installation", step, installation=installation.id)
    if listed.is_cut:
        log.warning("sync.cut", what="installations", most=bounds.installations)
        context.counts.add("cut_lists", "installations")
    else:
        await _remove_installations(context, listed_at, [item.id for item in listed.items])
    async with context.pool.acquire() as connection:
        if await is_any_newly_missing(connection, listed_at):
            await bring_turn_forward(connection, "sync", context.timings.resync_s, SOON_S)


async def _compare(
    context: WorkerContext, installation: Installation, listed_at: datetime, asked_at: datetime, bounds: ListBounds
) -> None:
    try:
        async with asyncio.timeout(LISTING_S):
            repositories = await _repositories(context, installation, bounds)
    except (RetryLater, RequestRejected, TimeoutError) as error:
        log.info("sync.passed_over", installation=installation.id, reason=str(error) or type(error).__name__)
        return
    await _store_installation(context, installation, listed_at, repositories, asked_at, bounds.at_once)


async def sync_installation(context: WorkerContext, installation_id: UUID) -> None:
    """Compare one installation, of which a delivery claimed more than is stored.

    Raises:
        RetryLater: GitHub does not answer now.
    """
    async with context.pool.acquire() as connection:
        known = await find_installation(connection, installation_id)
    if known is None:
        return
    listed_at = await _time(context)
    try:
        listed_installation = await get_installation(context.app, known.github_installation_id)
        if listed_installation is None:
            return
        asked_at = await _time(context)
        repositories = await _repositories(context, listed_installation, ListBounds())
    except RequestRejected as error:
        log.info("sync.passed_over", installation=known.github_installation_id, reason=str(error))
        return
    await _store_installation(context, listed_installation, listed_at, repositories, asked_at)


def _sample(missing: list[_T]) -> list[_T]:
    """Return as many as are asked about at once, by chance, so that those that GitHub keeps do not hide the others."""
    return random.sample(missing, min(len(missing), MAX_ASKED))


async def _time(context: WorkerContext) -> datetime:
    async with context.pool.acquire() as connection:
        return await get_database_time(connection)


async def _repositories(
    context: WorkerContext, installation: Installation, bounds: ListBounds
) -> Listed[Repository] | None:
    """Return what the installation holds; None while it is suspended, when GitHub does not say."""
    if installation.suspended_at:
        return None
    listed = await list_repositories(context.client, context.tokens, installation.id, bounds.repositories)
    if listed.is_cut:
        log.warning("sync.cut", what="repositories", installation=installation.id, most=bounds.repositories)
        context.counts.add("cut_lists", "repositories of an installation")
    return listed


async def _store_installation(
    context: WorkerContext,
    listed_installation: Installation,
    listed_at: datetime,
    listed: Listed[Repository] | None,
    asked_at: datetime,
    at_once: int = AT_ONCE,
) -> None:
    """Store what GitHub says, in short transactions, so that no push waits for a large installation."""
    # Whose repositories GitHub lists lives at that time; a suspended one only at the time of the first list.
    installation_id = await _store_state(context, listed_installation, listed_at if listed is None else asked_at)
    if listed is None:
        return
    repositories = sorted(listed.items, key=lambda each: each.id, reverse=True)  # the newest first, as baselines
    for start in range(0, len(repositories), at_once):
        async with context.pool.acquire() as connection, connection.transaction():
            installation = await find_installation(connection, installation_id, settled=True)
            if installation is None or installation.status == InstallationStatus.DELETED:
                return  # since the list was read
            await believe(connection, asked_at)
            await _store_some(connection, installation_id, repositories[start : start + at_once])
    async with context.pool.acquire() as connection, connection.transaction():
        missing = await _missing(connection, installation_id, asked_at, listed)
    for repo_id in _sample(missing):
        await _remove_repo(context, repo_id, asked_at)


async def _store_state(context: WorkerContext, installation: Installation, at: datetime) -> UUID:
    async with context.pool.acquire() as connection, connection.transaction():
        await believe(connection, at)
        installation_id = await upsert_installation_from_event(connection, installation)
        before = await find_by_github_id(connection, installation.id)
        state = state_of(
            installation, InstallationStatus.SUSPENDED if installation.suspended_at else InstallationStatus.ACTIVE
        )
        await set_installation_state(connection, installation.id, state)
        if (
            before is not None
            and not installation.suspended_at
            and (before.status == InstallationStatus.SUSPENDED or dict(before.permissions) != dict(state.permissions))
        ):
            await enqueue_job(connection, Job(Task.RESUME_INSTALLATION, installation_id))
        return installation_id


async def _store_some(connection: Connection, installation_id: UUID, repositories: Sequence[Repository]) -> None:
    ordered = sorted(repositories, key=lambda each: each.id)  # upsert_all_from_event answers in this order
    guarded = await list_guarded(connection, [repository.id for repository in ordered])
    ids = await upsert_all_from_event(connection, ordered, installation_id)
    fresh = [key for key, repository in zip(ids, ordered, strict=True) if repository.id not in guarded]
    await audit_baselines(connection, fresh)
    # New here: they came from another installation, or from none.
    came = [key for key, repository in zip(ids, ordered, strict=True) if guarded.get(repository.id) != installation_id]
    for key in await list_with_deferred(connection, came):
        await enqueue_job(connection, Job(Task.RESUME_REPO, key))


async def _missing(
    connection: Connection, installation_id: UUID, asked_at: datetime, listed: Listed[Repository]
) -> list[UUID]:
    """Return the repositories that two lists in a row left out."""
    if listed.is_cut:
        return []
    return await set_missing_repos(connection, installation_id, asked_at, [item.id for item in listed.items])


async def _remove_repo(context: WorkerContext, repo_id: UUID, asked_at: datetime) -> None:
    """Remove the repository where GitHub, asked for it by its id, does not have it in the installation."""
    async with context.pool.acquire() as connection:
        repo = await find_repo(connection, repo_id)
        installation = (
            await find_installation(connection, repo.installation_id) if repo and repo.installation_id else None
        )
    if repo is None or installation is None:
        return
    access = context.access(installation, repo)
    access.left = nowhere  # where it went is found when something is asked of it
    context.tokens.forget(installation.github_installation_id, repo.github_repo_id)
    try:
        await access.ask("GET", "")
        return
    except RetryLater as error:
        log.info("sync.unanswered", repo_id=str(repo_id), reason=str(error))
        return
    except RequestRejected as error:
        if error.status not in _GONE:
            log.info("sync.unanswered", repo_id=str(repo_id), reason=str(error))
            return
    async with context.pool.acquire() as connection, connection.transaction():
        if await set_removed(connection, [repo.github_repo_id], held_before=asked_at):
            await forget_access(connection, [repo.github_repo_id])
            await notify_change(connection, ACCESS)
            log.warning("repo.removed", repo_id=str(repo_id))


async def _remove_installations(context: WorkerContext, listed_at: datetime, listed: list[int]) -> None:
    async with context.pool.acquire() as connection:
        missing = await set_missing(connection, listed_at, listed)
    for number in _sample(missing):
        await try_step(context, "removal", partial(_remove_installation, context, number), installation=number)


async def _remove_installation(context: WorkerContext, number: int) -> None:
    """Remove the installation where GitHub, asked for it by its id, does not have it."""
    try:
        if await get_installation(context.app, number) is not None:
            return
    except (RetryLater, RequestRejected) as error:
        log.info("sync.unanswered", installation=number, reason=str(error))
        return
    async with context.pool.acquire() as connection, connection.transaction():
        await set_installation_state(connection, number, InstallationState(InstallationStatus.DELETED, {}, None))
        await set_removed_with(connection, number)
        await forget_access_with(connection, number)
        await notify_change(connection, ACCESS)
    log.warning("installation.deleted", installation=number)
