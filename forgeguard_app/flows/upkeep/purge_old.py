"""Deletes what is no longer kept: rows a month after they left, and mirrors that nobody needs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from forgeguard_app.builders.confinement import end_orphans
from forgeguard_app.builders.workspace import list_workspaces, place_for, remove_workspace
from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.quotas import QUOTAS
from forgeguard_app.flows.context.try_step import try_step
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.upkeep.enforce_quotas import chosen_mirrors, enforce_quotas, measure_mirrors
from forgeguard_app.flows.upkeep.watch_disk import lacking_bytes
from forgeguard_app.git.mirror import MirrorOnDisk, discard, list_mirrors
from forgeguard_app.git.mirror_lock import MirrorBusy
from forgeguard_app.store.audit_log import delete_old_entries
from forgeguard_app.store.build_changes import delete_old_changes
from forgeguard_app.store.build_logs import KEPT_DAYS, delete_old_logs
from forgeguard_app.store.builds import list_ended
from forgeguard_app.store.claims import delete_old_claims
from forgeguard_app.store.kept_forms import delete_expired_forms
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.projects import delete_old_projects
from forgeguard_app.store.purge import (
    BATCH,
    RUNS_AT_ONCE,
    delete_failed_jobs,
    delete_left,
    delete_left_runs,
    delete_old_deliveries,
    delete_old_trials,
    list_holders,
)
from forgeguard_app.store.queue import delete_old_turns
from forgeguard_app.store.rates import delete_old_uses
from forgeguard_app.store.reruns import delete_old_requests

MAX_BATCHES = 20
MAX_LEFT_BATCHES = 500
UNUSED_S = 30 * 86_400.0
log = structlog.get_logger()


async def purge_old(context: WorkerContext) -> None:
    """Delete from the database, in batches; a step that fails holds up no other and is tried again the next time."""
    steps: dict[str, Callable[[Connection], Awaitable[object]]] = {
        "left": _delete_left,
        "deliveries": partial(_delete_batches, delete_old_deliveries),
        "build logs": partial(_delete_batches, partial(delete_old_logs, most=BATCH)),
        "build changes": partial(_delete_batches, partial(delete_old_changes, days=KEPT_DAYS, most=BATCH)),
        "failed jobs": delete_failed_jobs,
        "trials": delete_old_trials,
        "audit log": delete_old_entries,
        "uses": delete_old_uses,
        "turns": delete_old_turns,
        "requests": delete_old_requests,
        "projects": delete_old_projects,
        "forms": delete_expired_forms,
        "claims": delete_old_claims,
    }
    failed = [name for name, step in steps.items() if not await try_step(context, name, partial(_purge, context, step))]
    if not await try_step(context, "quotas", partial(enforce_quotas, context.pool)):
        failed.append("quotas")
    log.info("purge.done", failed=failed)


async def _purge(context: WorkerContext, step: Callable[[Connection], Awaitable[object]]) -> None:
    async with context.pool.acquire() as connection:
        await step(connection)


async def _delete_left(connection: Connection) -> None:
    """Delete what left, its audits first; what is more than one pass deletes waits for the next one."""
    for _ in range(MAX_LEFT_BATCHES):
        if await delete_left_runs(connection) < RUNS_AT_ONCE:
            await delete_left(connection)
            return


async def _delete_batches(delete: Callable[[Connection], Awaitable[int]], connection: Connection) -> None:
    for _ in range(MAX_BATCHES):
        if await delete(connection) < BATCH:
            break


async def prune_disk(context: WorkerContext) -> None:
    """Remove the mirrors that nobody needs or that take too much, and what builds left that ended elsewhere."""
    await _prune_builds(context)
    mirrors = await asyncio.to_thread(list_mirrors, context.home / "mirrors")
    async with context.pool.acquire() as connection:
        holders = await list_holders(connection, [mirror.github_repo_id for mirror in mirrors])
    oldest, of_account = time.time() - UNUSED_S, QUOTAS.mirrors_of_installation
    stay, go = chosen_mirrors(mirrors, holders, oldest, _room(context, mirrors), of_account)
    for mirror in go:
        with contextlib.suppress(MirrorBusy):
            await discard(mirror.folder)
            log.info("mirror.discarded", github_repo_id=mirror.github_repo_id, size_bytes=mirror.size_bytes)
    await measure_mirrors(context, stay, holders)


def _room(context: WorkerContext, mirrors: Sequence[MirrorOnDisk]) -> int:
    """Return what the mirrors may take: less than their bound where the disk is full."""
    if not mirrors or not (lacking := lacking_bytes(context.home / "mirrors")):
        return context.mirrors_max_bytes
    log.warning("disk.full", lacking_bytes=lacking)
    return min(context.mirrors_max_bytes, max(sum(mirror.size_bytes for mirror in mirrors) - lacking, 0))


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
