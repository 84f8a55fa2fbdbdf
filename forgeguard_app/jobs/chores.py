"""Periodic work of a worker beside its jobs; where one of all workers is enough, only one does it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.audits.allow_finding import end_expired_allowances
from forgeguard_app.flows.builds.answer_review import end_unanswered
from forgeguard_app.flows.builds.start_build import requeue_builds
from forgeguard_app.flows.context.take_step import take_step
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.upkeep.purge_old import prune_disk, purge_old
from forgeguard_app.flows.upkeep.read_required_checks import read_all_required
from forgeguard_app.flows.upkeep.reconcile_deliveries import reconcile_deliveries
from forgeguard_app.flows.upkeep.reconcile_heads import enqueue_due_heads
from forgeguard_app.flows.upkeep.requeue_stranded import requeue_stranded
from forgeguard_app.flows.upkeep.sync_installations import sync_installations
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.store.counters import add_counts, claim_turn, drop_turn
from forgeguard_app.store.pool import DATABASE_ERRORS

WHOLE_LOG = timedelta(days=3)  # what GitHub keeps
RECENT = timedelta(minutes=30)
COUNTS_EVERY_S = 5.0
AGAIN_S = 15.0
PURGE_EVERY_S = 3_600.0


async def reconcile(context: WorkerContext) -> None:
    """At start and every few minutes, by one worker at a time: GitHub's whole log first, then what is recent.

    A step that fails holds up no other, and is tried again soon.
    """
    window = WHOLE_LOG
    while True:
        wait_s = context.pace.reconcile_s
        with contextlib.suppress(*DATABASE_ERRORS):
            async with context.locks.only_one("reconcile") as held:
                if held:
                    steps: dict[str, Callable[[], Awaitable[object]]] = {
                        "stranded": partial(requeue_stranded, context),
                        "deliveries": partial(reconcile_deliveries, context, window),
                        "sync": partial(_sync, context),
                        "purge": partial(_purge, context),
                        "allowances": partial(end_expired_allowances, context.pool),
                        "builds": partial(requeue_builds, context.pool),
                        "approvals": partial(end_unanswered, context.pool),
                        "heads": partial(enqueue_due_heads, context),
                    }
                    well = [await take_step(context, name, step) for name, step in steps.items()]
                    window = RECENT if well[1] else WHOLE_LOG
                    wait_s = wait_s if all(well) else min(wait_s, AGAIN_S)
        await asyncio.sleep(wait_s)


async def read_required(context: WorkerContext) -> None:
    """By one worker at a time, beside everything else: a question that GitHub does not answer holds up nothing."""
    while True:
        with contextlib.suppress(*DATABASE_ERRORS):
            async with context.locks.only_one("required") as held:
                if held:
                    await read_all_required(context)
        await asyncio.sleep(context.pace.reconcile_s)


async def _purge(context: WorkerContext) -> None:
    if await _is_due(context, "purge", PURGE_EVERY_S):
        await purge_old(context)


async def _sync(context: WorkerContext) -> None:
    if not await _is_due(context, "sync", context.pace.resync_s):
        return
    try:
        await sync_installations(context)
    except (RetryLater, RequestRejected, *DATABASE_ERRORS):
        async with context.pool.acquire() as connection:
            await drop_turn(connection, "sync")
        raise


async def _is_due(context: WorkerContext, name: str, every_s: float) -> bool:
    """Return whether it is time, and then this worker's turn."""
    async with context.pool.acquire() as connection:
        return await claim_turn(connection, name, every_s)


async def prune_mirrors(context: WorkerContext) -> None:
    """Every worker tidies its own disk."""
    while True:
        await asyncio.sleep(PURGE_EVERY_S)
        with contextlib.suppress(*DATABASE_ERRORS):
            await prune_disk(context)


async def write_counts(context: WorkerContext) -> None:
    """Writes down what this process counted."""
    while True:
        await asyncio.sleep(min(COUNTS_EVERY_S, context.pace.reconcile_s))
        counts = context.counts.take()
        if not counts:
            continue
        try:
            async with context.pool.acquire() as connection, connection.transaction():
                await add_counts(connection, counts)
        except DATABASE_ERRORS:
            for (name, label), number in counts.items():
                context.counts.add(name, label, number)
