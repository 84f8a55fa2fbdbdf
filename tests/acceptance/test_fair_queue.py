"""One installation's work keeps nobody else's waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from forgeguard_app.flows.intake.rerun_audit import rerun_audit
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.store.audits import find_newest_run
from forgeguard_app.store.queue import enqueue, take_next_job
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.stored import get_repo_id
from tests.support.stored_jobs import drop_jobs

MANY = 12


async def order(product: Product) -> list[int]:
    """GitHub's ids of the repositories whose heads were evaluated, in the order of their ends; baselines left out."""
    async with product.pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT r.github_repo_id FROM audit_runs a JOIN repos r ON r.id = a.repo_id"
            " WHERE a.trigger <> 'installation' AND a.completed_at IS NOT NULL ORDER BY a.completed_at"
        )
    return [row["github_repo_id"] for row in rows]


async def work_off(product: Product) -> None:
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(product.dsn, product.context, stop))
    await product.idle()
    stop.set()
    await worker


@pytest.mark.nightly
async def test_a_push_is_not_kept_waiting_by_those_of_another_installation(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        busy, _ = await product.repository("busy")
        other, _ = await product.repository("other")
        tree.commit({"a.py": "x = 1\n"})
        for repository in (busy, other):
            await product.push(tree, repository)
        await product.github.webhooks.settle()
        await work_off(product)
        for number in range(MANY):
            tree.commit({f"m{number}.py": "x = 1\n"})
            await product.push(tree, busy, f"topic{number}")
        await product.push(tree, other, "topic")
        await product.github.webhooks.settle()
        await work_off(product)
        ended = await order(product)
        assert len(ended) == 2 + MANY + 1, "and nothing is lost"
        assert ended[2:].index(other.id) < MANY // 2


async def test_a_re_run_ranks_as_the_push_of_its_branch(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        for branch in ("main", "topic"):
            sha = tree.commit({f"{branch}.py": "x = 1\n"})
            await product.push(tree, repository, branch)
            await product.github.webhooks.settle()
            async with product.pool.acquire() as connection:
                repo_id = await get_repo_id(connection)
                former = await find_newest_run(connection, repo_id, sha)
                assert former is not None
                await connection.execute("UPDATE audit_runs SET created_at = now() - interval '1 minute'")
            await rerun_audit(product.pool, former, 1)
        async with product.pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT a.branch, a.trigger, j.priority FROM procrastinate_jobs j"
                " JOIN audit_runs a ON a.id::text = j.args->>'run_id' ORDER BY j.id"
            )
        ranks = [(row["branch"], row["trigger"], row["priority"]) for row in rows]
        assert ranks == [("main", "push", 10), ("main", "rerun", 10), ("topic", "push", 0), ("topic", "rerun", 0)]


async def test_turns_go_round_and_leave_half_of_a_worker_to_others(dsn: str, tmp_path: Path) -> None:
    async with (
        running(dsn, tmp_path / "p", worker=False) as product,
        product.pool.acquire() as connection,
        connection.transaction(),
    ):
        await drop_jobs(connection)
        worker = await connection.fetchval("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        for number, rank in ((1, 15), (1, 15), (1, 15), (1, 15), (2, 0), (3, 0)):
            await enqueue(connection, "waits", {"github_installation_id": str(number)}, priority=rank)
        taken = []
        for _ in range(6):
            job = await take_next_job(connection, worker, 2)
            assert job is not None
            taken.append(job["queue_name"])
        assert await take_next_job(connection, worker, 2) is None
        assert sorted(taken[:4]) == ["forgeguard/1", "forgeguard/1", "forgeguard/2", "forgeguard/3"], "half at most"
        assert taken[4:] == ["forgeguard/1", "forgeguard/1"], "and all of it where nobody else waits"
