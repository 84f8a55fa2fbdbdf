"""The owner's file holds for all of the owner's repositories as the newest head of `.github` has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from forgeguard_app.flows.intake.rerun_audit import rerun_audit
from forgeguard_app.flows.upkeep.compare_log import LogComparison
from forgeguard_app.flows.upkeep.reconcile_deliveries import reconcile_deliveries
from forgeguard_app.simulator.state import Repository
from forgeguard_app.store.audits import find_run
from tests.support.delivery_log import WINDOW, age, lost
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.stored import get_owner_policy
from tests.support.stored_runs import get_run_id

LAX = "checks:\n  A4:\n    enabled: false\n"
STRICT = "enforce:\n  checks:\n    A4:\n      enabled: true\n"


async def installed(product: Product) -> Repository:
    owner = product.github.world.add_account("acme")
    policy = await product.github.create_repository(owner, ".github")
    product.github.install(owner, [policy])
    await product.github.webhooks.settle()
    return policy


@pytest.mark.nightly
async def test_an_old_head_that_is_run_again_brings_no_old_policy_back(product: Product, tmp_path: Path) -> None:
    repository, policies = await installed(product), WorkTree(tmp_path / "policies")
    policies.commit({".github/forgeguard.yml": LAX})
    old = await product.push(policies, repository)
    await product.verdicts(repository, old)
    assert await get_owner_policy(product.pool) == LAX
    policies.commit({".github/forgeguard.yml": STRICT})
    await product.verdicts(repository, await product.push(policies, repository))
    assert await get_owner_policy(product.pool) == STRICT
    async with product.pool.acquire() as connection:
        former = await find_run(connection, await get_run_id(connection, old))
    assert former is not None
    await rerun_audit(product.pool, former, 1)
    await product.idle()
    assert await get_owner_policy(product.pool) == STRICT


@pytest.mark.nightly
async def test_an_older_push_that_is_recovered_later_brings_no_old_policy_back(
    product: Product, tmp_path: Path
) -> None:
    repository, policies = await installed(product), WorkTree(tmp_path / "policies")
    policies.commit({"x": "1"})
    await product.verdicts(repository, await product.push(policies, repository))
    async with product.without_chores():
        async with lost(product):
            policies.commit({".github/forgeguard.yml": LAX})
            old = await product.push(policies, repository)
        policies.commit({".github/forgeguard.yml": STRICT})
        await product.verdicts(repository, await product.push(policies, repository))
        age(product, 60)
        await reconcile_deliveries(product.context, LogComparison(WINDOW))
        await product.verdicts(repository, old)
        await product.idle()
    assert await get_owner_policy(product.pool) == STRICT


async def test_a_broken_file_changes_nothing_and_a_deleted_one_ends_the_policy(
    product: Product, tmp_path: Path
) -> None:
    repository, policies = await installed(product), WorkTree(tmp_path / "policies")
    for files, kept in (
        ({".github/forgeguard.yml": STRICT}, STRICT),
        ({".github/forgeguard.yml": "checks: 1\n"}, STRICT),
        ({".github/forgeguard.yml": "#" * 6_000_000 + "\n"}, STRICT),
        ("link", STRICT),
        ({".github/forgeguard.yml": None}, None),
    ):
        if isinstance(files, str):
            (policies.folder / ".github/forgeguard.yml").unlink()
            (policies.folder / ".github/forgeguard.yml").symlink_to("elsewhere.yml")
        policies.commit({} if isinstance(files, str) else files)
        await product.verdicts(repository, await product.push(policies, repository))
        assert await get_owner_policy(product.pool) == kept
