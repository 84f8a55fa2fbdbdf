"""A list of GitHub's removes only what nothing speaks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.upkeep.doctor import examine_database
from forgeguard_app.flows.upkeep.reconcile_heads import reconcile_heads
from forgeguard_app.flows.upkeep.sync_installations import ListBounds, sync_installations
from forgeguard_app.simulator.faults import Faults
from forgeguard_app.simulator.state import Installation
from forgeguard_app.simulator.story import Story
from forgeguard_app.store.counters import add_counts
from forgeguard_app.store.installations import InstallationState, set_installation_state
from forgeguard_app.store.repos import believe, get_database_time
from forgeguard_app.store.states import InstallationStatus
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.stored import get_repo_id


async def states(product: Product) -> dict[int, str]:
    async with product.pool.acquire() as connection:
        rows = await connection.fetch("SELECT github_installation_id, status FROM installations")
    return {row["github_installation_id"]: row["status"] for row in rows}


async def guarded(product: Product) -> set[int]:
    async with product.pool.acquire() as connection:
        rows = await connection.fetch("SELECT github_repo_id FROM repos WHERE removed_at IS NULL")
    return {row["github_repo_id"] for row in rows}


async def installed(product: Product) -> tuple[Any, Installation]:
    repository, installation = await product.repository()
    assert installation is not None
    return repository, installation


class Unlisted:
    """GitHub leaves some installations and repositories out of its lists, and has them all the same."""

    def __init__(self, product: Product, *ids: int) -> None:
        self.world, self.ids = product.github.world, set(ids)

    def __enter__(self) -> None:
        self.world.unlisted |= self.ids

    def __exit__(self, *_: object) -> None:
        self.world.unlisted -= self.ids


async def test_what_only_the_lists_leave_out_stays(product: Product) -> None:
    repository, installation = await installed(product)
    other, _ = await installed(product)
    with Unlisted(product, installation.id, other.id):
        for _ in range(3):
            await sync_installations(product.context)
        assert set((await states(product)).values()) == {"active"}
        assert await guarded(product) == {repository.id, other.id}


async def test_what_is_gone_is_removed_by_the_second_list(product: Product) -> None:
    _, installation = await installed(product)
    other, theirs = await installed(product)
    product.github.world.installations.pop(installation.id)
    theirs.repository_ids.clear()
    await sync_installations(product.context)
    assert set((await states(product)).values()) == {"active"}
    assert other.id in await guarded(product)
    async with product.pool.acquire() as connection:
        due = "SELECT updated_at < now() - interval '50 minutes' FROM counters WHERE label = 'sync'"
        assert await connection.fetchval(due), "the second list is asked for soon"
    await sync_installations(product.context)
    assert (await states(product))[installation.id] == "deleted"
    assert await guarded(product) == set()


async def test_what_the_lists_never_hold_is_not_looked_for_more_often_than_all_else(product: Product) -> None:
    repository, installation = await installed(product)
    other, _ = await installed(product)
    with Unlisted(product, installation.id, other.id):
        for _ in range(2):
            async with product.pool.acquire() as connection:
                await connection.execute("UPDATE counters SET updated_at = now() WHERE label = 'sync'")
            await sync_installations(product.context)
    async with product.pool.acquire() as connection:
        later = "SELECT updated_at > now() - interval '5 minutes' FROM counters WHERE label = 'sync'"
        assert await connection.fetchval(later)
    assert await guarded(product) == {repository.id, other.id}


async def test_a_list_begun_before_the_deletion_makes_nothing_live_again(product: Product) -> None:
    _, installation = await installed(product)
    async with product.pool.acquire() as connection:
        listed_at = await get_database_time(connection)
        await set_installation_state(
            connection, installation.id, InstallationState(InstallationStatus.DELETED, {}, None)
        )
        for asked_at, status in ((listed_at, "deleted"), (await get_database_time(connection), "active")):
            async with connection.transaction():
                await believe(connection, asked_at)
                await set_installation_state(
                    connection, installation.id, InstallationState(InstallationStatus.ACTIVE, {}, None)
                )
            assert await states(product) == {installation.id: status}


async def test_what_comes_back_between_two_lists_counts_as_never_gone(product: Product) -> None:
    repository, installation = await installed(product)
    world = product.github.world
    for _ in range(2):
        world.installations.pop(installation.id)
        await sync_installations(product.context)
        world.installations[installation.id] = installation
        installation.repository_ids.clear()
        await sync_installations(product.context)
        installation.repository_ids.add(repository.id)
        await sync_installations(product.context)
    assert await states(product) == {installation.id: "active"}
    assert await guarded(product) == {repository.id}


class Always(Faults):
    """One kind of request always meets one fault."""

    def __init__(self, words: str, kind: str) -> None:
        super().__init__(0, {})
        self.words, self.kind = words, kind

    def choose(self, where: str, identity: str, kinds: Sequence[str]) -> str | None:
        return self.kind if self.words in identity and self.kind in kinds else None


@pytest.mark.parametrize("fault", ["500", "403-secondary", "reset"])
async def test_an_answer_other_than_404_removes_nothing(product: Product, fault: str) -> None:
    repository, installation = await installed(product)
    product.github.world.installations.pop(installation.id)
    await sync_installations(product.context)
    product.github.world.faults = Always("GET /api/v3/app/installations/{id}", fault)
    await sync_installations(product.context)
    assert await states(product) == {installation.id: "active"}
    assert await guarded(product) == {repository.id}


async def test_what_came_after_a_list_was_begun_is_not_evaluated_by_it(product: Product) -> None:
    _, installation = await installed(product)
    async with product.pool.acquire() as connection:
        await connection.execute("UPDATE installations SET created_at = clock_timestamp() + interval '1 hour'")
        await connection.execute("UPDATE repos SET held_since = clock_timestamp() + interval '1 hour'")
    installation.repository_ids.clear()
    for _ in range(3):
        await sync_installations(product.context)
    product.github.world.installations.clear()
    for _ in range(3):
        await sync_installations(product.context)
    assert set((await states(product)).values()) == {"active"}
    assert len(await guarded(product)) == 1


async def test_a_list_that_was_cut_removes_nothing(product: Product, tree: WorkTree) -> None:
    repository, installation = await installed(product)
    await installed(product)
    product.github.world.installations.pop(installation.id)
    for _ in range(3):
        await sync_installations(product.context, ListBounds(installations=1))
    assert set((await states(product)).values()) == {"active"}
    product.github.world.installations[installation.id] = installation
    extra = [await product.github.create_repository(installation.account, f"more{n}") for n in range(2)]
    installation.repository_ids = {repository.id for repository in extra}
    for _ in range(3):
        await sync_installations(product.context, ListBounds(repositories=2))
    assert repository.id in await guarded(product)
    async with product.pool.acquire() as connection:
        await add_counts(connection, product.context.counts.pop_all())
    [lists] = [sign async for sign in examine_database(product.pool) if sign.part == "lists"]
    assert not lists.ok
    assert "installations, repositories of an installation" in lists.detail


async def test_an_installation_that_github_lists_lives_whatever_was_heard_before(product: Product) -> None:
    repository, installation = await installed(product)
    product.github.webhooks.send("installation", product.github.installation_payload("deleted", installation))
    await product.idle()
    assert await states(product) == {installation.id: "deleted"}
    assert await guarded(product) == set()
    await sync_installations(product.context)
    assert await states(product) == {installation.id: "active"}
    assert await guarded(product) == {repository.id}


@pytest.mark.nightly
async def test_a_pull_that_a_list_leaves_out_is_closed_where_github_says_so_alone(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await installed(product)
    tree.commit({"a.py": "x = 1\n"})
    await product.push(tree, repository)
    story, world = Story(product.github), product.github.world
    for name in ("one", "two", "three"):
        sha = tree.commit({f"{name}.py": "x = 1\n"})
        await product.push(tree, repository, name)
        await story.open_pull(repository, name, sha, "main")
    await product.idle()
    async with product.pool.acquire() as connection:
        repo_id = await get_repo_id(connection)

        async def opened(most: int = 1_000) -> list[int]:
            await reconcile_heads(product.context, repo_id, most)
            return [
                row["number"]
                for row in await connection.fetch("SELECT number FROM pulls WHERE state = 'open' ORDER BY 1")
            ]

        world.unlisted.add(world.pulls[repository.id, 2].id)
        assert await opened() == [1, 2, 3], "GitHub has it, and left it out of its list"
        world.unlisted.clear()
        world.pulls[repository.id, 1].state = "closed"
        assert await opened(1) == [1, 2, 3], "the list was cut"
        await connection.execute("UPDATE pulls SET updated_at = clock_timestamp() + interval '1 hour' WHERE number = 1")
        assert await opened() == [1, 2, 3], "heard of after the list was begun"
        await connection.execute("UPDATE pulls SET updated_at = clock_timestamp()")
        world.faults = Always("GET /api/v3/repos/{owner}/{repo}/pulls/{number}", "500")
        with pytest.raises(RetryLater):
            await opened()
        world.faults = None
        assert await opened() == [2, 3], "GitHub says that it is closed"
        del world.pulls[repository.id, 2]
        assert await opened() == [3], "GitHub has none of that number"
