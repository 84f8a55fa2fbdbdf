"""The work of an audit beside what GitHub is shown of it."""

from __future__ import annotations

import asyncio

from forgeguard_app.flows.audits.show_progress import show_progress
from forgeguard_app.store.audits import Verdict, find_newest_run
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.repos import get_repo
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.starting import started
from tests.support.stored import get_repo_id


async def test_the_work_of_a_cancelled_audit_has_ended_before_the_mirror_s_lock_is_released(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    await product.idle()
    async with product.pool.acquire() as connection:
        repo_id = await get_repo_id(connection, repository.id)
        repo = await get_repo(connection, repo_id)
        run = await find_newest_run(connection, repo_id, tree.git("rev-parse", "HEAD"))
        assert run is not None and repo.installation_id is not None
        installation = await find_installation(connection, repo.installation_id)
    assert installation is not None
    begun, steps = asyncio.Event(), 0

    async def work() -> Verdict:
        nonlocal steps
        try:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError("nothing sets it")
        finally:
            for _ in range(20):  # as git is killed and reaped
                await asyncio.sleep(0)
                steps += 1

    audit = asyncio.create_task(show_progress(product.context, run, repo, installation, work()))
    await begun.wait()
    audit.cancel()
    await asyncio.gather(audit, return_exceptions=True)
    assert audit.cancelled()
    assert steps == 20
