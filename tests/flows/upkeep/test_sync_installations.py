"""Installations are compared one by one: what one of them meets is no other's matter."""

from __future__ import annotations

from pathlib import Path

from forgeguard_app.flows.upkeep.sync_installations import sync_installations
from tests.support.refusing import refuse
from tests.support.running import Product, running


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
        numbers = [one.id for one in installations if one is not None]
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
            rows = await connection.fetch("SELECT github_installation_id, status FROM installations")
        states = {row["github_installation_id"]: row["status"] for row in rows}
        assert [states[number] for number in numbers] == ["deleted", "active", "deleted"]
