"""Which checks GitHub requires on the default branch is learnt, and said where people look."""

from __future__ import annotations

import contextlib

import pytest

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.publishing.check_run_writer import check_run_name
from forgeguard_app.flows.upkeep.read_required_checks import read_required_checks
from forgeguard_app.flows.upkeep.reconcile_heads import reconcile_heads
from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.starting import started
from tests.support.stored import get_repo_id, get_required_checks


async def test_the_installation_s_page_says_which_checks_are_not_required(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "write")
    installation = product.github.world.installation_of(repository.id)
    assert installation is not None
    async with product.pool.acquire() as connection:
        repo_id = await get_repo_id(connection, repository.id)
    path = f"/installations/{installation.id}"
    async with Browser(product) as browser:
        for required, phrases, absent in (
            ({}, ("A4 is not", "A9 is not", "W1 is not"), "all of them"),
            ({"ruleset": [check_run_name("A4"), "ci"]}, ("A9 is not", "W1 is not"), "A4 is not"),
            ({"ruleset": [check_run_name("A4")], "protection": [check_run_name("A9")]}, ("W1 is not",), "A9 is not"),
            ({"protection": [check_run_name(code) for code in ("A4", "A9", "W1")]}, ("all of them",), "is not</span>"),
        ):
            repository.required = required
            await read_required_checks(product.context, repo_id)
            await browser.sign_in(user, path)
            browser.home()
            await browser.get(path)
            assert all(phrase in browser.text for phrase in phrases), required
            assert absent not in browser.text


async def test_first_rules_are_proposed_from_the_installation_s_page_where_there_are_none(
    product: Product, tree: WorkTree
) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    tree.commit({"pyproject.toml": "[project]\nname='x'\nversion='1'\n", "a.py": "x = 1\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    for level, is_offered in (("write", True), ("read", False)):
        user = product.github.people.add(f"mona-{level}")
        product.github.people.allow(user, repository, level)
        async with Browser(product) as browser:
            await browser.sign_in(user, f"/installations/{installation.id}")
            assert (f"Propose first rules for {repository.full_name}" in browser.text) == is_offered


@pytest.mark.parametrize("silent", ["/rules/branches/", "/branches", "/pulls"])
async def test_a_head_that_no_event_told_of_is_found_though_github_never_answers_a_side_question(
    product: Product, tree: WorkTree, silent: str
) -> None:
    repository = await started(product, tree)
    await product.idle()
    product.github.world.silent.append(silent)
    delivered, product.github.world.app.webhook_url = product.github.world.app.webhook_url, "http://127.0.0.1:9/"  # type: ignore[union-attr]
    tree.commit({"b.py": "x = 1\n"})
    sha = await product.push(tree, repository)
    await product.github.webhooks.settle()
    product.github.world.app.webhook_url = delivered  # type: ignore[union-attr]
    async with product.pool.acquire() as connection:
        repo_id = await get_repo_id(connection, repository.id)
    with contextlib.suppress(RetryLater):
        await reconcile_heads(product.context, repo_id)
    await product.verdicts(repository, sha)


async def test_required_checks_that_github_does_not_tell_stay_as_they_were(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    repository.required = {"ruleset": ["ci"]}
    async with product.pool.acquire() as connection:
        repo_id = await get_repo_id(connection, repository.id)
    await read_required_checks(product.context, repo_id)
    product.github.world.silent.append("/rules/branches/")
    await read_required_checks(product.context, repo_id)
    async with product.pool.acquire() as connection:
        assert await get_required_checks(connection, repo_id) == ["ci"]
