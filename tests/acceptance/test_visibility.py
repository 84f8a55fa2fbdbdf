"""A private repository is shown to strangers only once GitHub itself said that it is public."""

from __future__ import annotations

from typing import Any

import pytest

from forgeguard_app.flows.ask_if_public import ask_if_public
from forgeguard_app.flows.sync_installations import sync_installations
from forgeguard_app.simulator.state import Installation, Repository
from forgeguard_app.store.repos import believe, find_repo_named, get_database_time, set_private, set_public
from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product


def tell(product: Product, repository: Repository, installation: Installation, action: str, *, private: bool) -> None:
    """A delivery that was made when the repository was private, or public."""
    github, now = product.github, repository.private
    repository.private = private
    described = github.shapes.repository(repository)
    repository.private = now
    body: dict[str, Any] = {"action": action, "repository": described, "installation": {"id": installation.id}}
    github.webhooks.send("repository", body | {"sender": github.shapes.account(repository.owner)})


async def test_a_delivery_of_the_public_time_that_comes_late_shows_nothing(product: Product, tree: WorkTree) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    tree.commit({"a.py": "x = 1\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    path = f"/repos/{repository.full_name}"
    async with Browser(product) as nobody:
        assert await nobody.get(path) == 200
        repository.private = True
        tell(product, repository, installation, "privatized", private=True)
        await product.idle()
        assert await nobody.get(path) == 404
        for action in ("edited", "publicized"):
            tell(product, repository, installation, action, private=False)
            await product.idle()
            async with product.pool.acquire() as connection:
                assert await connection.fetchval("SELECT private FROM repos"), action
            assert await nobody.get(path) == 404
        repository.private = False
        tell(product, repository, installation, "publicized", private=False)
        await product.idle()
        assert await nobody.get(path) == 200


@pytest.mark.parametrize("later", [False, True])
async def test_an_answer_of_github_s_counts_unless_something_was_learned_after_the_question(
    product: Product, later: bool
) -> None:
    repository, _ = await product.repository(private=True)
    async with product.pool.acquire() as connection:
        repo = await find_repo_named(connection, repository.full_name)
        assert repo is not None
        asked_at = await get_database_time(connection)
        if later:
            await set_private(connection, repo.id)
        async with connection.transaction():
            await believe(connection, asked_at)
            await set_public(connection, repo.id)
        assert await connection.fetchval("SELECT private FROM repos") is later
        await set_private(connection, repo.id)
        await set_public(connection, repo.id)
        assert await connection.fetchval("SELECT private FROM repos"), "the answer counts in its transaction alone"


async def test_a_repository_that_became_public_unheard_of_is_public_after_the_next_listing(product: Product) -> None:
    repository, _ = await product.repository(private=True)
    repository.private = False
    await sync_installations(product.context)
    async with product.pool.acquire() as connection:
        repo = await find_repo_named(connection, repository.full_name)
        assert repo is not None
        assert not repo.private
        await set_private(connection, repo.id)
    repository.private = True
    await ask_if_public(product.context, repo.id)
    async with product.pool.acquire() as connection:
        assert await connection.fetchval("SELECT private FROM repos")
