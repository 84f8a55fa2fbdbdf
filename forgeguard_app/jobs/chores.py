"""What a worker does beside its jobs, every so often; where one of all workers is enough, only one does it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from forgeguard_app.errors import Temporary
from forgeguard_app.flows.context import Context
from forgeguard_app.flows.reconcile_deliveries import reconcile_deliveries
from forgeguard_app.flows.take_up_stranded import take_up_stranded
from forgeguard_app.github.client import Refused
from forgeguard_app.store.counters import add_counts
from forgeguard_app.store.pool import AWAY, only_one

WHOLE_LOG = timedelta(days=3)  # what GitHub keeps
RECENT = timedelta(minutes=30)
COUNTS_EVERY_S = 5.0
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
        except (Temporary, Refused, *AWAY) as error:
            context.counts.add("errors", "Reconcile" + type(error).__name__)
            log.warning("reconcile.failed", reason=str(error)[:200] or type(error).__name__)
        await asyncio.sleep(context.pace.reconcile_s)


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
