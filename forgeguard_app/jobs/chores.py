"""Periodic work of a worker beside its jobs; where one of all workers is enough, only one does it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.audits.allow_finding import end_expired_allowances
from forgeguard_app.flows.builds.answer_review import end_unanswered
from forgeguard_app.flows.builds.start_build import requeue_builds
from forgeguard_app.flows.context.try_step import try_step
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.upkeep.compare_log import LogComparison
from forgeguard_app.flows.upkeep.end_left_trials import end_left_trials
from forgeguard_app.flows.upkeep.purge_old import prune_disk, purge_old
from forgeguard_app.flows.upkeep.read_required_checks import read_all_required
from forgeguard_app.flows.upkeep.reconcile_deliveries import reconcile_deliveries
from forgeguard_app.flows.upkeep.reconcile_heads import enqueue_due_heads
from forgeguard_app.flows.upkeep.requeue_stranded import requeue_stranded
from forgeguard_app.flows.upkeep.sync_installations import sync_installations
from forgeguard_app.flows.upkeep.watch_disk import DiskWatch
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.jobs.deadline import DeadlineExceeded, end_by
from forgeguard_app.store.counters import add_counts, claim_turn, drop_turn
from forgeguard_app.store.pool import DATABASE_ERRORS
from forgeguard_app.threads import LEFT

WHOLE_LOG = timedelta(days=3)  # what GitHub keeps
COUNTS_EVERY_S = 5.0
LAST_COUNTS_S = 1.0  # for what was counted last, while the worker stops
AGAIN_S = 15.0
LEAVE_S = 5.0  # for a chore that is ended, until its worker goes on without it
PURGE_EVERY_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Chore:
    """Periodic work of one worker at a time, in a loop of its own, so that it holds up no other however long it takes.

    `name` says what is looked after; after `deadline_s` the work is ended and begun again soon.
    """

    name: str
    deadline_s: float
    do: Callable[[WorkerContext], Coroutine[Any, Any, object]]

    @property
    def lock(self) -> str:
        """Return the name that its worker holds against all others."""
        return f"chore/{self.name}"


def list_chores() -> list[Chore]:
    """Return the chores of one worker."""
    return [
        Chore("stranded", 300.0, requeue_stranded),
        Chore("deliveries", 3_600.0, partial(reconcile_deliveries, comparison=LogComparison(WHOLE_LOG))),
        Chore("heads", 300.0, enqueue_due_heads),
        Chore("allowances", 900.0, lambda context: end_expired_allowances(context.pool)),
        Chore("trials", 300.0, end_left_trials),
        Chore("builds", 300.0, lambda context: requeue_builds(context.pool)),
        Chore("approvals", 900.0, lambda context: end_unanswered(context.pool)),
        Chore("required", 3_600.0, read_all_required),
        Chore("purge", 3_600.0, _purge),
        Chore("sync", 21_600.0, _sync),
    ]


async def run_chore(chore: Chore, context: WorkerContext) -> None:
    """Do the chore at start and every few minutes, by one worker at a time; where it fails, it is tried again soon."""
    while True:
        wait_s = context.timings.reconcile_s
        with contextlib.suppress(*DATABASE_ERRORS):
            async with context.locks.only_one(chore.lock) as held:
                if held and not await try_step(context, chore.name, partial(_do_in_time, chore, context)):
                    wait_s = min(wait_s, AGAIN_S)
        await asyncio.sleep(wait_s)


async def _do_in_time(chore: Chore, context: WorkerContext) -> None:
    async def work() -> None:
        await chore.do(context)

    try:
        await end_by(work(), chore.deadline_s, LEAVE_S)
    except DeadlineExceeded as error:
        raise RetryLater(str(error)) from error


async def _purge(context: WorkerContext) -> None:
    if await _is_due(context, "purge", PURGE_EVERY_S):
        await purge_old(context)


async def _sync(context: WorkerContext) -> None:
    if not await _is_due(context, "sync", context.timings.resync_s):
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
    """Tidy this worker's own disk as soon as its mirrors may have passed their bounds."""
    watch = DiskWatch(context.home, context.mirrors_max_bytes, time.monotonic())
    while True:
        await asyncio.sleep(context.timings.disk_s)
        if not await asyncio.to_thread(watch.is_due, time.monotonic()):
            continue
        with contextlib.suppress(*DATABASE_ERRORS):
            await prune_disk(context)
            await asyncio.to_thread(watch.note_pruned, time.monotonic())


async def write_counts(context: WorkerContext) -> None:
    """Write down what this process counted, at its end too."""
    try:
        while True:
            await asyncio.sleep(min(COUNTS_EVERY_S, context.timings.reconcile_s))
            await _write_new_counts(context)
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_COUNTS_S):
                await _write_new_counts(context)


async def _write_new_counts(context: WorkerContext) -> None:
    for function, number in LEFT.pop_new().items():
        context.counts.add("left_threads", function, number)
    counts = context.counts.pop_all()
    if not counts:
        return
    try:
        async with context.pool.acquire() as connection, connection.transaction():
            await add_counts(connection, counts)
    except DATABASE_ERRORS:
        for (name, label), number in counts.items():
            context.counts.add(name, label, number)
