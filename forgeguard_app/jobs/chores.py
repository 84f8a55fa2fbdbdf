"""What a worker does beside its jobs, every so often; where one of all workers is enough, only one does it."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import structlog

from forgeguard_app.errors import Temporary
from forgeguard_app.flows.context import Context
from forgeguard_app.flows.purge_old import prune, purge_old
from forgeguard_app.flows.reconcile_deliveries import reconcile_deliveries
from forgeguard_app.flows.reconcile_heads import look_at_heads
from forgeguard_app.flows.sync_installations import sync_installations
from forgeguard_app.flows.take_up_stranded import take_up_stranded
from forgeguard_app.github.client import Refused
from forgeguard_app.store.counters import add_counts, claim_turn
from forgeguard_app.store.pool import AWAY, only_one

WHOLE_LOG = timedelta(days=3)  # what GitHub keeps
RECENT = timedelta(minutes=30)
COUNTS_EVERY_S = 5.0
PURGE_EVERY_S = 3_600.0
log = structlog.get_logger()


async def reconcile(context: Context) -> None:
    """At start and every few minutes, by one worker at a time: GitHub's whole log first, then what is recent."""
    window = WHOLE_LOG
    while True:
        try:
            async with only_one(context.pool, "reconcile") as held:
                if held:
                    await take_up_stranded(context)
                    await reconcile_deliveries(context, window)
                    window = RECENT
                    await _seldom(context)
                    await look_at_heads(context)
        except (Temporary, Refused, *AWAY) as error:
            context.counts.add("errors", "Reconcile" + type(error).__name__)
            log.warning("reconcile.failed", reason=str(error)[:200] or type(error).__name__)
        await asyncio.sleep(context.pace.reconcile_s)


async def _seldom(context: Context) -> None:
    async with context.pool.acquire() as connection:
        sync = await claim_turn(connection, "sync", context.pace.resync_s)
        purge = await claim_turn(connection, "purge", PURGE_EVERY_S)
    if sync:
        await sync_installations(context)
    if purge:
        await purge_old(context)


async def prune_mirrors(context: Context) -> None:
    """Every worker tidies its own disk."""
    while True:
        await asyncio.sleep(PURGE_EVERY_S)
        with contextlib.suppress(*AWAY):
            await prune(context)


async def write_counts(context: Context) -> None:
    """Writes down what this process counted."""
    while True:
        await asyncio.sleep(min(COUNTS_EVERY_S, context.pace.reconcile_s))
        counts = context.counts.take()
        if not counts:
            continue
        try:
            async with context.pool.acquire() as connection, connection.transaction():
                await add_counts(connection, counts)
        except AWAY:
            for (name, label), number in counts.items():
                context.counts.add(name, label, number)
