"""Installations are compared one by one: what one of them meets is no other's matter."""

from __future__ import annotations

import asyncio
from pathlib import Path

from forgeguard_app.flows.upkeep.sync_installations import ListBounds, sync_installations
from tests.support.refusing import refuse
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.stored import is_lock_awaited, list_installation_statuses


async def is_guarded(product: Product, github_repo_id: int) -> bool:
    """Return whether the repository is stored as one of ours."""
    async with product.pool.acquire() as connection:
        return bool(
            await connection.fetchval(
                "SELECT EXISTS (SELECT 1 FROM repos WHERE github_repo_id = $1 AND removed_at IS NULL)", github_repo_id
            )
        )


async def test_an_installation_that_cannot_be_stored_hides_no_other(own_dsn: str, tmp_path: Path) -> None:
    async with running(own_dsn, tmp_path / "product", worker=False) as product:
        fresh = {}
        for name in ("first", "refused", "last"):
            _, installation = await product.repository(name)
            assert installation is not None
            fresh[name] = (await product.github.create_repository(installation.account, "fresh")).id
            installation.repository_ids.add(fresh[name])
        async with product.pool.acquire() as connection:
            await refuse(connection, "INSERT", "repos", f"NEW.github_repo_id = {fresh['refused']}")
        await sync_installations(product.context)
        assert await is_guarded(product, fresh["first"])
        assert await is_guarded(product, fresh["last"])
        assert not await is_guarded(product, fresh["refused"])


async def test_an_installation_that_cannot_be_removed_keeps_no_other(own_dsn: str, tmp_path: Path) -> None:
    async with running(own_dsn, tmp_path / "product", worker=False) as product:
        installations = [(await product.repository(name))[1] for name in ("first", "refused", "last")]
        numbers = [installation.id for installation in installations if installation is not None]
        for number in numbers:
            product.github.world.installations.pop(number)
        async with product.pool.acquire() as connection:
            await refuse(
                connection,
                "UPDATE",
                "installations",
                f"""
                NEW.github_installation_id = {numbers[1]} AND NEW.status = 'deleted'""",
            )
        for _ in range(2):  # the second list that leaves them out
            await sync_installations(product.context)
        async with product.pool.acquire() as connection:
            states = await list_installation_statuses(connection)
        assert [states[number] for number in numbers] == ["deleted", "active", "deleted"]


async def test_a_comparison_of_many_repositories_holds_up_no_push(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "product", worker=False) as product:
        first, installation = await product.repository("first")
        assert installation is not None
        repositories = [first]
        for name in ("second", "third"):
            repositories.append(await product.github.create_repository(installation.account, name))
            installation.repository_ids.add(repositories[-1].id)
        await sync_installations(product.context)
        tree.commit({"a.py": "x = 1\n"})
        async with product.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT 1 FROM repos WHERE github_repo_id = $1 FOR UPDATE", repositories[1].id)
            comparison = asyncio.create_task(sync_installations(product.context, ListBounds(at_once=1)))
            await product.until(is_lock_awaited, True)
            for repository in (repositories[0], repositories[2]):
                await product.push(tree, repository)
            await product.github.webhooks.settle()
            assert {
                delivery.status_code for delivery in product.github.world.deliveries if delivery.event == "push"
            } == {202}
            assert not comparison.done()
        await comparison
        assert [await is_guarded(product, repository.id) for repository in repositories] == [True] * 3
