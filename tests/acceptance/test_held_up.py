"""What one head, delivery or account does keeps no other from its verdict."""

from __future__ import annotations

import pytest

from forgeguard_app.flows.upkeep import reconcile_deliveries as flow
from forgeguard_app.flows.upkeep.compare_log import LogComparison
from forgeguard_app.flows.upkeep.requeue_stranded import AT_ONCE, requeue_stranded
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.deliveries import ask_again
from forgeguard_app.simulator.story import Story
from tests.support.delivery_log import WINDOW, age
from tests.support.events import TOKEN
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.starting import START, started


@pytest.mark.nightly
async def test_the_starting_line_run_again_is_still_the_starting_line(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository(install=False)
    tree.commit({**START, "old.py": f"import yaml\nbad = 1\nT = '{TOKEN}'\n"})
    sha = await product.push(tree, repository)
    product.github.install(repository.owner, [repository])
    await product.verdicts(repository, sha)
    await product.idle()
    Story(product.github).rerun(repository, sha)
    await product.idle()
    runs = await product.verdicts(repository, sha)
    assert len(product.github.world.runs_of(repository.id, sha)) == 6
    assert {run.conclusion for run in runs.values()} == {"success"}
    assert [run.annotations for run in runs.values()] == [[], [], []]
    tree.commit({"new.py": "x = 1\n"})
    after = await product.verdicts(repository, await product.push(tree, repository))
    assert {run.conclusion for run in after.values()} == {"success"}


async def test_a_delivery_that_github_does_not_send_again_holds_up_no_other(
    product: Product, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, _ = await product.repository()
    await product.idle()
    app = product.github.world.app
    assert app is not None
    address, app.webhook_url = app.webhook_url, "http://127.0.0.1:9/nobody"
    tree.commit(START)
    sha = await product.push(tree, repository)
    await product.github.webhooks.settle()
    app.webhook_url = address
    age(product, 60)
    refused: list[int] = []

    async def refusing(access: AppAccess, attempt_id: int) -> None:
        if not refused or attempt_id in refused:
            refused.append(attempt_id)
            raise RequestRejected(422, "this delivery is not sent again")
        await ask_again(access, attempt_id)

    monkeypatch.setattr(flow, "ask_again", refusing)
    for _ in range(2):
        with pytest.raises(RequestRejected):
            await flow.reconcile_deliveries(product.context, LogComparison(WINDOW))
    await product.verdicts(repository, sha)


@pytest.mark.nightly
async def test_runs_of_one_account_that_wait_hide_no_stranded_run_of_another(product: Product, tree: WorkTree) -> None:
    other, _ = await product.repository("busy")
    await started(product, tree)
    await product.idle()
    async with product.without_chores(), product.pool.acquire() as connection:
        await connection.execute(
            """
            INSERT INTO audit_runs (repo_id, commit_sha, branch, status, created_at)
            SELECT r.id, lpad(to_hex(n), 40, '0'), 'main', CASE WHEN n = 0 THEN 'running' ELSE 'pending' END,
                now() - interval '3 hours' + n * interval '1 second'
            FROM repos r, generate_series(0, $2) n WHERE r.github_repo_id = $1
            """,
            other.id,
            AT_ONCE + 10,
        )
        lost = await connection.fetchval(
            """
            UPDATE audit_runs SET status = 'pending', published_at = NULL, created_at = now() - interval '1 hour'
            WHERE id = (SELECT id FROM audit_runs WHERE trigger = 'push' AND published_at IS NOT NULL LIMIT 1)
            RETURNING id
            """
        )
        await requeue_stranded(product.context, 0)
        found = await connection.fetchval(
            "SELECT (SELECT status <> 'pending' FROM audit_runs WHERE id = $1)"
            " OR EXISTS (SELECT 1 FROM procrastinate_jobs"
            " WHERE args->>'run_id' = $1::text)",
            lost,
        )
    assert found
