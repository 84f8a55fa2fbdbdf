"""Runs that were under way when a worker died are tried one at a time; others wait for none of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.store.audits import find_run
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.starting import START
from tests.support.stored_jobs import is_retried
from tests.support.stored_runs import count_completed_runs, get_run_id


@contextlib.asynccontextmanager
async def pushed_before(dsn: str, tmp_path: Path, tree: WorkTree, column: str) -> AsyncIterator[tuple[Product, str]]:
    """A push whose run met a death, or an interruption, before the worker starts."""
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        tree.commit(START)
        sha = await product.push(tree, repository)
        await product.github.webhooks.settle()
        async with product.pool.acquire() as connection:
            await connection.execute("DELETE FROM procrastinate_jobs WHERE task_name <> 'audit_commit'")
            await connection.execute(f"UPDATE audit_runs SET {column} = 1")
        stop = asyncio.Event()
        async with product.context.suspect:
            worker = asyncio.create_task(run_worker(dsn, product.context, stop))
            yield product, sha
        await product.until(count_completed_runs, 1)
        stop.set()
        await worker


async def test_an_interrupted_run_waits_for_no_run_that_may_have_killed_a_worker(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with pushed_before(dsn, tmp_path, tree, "interruptions") as (product, _):
        await product.until(count_completed_runs, 1)


async def test_a_run_whose_worker_died_waits_for_another_such_run_of_its_worker(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with pushed_before(dsn, tmp_path, tree, "deaths") as (product, sha):
        await product.until(is_retried, True)
        async with product.pool.acquire() as connection:
            run = await find_run(connection, await get_run_id(connection))
        assert run is not None and (run.commit_sha, run.completed_at) == (sha, None)
