"""What a worker looks after beside its jobs: each chore in its own time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from forgeguard_app.flows.context.worker_context import Timings
from forgeguard_app.jobs.chores import Chore, run_chore
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.store.locks import Locks
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.starting import START
from tests.support.stored_jobs import is_compared
from tests.support.stored_runs import has_run

STOP_S = 20.0


@contextlib.asynccontextmanager
async def comparing(product: Product) -> AsyncIterator[asyncio.Event]:
    """Let a worker compare installations that somebody holds locked, and give what stops it."""
    context = replace(product.context, timings=Timings(reconcile_s=0.1, patience_s=0.0))
    stop = asyncio.Event()
    async with product.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM installations FOR UPDATE")
        worker = asyncio.create_task(run_worker(product.dsn, context, stop))
        try:
            await product.until(is_compared, True)
            yield stop
        finally:
            stop.set()
            done, _ = await asyncio.wait({worker}, timeout=STOP_S)
    assert done, "the worker waits for the comparison"


async def test_lost_deliveries_are_found_while_installations_are_compared(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "product", worker=False) as product:
        for name in ("slow", "slower"):
            await product.repository(name)
        async with comparing(product):
            repository, _ = await product.repository()
            app = product.github.world.app
            assert app is not None
            address, app.webhook_url = app.webhook_url, "http://127.0.0.1:9/nobody"
            tree.commit(START)
            sha = await product.push(tree, repository)
            await product.github.webhooks.settle()
            app.webhook_url = address
            await product.until(partial(has_run, commit_sha=sha), True)


async def test_a_chore_that_does_not_end_is_left_to_others_after_its_deadline(dsn: str, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def wait_for_ever(_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    chore = Chore("endless", 0.01, wait_for_ever)
    async with running(dsn, tmp_path / "product", worker=False) as product:
        task = asyncio.create_task(run_chore(chore, product.context))
        others = Locks(product.pool)
        try:
            await begun.wait()
            held = False
            while not held:
                async with others.only_one(chore.lock) as held:
                    pass
        finally:
            task.cancel()
            await others.close()
        assert product.context.counts.pop_all()["errors", "ChoreRetryLater"] == 1
