"""A commit passes only where it passes for every branch that it aims at."""

from __future__ import annotations

import asyncio

import pytest

from forgeguard_app.flows.intake.rerun_audit import rerun_audit
from forgeguard_app.store import commit_targets
from forgeguard_app.store.audits import find_run
from forgeguard_app.store.shown_state import newest_run_of
from tests.support.pulls import FORK, LAX, boundary, tell_pull, with_lax
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.starting import START, started
from tests.support.stored_runs import count_reruns, count_runs, get_run_id_of_branch, list_evaluated_branches


@pytest.mark.nightly
async def test_a_pull_request_of_the_default_branch_changes_nothing_of_it(product: Product, tree: WorkTree) -> None:
    repository, _, bad, head = await with_lax(product, tree)
    await product.push(tree, repository)
    assert await boundary(product, repository, head) == "failure"
    tell_pull(product, repository, 7, ("main", head), ("lax", bad))
    assert await boundary(product, repository, head) == "failure", "it adds nothing to that branch, but is main's head"
    newest = newest_run_of("r.id", "r.default_branch")
    assert (
        await product.pool.fetchval(f"SELECT overall_result FROM audit_runs WHERE id = (SELECT {newest} FROM repos r)")
        == "FAIL"
    )
    later = tree.commit({"d.py": "y = 1\n"})
    await product.push(tree, repository)
    assert await boundary(product, repository, later) == "failure", "b.py is not repaired"


async def test_a_second_pull_request_does_not_whiten_the_first(product: Product, tree: WorkTree) -> None:
    repository, start, bad, head = await with_lax(product, tree)
    await product.push(tree, repository, "topic")
    tell_pull(product, repository, 7, ("topic", head), ("main", start))
    assert await boundary(product, repository, head) == "failure"
    tell_pull(product, repository, 8, ("topic", head), ("lax", bad))
    assert await boundary(product, repository, head) == "failure"
    shown = (await product.verdicts(repository, head))["A4"].output["summary"]
    assert "`main` [failed](" in shown
    assert "`lax` [passed](" in shown
    async with product.session.get(f"{product.address}/badges/{repository.full_name}/pulls/8.json") as answer:
        assert (await answer.json())["message"] == "passing"
    async with product.session.get(f"{product.address}/badges/{repository.full_name}/pulls/7.json") as answer:
        assert (await answer.json())["message"] == "failing"


@pytest.mark.nightly
async def test_the_stricter_pull_request_counts_though_it_is_the_second(product: Product, tree: WorkTree) -> None:
    repository, start, bad, head = await with_lax(product, tree)
    tell_pull(product, repository, 7, ("topic", head), ("lax", bad))
    await product.push(tree, repository, "topic")
    assert await boundary(product, repository, head) == "success"
    tell_pull(product, repository, 8, ("topic", head), ("main", start))
    assert await boundary(product, repository, head) == "failure"


@pytest.mark.nightly
async def test_both_pull_requests_count_for_the_next_push_too(product: Product, tree: WorkTree) -> None:
    repository, start, bad, head = await with_lax(product, tree)
    await product.push(tree, repository, "topic")
    tell_pull(product, repository, 7, ("topic", head), ("lax", bad))
    tell_pull(product, repository, 8, ("topic", head), ("main", start))
    assert await boundary(product, repository, head) == "failure"
    later = tree.commit({"d.py": "y = 1\n"})
    await product.push(tree, repository, "topic")
    for number, base in ((7, ("lax", bad)), (8, ("main", start))):
        tell_pull(product, repository, number, ("topic", later), base, action="synchronize")
    assert await boundary(product, repository, later) == "failure"


@pytest.mark.nightly
async def test_a_stranger_s_second_pull_request_does_not_whiten_the_first(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    start = tree.git("rev-parse", "HEAD")
    tree.git("switch", "--quiet", "--orphan", "gh-pages")
    pages = tree.commit({"index.html": "x"})
    await product.push(tree, repository, "gh-pages")
    tree.git("switch", "--quiet", "main")
    head = tree.commit({"b.py": "bad"})
    for number in (7, 8):
        url = product.github.clone_url(repository)
        await asyncio.to_thread(tree.git, "push", "--quiet", url, f"HEAD:refs/pull/{number}/head")
    tell_pull(product, repository, 7, ("main", head), ("main", start), repo=FORK)
    assert await boundary(product, repository, head) == "failure"
    tell_pull(product, repository, 8, ("main", head), ("gh-pages", pages), repo=FORK)
    assert await boundary(product, repository, head) == "failure"


@pytest.mark.nightly
async def test_a_red_head_of_the_default_branch_pushed_to_another_branch_stays_red(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    head = tree.commit({"b.py": "bad"})
    await product.push(tree, repository)
    assert await boundary(product, repository, head) == "failure"
    await product.push(tree, repository, "copy")
    assert await boundary(product, repository, head) == "failure"
    again = await get_run_id_of_branch(product.pool, "copy")
    async with product.pool.acquire() as connection:
        former = await find_run(connection, again)
    assert former is not None
    await rerun_audit(product.pool, former, 1)
    assert await boundary(product, repository, head) == "failure", "it is evaluated again for main too"
    assert await count_reruns(product.pool) == 2


@pytest.mark.nightly
@pytest.mark.parametrize("way", ["closed", "retargeted", "moved"])
async def test_a_commit_is_green_again_once_what_failed_counts_no_more(
    product: Product, tree: WorkTree, way: str
) -> None:
    repository, start, bad, head = await with_lax(product, tree)
    await product.push(tree, repository, "topic")
    tell_pull(product, repository, 7, ("topic", head), ("lax", bad))
    assert await boundary(product, repository, head) == "success"
    url = product.github.clone_url(repository)
    await asyncio.to_thread(tree.git, "push", "--quiet", url, "HEAD:refs/pull/8/head")
    tell_pull(product, repository, 8, ("x", head), ("main", start), repo=FORK)
    assert await boundary(product, repository, head) == "failure"
    if way == "closed":
        tell_pull(product, repository, 8, ("x", head), ("main", start), repo=FORK, action="closed")
    elif way == "retargeted":
        changes = {"base": {"ref": {"from": "main"}}}
        tell_pull(product, repository, 8, ("x", head), ("lax", bad), repo=FORK, action="edited", changes=changes)
    else:
        later = tree.commit({"d.py": "y = 1\n"})
        await asyncio.to_thread(tree.git, "push", "--quiet", url, "HEAD:refs/pull/8/head")
        tell_pull(product, repository, 8, ("x", later), ("main", start), repo=FORK, action="synchronize")
    assert await boundary(product, repository, head) == "success"
    if way == "closed":
        tell_pull(product, repository, 8, ("x", head), ("main", start), repo=FORK, action="reopened")
        assert await boundary(product, repository, head) == "failure", "it is open again"


@pytest.mark.nightly
async def test_nothing_is_green_while_a_target_has_no_verdict(product: Product, tree: WorkTree) -> None:
    repository, start, bad, head = await with_lax(product, tree)
    for number, base in ((7, ("lax", bad)), (8, ("main", start))):
        tell_pull(product, repository, number, ("topic", head), base, action="synchronize")
    await product.idle()
    await product.push(tree, repository, "topic")  # evaluated for the older one first, which it passes
    assert await boundary(product, repository, head) == "failure"
    shown = [run for run in product.github.world.runs_of(repository.id, head) if run.name.startswith("ForgeGuard / A4")]
    assert {run.conclusion for run in shown} == {"failure"}
    assert await count_runs(product.pool, head) == 2


@pytest.mark.nightly
async def test_a_commit_with_too_many_targets_does_not_pass(
    product: Product, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit_targets, "MAX_TARGETS", 2)
    repository = await started(product, tree)
    start = tree.git("rev-parse", "HEAD")
    for name in ("one", "two"):
        await product.push(tree, repository, name)
    head = tree.commit({"c.py": "x = 1\n"})
    await product.push(tree, repository, "topic")
    for number, name in ((7, "one"), (8, "two")):
        tell_pull(product, repository, number, ("topic", head), (name, start))
        await product.idle()
    assert await boundary(product, repository, head) == "success"
    tell_pull(product, repository, 9, ("topic", head), ("main", start))
    assert await boundary(product, repository, head) == "action_required"
    shown = (await product.verdicts(repository, head))["A4"].output
    assert shown["title"] == "Not evaluated for every target"
    assert "Close some of them" in shown["summary"]
    tell_pull(product, repository, 8, ("topic", head), ("two", start), action="closed")
    assert await boundary(product, repository, head) == "success", "there is room for main now"
    assert set(await list_evaluated_branches(product.pool, head)) == {"one", "two", "main"}


async def test_a_copy_of_main_known_by_a_stranger_s_pull_request_is_no_baseline(
    product: Product, tree: WorkTree
) -> None:
    """A stranger's pull request with main's head must not stand for main's own audit."""
    repository = await started(product, tree, START)
    start = tree.git("rev-parse", "HEAD")
    tree.git("switch", "--quiet", "--create", "lax")
    lax = tree.commit(LAX)
    await product.push(tree, repository, "lax")
    url = product.github.clone_url(repository)
    await asyncio.to_thread(tree.git, "push", "--quiet", url, f"{start}:refs/pull/9/head")
    tell_pull(product, repository, 9, ("main", start), ("lax", lax), repo=FORK)
    await product.idle()
    tree.git("switch", "--quiet", "main")
    later = tree.commit({"b.py": "bad"})
    await product.push(tree, repository)
    assert await boundary(product, repository, later) == "failure"
