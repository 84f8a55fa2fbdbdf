"""A repository is shown to strangers, or guarded again, only once GitHub itself said so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from forgeguard_app.flows.intake.ask_about_repo import ask_about_repo
from forgeguard_app.flows.upkeep.sync_installations import sync_installations
from forgeguard_app.simulator.state import Installation, Repository
from forgeguard_app.simulator.story import Story
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.repos import (
    RepoFacts,
    believe,
    find_repo_named,
    get_database_time,
    set_private,
    set_removed,
    upsert_repo,
)
from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.stored import is_private, list_public_repos


def tell(product: Product, repository: Repository, installation: Installation, action: str, **then: Any) -> None:
    """A delivery that was made when the repository was as `then` says."""
    described = product.github.shapes.repository(repository) | then
    body: dict[str, Any] = {"action": action, "repository": described, "installation": {"id": installation.id}}
    product.github.webhooks.send("repository", body | {"sender": product.github.shapes.account(repository.owner)})


async def stored(product: Product, column: str) -> Any:
    async with product.pool.acquire() as connection:
        return await connection.fetchval(f"SELECT {column} FROM repos")


async def test_a_delivery_of_the_public_time_that_comes_late_shows_nothing(product: Product, tree: WorkTree) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    story = Story(product.github)
    tree.commit({"a.py": "x = 1\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    path = f"/repos/{repository.full_name}"
    async with Browser(product) as nobody:
        assert await nobody.get(path) == 200
        story.set_private(repository, private=True)
        await product.idle()
        assert await nobody.get(path) == 404
        for action in ("edited", "publicized"):
            tell(product, repository, installation, action, private=False)
            await product.idle()
            assert await stored(product, "private"), action
            assert await nobody.get(path) == 404
        story.set_private(repository, private=False)
        await product.idle()
        assert await nobody.get(path) == 200


async def test_a_repository_never_heard_of_is_private_until_github_was_asked(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository()
        assert installation is not None
        async with product.pool.acquire() as connection:
            await connection.execute("DELETE FROM repos")
        tree.commit({"a.py": "x = 1\n"})
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        assert await stored(product, "private")
        await ask_about_repo(product.context, await stored(product, "id"))
        assert not await stored(product, "private")


async def test_many_repositories_at_once_cost_one_list_and_not_a_question_each(product: Product) -> None:
    owner = product.github.world.add_account("many")
    repositories = [await product.github.create_repository(owner, f"r{n}", private=n == 0) for n in range(8)]
    installation = product.github.install(owner, repositories)
    await product.idle()
    async with product.pool.acquire() as connection:
        assert await list_public_repos(connection) == {repository.id for repository in repositories[1:]}
    asked = [path for _, path in product.github.world.requests]
    assert 1 <= asked.count("/api/v3/installation/repositories") <= 2
    assert installation.id in product.github.world.installations
    assert not [path for path in asked if path.endswith("/many/r3")]


async def learn_of_privacy(connection: Connection, repo_id: Any, how: str, repository: Repository) -> None:
    if how == "asked":
        await set_private(connection, repo_id)
    if how == "payload":  # for a repository that is private already
        await upsert_repo(connection, RepoFacts(repository.id, repository.full_name, private=True), None)


@pytest.mark.parametrize("how", ["", "asked", "payload"])
async def test_an_answer_of_github_s_counts_unless_something_was_learned_after_the_question(
    product: Product, how: str
) -> None:
    repository, _ = await product.repository(private=True)
    public = RepoFacts(repository.id, repository.full_name, private=False)
    async with product.pool.acquire() as connection:
        repo = await find_repo_named(connection, repository.full_name)
        assert repo is not None
        asked_at = await get_database_time(connection)
        await learn_of_privacy(connection, repo.id, how, repository)
        async with connection.transaction():
            await believe(connection, asked_at)
            await upsert_repo(connection, public, None)
        assert await is_private(connection) is bool(how)
        await set_private(connection, repo.id)
        await upsert_repo(connection, public, None)
        assert await is_private(connection), "the answer counts in its transaction alone"


async def test_a_push_that_says_private_outlasts_an_answer_under_way(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository(private=True)
    async with product.pool.acquire() as connection:
        asked_at = await get_database_time(connection)
    tree.commit({"a.py": "x = 1\n"})
    await product.push(tree, repository)
    await product.idle()
    async with product.pool.acquire() as connection, connection.transaction():
        await believe(connection, asked_at)
        await upsert_repo(connection, RepoFacts(repository.id, repository.full_name, private=False), None)
    assert await stored(product, "private")


async def test_a_repository_that_became_public_unheard_of_is_public_after_the_next_listing(product: Product) -> None:
    repository, _ = await product.repository(private=True)
    repository.private = False
    await sync_installations(product.context)
    assert not await stored(product, "private")
    async with product.pool.acquire() as connection:
        await set_private(connection, await stored(product, "id"))
    repository.private = True
    await ask_about_repo(product.context, await stored(product, "id"))
    assert await stored(product, "private")


async def test_a_late_delivery_never_brings_a_removed_repository_back(product: Product) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    story = Story(product.github)
    story.remove(repository, installation)
    await product.idle()
    tell(product, repository, installation, "edited")
    await product.idle()
    assert await stored(product, "removed_at IS NOT NULL")
    assert not await stored(product, "webhook_active")


async def test_a_repository_that_was_added_again_is_guarded_whatever_comes_late(
    product: Product, tree: WorkTree
) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    story = Story(product.github)
    story.remove(repository, installation)
    await product.idle()
    story.add(repository, installation)
    await product.idle()
    assert await stored(product, "removed_at IS NULL AND webhook_active")
    story.remove(repository, installation)
    installation.repository_ids.add(repository.id)  # the removal is an old one
    await product.idle()
    assert await stored(product, "removed_at IS NULL")
    async with product.pool.acquire() as connection:  # its removal is not told, and neither is its return
        await set_removed(connection, [repository.id])
    tree.commit({"a.py": "bad\n"})
    assert (await product.verdicts(repository, await product.push(tree, repository)))["A4"].conclusion == "success"
    await product.idle()
    assert await stored(product, "removed_at IS NULL")


async def test_an_older_payload_changes_neither_name_nor_default_branch_nor_installation(product: Product) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    former = {"name": "shop", "full_name": repository.full_name, "updated_at": "2020-01-01T00:00:00Z"}
    Story(product.github).rename(repository, "store")
    await product.idle()
    other = product.github.install(product.github.world.add_account("before"), [])
    await product.idle()
    held = await stored(product, "installation_id")
    tell(product, repository, other, "edited", **former, default_branch="old")
    await product.github.webhooks.settle()
    assert await stored(product, "full_name") == repository.full_name
    assert await stored(product, "default_branch") == "main"
    assert await stored(product, "installation_id") == held
    tell(product, repository, installation, "edited", default_branch="trunk", updated_at=_in_an_hour())
    await product.github.webhooks.settle()
    assert await stored(product, "default_branch") == "trunk"


def _in_an_hour() -> str:
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() + 3_600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
