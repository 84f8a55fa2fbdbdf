"""A commit's verdict follows its targets: default branches that change, runs of former versions, limits, odd names."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from forgeguard_app.audit.model import Report
from forgeguard_app.flows.intake.rerun_audit import rerun_audit
from forgeguard_app.flows.intake.start_run import start_run
from forgeguard_app.flows.intake.wanted_runs import run_of_pull
from forgeguard_app.flows.publishing.publish_verdict import publish_verdict
from forgeguard_app.store.audits import find_run
from forgeguard_app.store.commit_targets import AuditTarget
from forgeguard_app.store.pulls import find_pull, upsert_pull
from tests.support.events import send
from tests.support.pulls import FORK, boundary, tell_pull, with_lax
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.starting import started
from tests.support.stored import get_repo_id, lift_limits
from tests.support.stored_jobs import make_jobs_due
from tests.support.stored_runs import (
    count_begun_runs,
    count_runs,
    count_unpublished_runs,
    get_run_id_of_branch,
    list_evaluated_branches,
)
from tests.support.watching import until


@pytest.mark.nightly
@pytest.mark.parametrize("merged", [False, True])
async def test_a_verdict_that_was_left_to_a_newer_one_is_said_when_that_counts_no_more(
    product: Product, tree: WorkTree, merged: bool
) -> None:
    repository, _, bad, head = await with_lax(product, tree)
    tell_pull(product, repository, 8, ("topic", head), ("lax", bad))
    await product.push(tree, repository, "topic")
    assert await boundary(product, repository, head) == "success"
    await product.pool.execute("""
        INSERT INTO rate_limits (github_installation_id, blocked_until)
        SELECT github_installation_id, now() + interval '1 hour' FROM installations
        ON CONFLICT (github_installation_id) DO UPDATE SET blocked_until = excluded.blocked_until""")
    async with product.pool.acquire() as connection, connection.transaction():
        repo_id = await get_repo_id(connection)
        lax = await find_pull(connection, repo_id, 8)
        assert lax is not None
        main = replace(lax, number=7, base_ref="main")
        await upsert_pull(connection, repo_id, main)
        for pull in (main, lax):
            made = await start_run(connection, run_of_pull(repo_id, pull, AuditTarget(pull.base_ref), None))
            if pull is main:
                await connection.execute(
                    "UPDATE audit_runs SET created_at = created_at - interval '1 microsecond' WHERE id = $1", made
                )
    await product.until(count_begun_runs, 0)
    tell_pull(product, repository, 8, ("topic", head), ("lax", bad), action="closed", merged=merged)
    await product.github.webhooks.settle()
    await lift_limits(product.pool)
    await make_jobs_due(product.pool)
    await product.until(count_unpublished_runs, 0)
    assert await boundary(product, repository, head) == "failure", "it fails for main, the only target left"


@pytest.mark.nightly
async def test_an_older_verdict_of_a_closed_pull_request_comes_after_no_newer_one(
    product: Product, tree: WorkTree
) -> None:
    repository, start, _, head = await with_lax(product, tree)
    await product.push(tree, repository, "", "HEAD:refs/pull/7/head")
    tell_pull(product, repository, 7, ("x", head), ("main", start), repo=FORK)
    assert await boundary(product, repository, head) == "failure"
    tell_pull(product, repository, 7, ("x", head), ("main", start), repo=FORK, action="closed")
    await product.idle()
    async with product.pool.acquire() as connection:
        former = await find_run(connection, await connection.fetchval("SELECT id FROM audit_runs WHERE fork"))
        assert former is not None
        newer = await rerun_audit(product.pool, former, 1)
        await product.until(count_unpublished_runs, 0)
        # As if the older one had come to its verdict after the newer one.
        await connection.execute("UPDATE audit_runs SET published_at = NULL WHERE id = $1", former.id)
        await connection.execute("DELETE FROM check_runs WHERE audit_run_id = $1", former.id)
    await publish_verdict(product.context, former.id)
    assert {run.external_id for run in product.github.world.latest_runs(repository.id, head)} == {str(newer)}


@pytest.mark.nightly
async def test_a_re_run_evaluates_a_pushed_head_for_each_target(product: Product, tree: WorkTree) -> None:
    repository, start, bad, head = await with_lax(product, tree)
    await product.push(tree, repository, "topic")
    await product.idle()
    tell_pull(product, repository, 7, ("topic", head), ("lax", bad))
    await product.idle()
    tell_pull(product, repository, 8, ("topic", head), ("main", start))
    assert await boundary(product, repository, head) == "failure"
    async with product.pool.acquire() as connection:
        former = await find_run(connection, await get_run_id_of_branch(connection, "topic"))
    assert former is not None
    await rerun_audit(product.pool, former, 1)
    assert await boundary(product, repository, head) == "failure"
    assert await list_evaluated_branches(product.pool, trigger="rerun") == ["lax", "main"]
    assert len(product.github.world.latest_runs(repository.id, head)) == 3


@pytest.mark.nightly
async def test_a_verdict_of_a_former_version_is_none_for_another_target(product: Product, tree: WorkTree) -> None:
    """Such a run does not say for which branch it was evaluated."""
    repository, start, bad, head = await with_lax(product, tree)
    tell_pull(product, repository, 7, ("topic", head), ("lax", bad), action="synchronize")
    await product.push(tree, repository, "topic")
    assert await boundary(product, repository, head) == "success"
    await product.pool.execute("UPDATE audit_runs SET evaluated_target = NULL")
    tell_pull(product, repository, 8, ("topic", head), ("main", start))
    assert await boundary(product, repository, head) == "failure"


@pytest.mark.nightly
async def test_the_former_default_branch_s_own_verdict_is_none_for_the_new_one(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    other = await product.push(tree, repository, "next")
    head = tree.commit({"c.py": "x = 1\n"})
    await product.push(tree, repository)
    assert await boundary(product, repository, head) == "success"
    repository.default_branch = "next"
    send(product, repository, "repository", action="edited", changes={"default_branch": {"from": "main"}})
    await product.idle()
    tell_pull(product, repository, 7, ("main", head), ("next", other))
    assert await boundary(product, repository, head) == "success"
    assert await list_evaluated_branches(product.pool, head) == ["", "next"]


@pytest.mark.nightly
async def test_a_branch_that_is_named_like_a_merge_group_gets_one_audit(product: Product, tree: WorkTree) -> None:
    repository, start, bad, head = await with_lax(product, tree)
    name = f"gh-readonly-queue/main/pr-1-{start}"
    await product.push(tree, repository, name)
    tell_pull(product, repository, 7, (name, head), ("lax", bad))
    assert await boundary(product, repository, head) == "success"
    assert await count_runs(product.pool, head) == 1


@pytest.mark.nightly
async def test_a_head_that_passed_for_another_branch_is_in_progress_while_it_is_evaluated_for_this_one(
    product: Product, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, start, bad, head = await with_lax(product, tree)
    tell_pull(product, repository, 7, ("topic", head), ("lax", bad))
    await product.push(tree, repository, "topic")
    assert await boundary(product, repository, head) == "success"
    evaluate, go = product.context.evaluator.evaluate, asyncio.Event()

    async def wait_and_evaluate(*values: Any) -> Report:
        await go.wait()
        return await evaluate(*values)

    monkeypatch.setattr(product.context.evaluator, "evaluate", wait_and_evaluate)
    tell_pull(product, repository, 7, ("topic", head), ("main", start), action="edited", changes={"base": {}})
    world = product.github.world
    await until(
        lambda: {run.status for run in world.latest_runs(repository.id, head)} == {"in_progress"},
        lambda: "the verdict for the other branch stands",
    )
    go.set()
    assert await boundary(product, repository, head) == "failure"
