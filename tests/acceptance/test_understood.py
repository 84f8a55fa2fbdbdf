"""The configuration that a repository's page shows is that of the default branch's newest evaluated head."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

from forgeguard_app.flows.context.worker_context import Timings
from forgeguard_app.flows.intake.rerun_audit import rerun_audit
from forgeguard_app.flows.upkeep.compare_log import LogComparison
from forgeguard_app.flows.upkeep.reconcile_deliveries import reconcile_deliveries
from forgeguard_app.store.audits import find_newest_run
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.stored import get_repo_id
from tests.support.stored_runs import get_status_of_run

SETTINGS = ".github/forgeguard.yml"


async def understood(product: Product) -> str:
    async with product.pool.acquire() as connection:
        found: str = await connection.fetchval("SELECT configuration_sha FROM repos")
    return found


async def test_an_older_head_that_is_evaluated_last_does_not_replace_what_the_newest_one_says(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository()
    tree.commit({"a.py": "x = 1\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    app = product.github.world.app
    assert app is not None
    address, app.webhook_url = app.webhook_url, "http://127.0.0.1:9/"
    tree.commit({SETTINGS: "gate: all\n"})
    older = await product.push(tree, repository)
    await product.github.webhooks.settle()
    app.webhook_url = address
    tree.commit({SETTINGS: "gate: changed\n"})
    newest = await product.push(tree, repository)
    await product.verdicts(repository, newest)
    assert await understood(product) == newest
    impatient = replace(product.context, timings=Timings(patience_s=0.0))
    await reconcile_deliveries(impatient, LogComparison(timedelta(minutes=5)))
    await product.verdicts(repository, older)
    assert await understood(product) == newest


async def test_a_re_run_of_an_older_head_changes_nothing_and_one_of_the_newest_is_heeded(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository()
    tree.commit({SETTINGS: "gate: all\n"})
    older = await product.push(tree, repository)
    await product.verdicts(repository, older)
    tree.commit({SETTINGS: "gate: changed\n"})
    newest = await product.push(tree, repository)
    await product.verdicts(repository, newest)
    for sha in (older, newest):
        async with product.pool.acquire() as connection:
            repo_id = await get_repo_id(connection)
            run = await find_newest_run(connection, repo_id, sha)
            await connection.execute("UPDATE repos SET configuration_sha = 'none'")
        assert run is not None
        again = await rerun_audit(product.pool, run, 1)
        await product.until(partial(get_status_of_run, run_id=again), "completed")
        assert await understood(product) == ("none" if sha == older else newest)
