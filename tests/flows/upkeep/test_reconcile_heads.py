"""Heads that no event told of are found, and a push to their repository does not wait for all of them."""

from __future__ import annotations

from pathlib import Path

from forgeguard_app.flows.upkeep.reconcile_heads import PULLS_AT_ONCE, reconcile_heads
from tests.support.repositories import WorkTree
from tests.support.running import running
from tests.support.starting import START
from tests.support.stored import get_repo_id, list_open_pulls


async def test_more_pull_requests_than_one_transaction_takes_get_their_runs_once(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        tree.commit(START)
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        number = PULLS_AT_ONCE + 5
        for at in range(number):
            sha = f"{at // 2:040x}"  # two of each head, which a transaction's bound may part
            product.github.world.add_pull(repository, f"topic{at}", sha, "main" if at % 2 else "next", fork=True)
        async with product.pool.acquire() as connection:
            repo_id = await get_repo_id(connection)
        for _ in range(3):
            await reconcile_heads(product.context, repo_id)
        async with product.pool.acquire() as connection:
            runs = await connection.fetchval("SELECT count(*) FROM audit_runs WHERE commit_sha LIKE '0000%'")
            pulls = len(await list_open_pulls(connection))
        assert (runs, pulls) == (number, number), "one for each head and target"
