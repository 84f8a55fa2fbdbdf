"""Deletes what is no longer kept: rows a month after they left, and mirrors that nobody needs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

import structlog

from forgeguard_app.builders.confinement import end_orphans
from forgeguard_app.builders.workspace import list_workspaces, place_for, remove_workspace
from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.quotas import QUOTAS
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.upkeep.enforce_quotas import chosen_mirrors, enforce_quotas, measure_mirrors
from forgeguard_app.git.mirror import discard, list_mirrors
from forgeguard_app.git.mirror_lock import MirrorBusy
from forgeguard_app.store.audit_log import delete_old_entries
from forgeguard_app.store.build_changes import delete_old_changes
from forgeguard_app.store.build_logs import KEPT_DAYS, delete_old_logs
from forgeguard_app.store.builds import list_ended
from forgeguard_app.store.claims import delete_old_claims
from forgeguard_app.store.kept_forms import delete_expired_forms
from forgeguard_app.store.projects import delete_old_projects
from forgeguard_app.store.purge import (
    BATCH,
    delete_failed_jobs,
    delete_left,
    delete_old_deliveries,
    delete_old_trials,
    list_holders,
)
from forgeguard_app.store.queue import delete_old_turns
from forgeguard_app.store.rates import delete_old_uses
from forgeguard_app.store.reruns import delete_old_requests

MAX_BATCHES = 20
UNUSED_S = 30 * 86_400.0
log = structlog.get_logger()


async def purge_old(context: WorkerContext) -> None:
    """Deletes from the database, in batches."""
    async with context.pool.acquire() as connection:
        repositories = await delete_left(connection)
        deliveries = 0
        for _ in range(MAX_BATCHES):
            some = await delete_old_deliveries(connection)
            deliveries += some
            if some < BATCH:
                break
        for _ in range(MAX_BATCHES):
            if await delete_old_logs(connection, BATCH) < BATCH:
                break
        for _ in range(MAX_BATCHES):
            if await delete_old_changes(connection, KEPT_DAYS, BATCH) < BATCH:
                break
        await delete_failed_jobs(connection)
        await delete_old_trials(connection)
        await delete_old_entries(connection)
        await delete_old_uses(connection)
        await delete_old_turns(connection)
        await delete_old_requests(connection)
        await delete_old_projects(connection)
        await delete_expired_forms(connection)
        await delete_old_claims(connection)
    await enforce_quotas(context.pool)
    log.info("purge.done", repositories=repositories, deliveries=deliveries)


async def prune_disk(context: WorkerContext) -> None:
    """Remove the mirrors that nobody needs or that take too much, and what builds left that ended elsewhere."""
    await _prune_builds(context)
    mirrors = await asyncio.to_thread(list_mirrors, context.home / "mirrors")
    async with context.pool.acquire() as connection:
        holders = await list_holders(connection, [mirror.github_repo_id for mirror in mirrors])
    oldest, of_account = time.time() - UNUSED_S, QUOTAS.mirrors_of_installation
    stay, go = chosen_mirrors(mirrors, holders, oldest, context.mirrors_max_bytes, of_account)
    for mirror in go:
        with contextlib.suppress(MirrorBusy):
            await discard(mirror.folder)
            log.info("mirror.discarded", github_repo_id=mirror.github_repo_id, size_bytes=mirror.size_bytes)
    await measure_mirrors(context, stay, holders)


async def _prune_builds(context: WorkerContext) -> None:
    if os.geteuid() == 0 and (users := await asyncio.to_thread(end_orphans)):
        log.warning("builders.orphans_ended", users=users)
    place = await asyncio.to_thread(place_for, context.home)
    here = await asyncio.to_thread(list_workspaces, place)
    async with context.pool.acquire() as connection:
        ended = await list_ended(connection, here)
    for build_id in ended:
        try:
            await remove_workspace(place, str(build_id))
        except UserError as error:
            log.error("workspace.kept", build_id=str(build_id), reason=str(error))
        else:
            log.info("workspace.discarded", build_id=str(build_id))
