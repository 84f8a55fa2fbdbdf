"""Verdicts that GitHub refuses: what is said of them, and that each one is tried again."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from forgeguard_app.flows.publishing.publish_verdict import ARCHIVED, publish_waiting, refusal_reason
from forgeguard_app.flows.upkeep.requeue_stranded import requeue_stranded
from forgeguard_app.github import check_runs
from forgeguard_app.github.check_runs import RemoteCheckRun
from forgeguard_app.github.client import Archived, CommitNotFound, RequestRejected
from tests.support.refusing import admit, refuse
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.starting import started
from tests.support.stored import get_github_installation_id
from tests.support.stored_jobs import count_waiting_jobs
from tests.support.stored_runs import (
    count_refused_runs,
    count_unpublished_runs,
    forget_check_runs,
    get_run_id_of_branch,
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (CommitNotFound(422, "No commit found"), "The commit is not in the repository any more."),
        (Archived(403, "Repository was archived"), ARCHIVED),
        (RequestRejected(409, "Conflict"), "GitHub does not take it (409)."),
    ],
)
def test_the_reason_of_a_refusal_names_what_to_do_and_never_quotes_github(error: RequestRejected, reason: str) -> None:
    assert refusal_reason(error) == reason


async def hold_back(product: Product, days: int) -> UUID:
    """Let the only verdict be that old and not published; return its run."""
    await product.pool.execute(
        "UPDATE audit_runs SET published_at = NULL, created_at = now() - make_interval(days => $1)", days
    )
    await forget_check_runs(product.pool)
    return await get_run_id_of_branch(product.pool, "main")


async def test_a_refusal_is_stored_only_together_with_the_job_that_tries_again(
    own_dsn: str, tmp_path: Path, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(own_dsn, tmp_path / "product") as product, product.without_chores():
        await started(product, tree)
        await product.idle()
        await hold_back(product, 0)
        number = await get_github_installation_id(product.pool)

        async def forbid(access: Any, body: dict[str, object]) -> RemoteCheckRun:
            raise RequestRejected(403, "Resource not accessible by integration")

        async with product.pool.acquire() as connection:
            await refuse(connection, "INSERT", "procrastinate_jobs", "NEW.task_name = 'publish_verdict'")
        with monkeypatch.context() as patch:
            patch.setattr(check_runs, "create", forbid)
            with pytest.raises(asyncpg.DeadlockDetectedError):
                await publish_waiting(product.context, number)
        assert await count_refused_runs(product.pool) == 0
        async with product.pool.acquire() as connection:
            await admit(connection, "INSERT", "procrastinate_jobs")
        await publish_waiting(product.context, number)
        assert await count_unpublished_runs(product.pool) == 0


@pytest.mark.parametrize(("days", "jobs"), [(8, 1), (31, 0)])
async def test_a_refused_verdict_whose_job_was_lost_gets_another_one_for_a_month(
    product: Product, tree: WorkTree, days: int, jobs: int
) -> None:
    await started(product, tree)
    await product.idle()
    async with product.without_chores():
        run_id = await hold_back(product, days)
        await product.pool.execute("UPDATE audit_runs SET publish_error = 'GitHub does not take it (403).'")
        assert await requeue_stranded(product.context, 0) == jobs
        await product.until(f"SELECT published_at IS NOT NULL FROM audit_runs WHERE id = '{run_id}'", jobs == 1)
        await product.idle()
        assert await count_waiting_jobs(product.pool, "publish_verdict") == 0


async def test_an_old_verdict_that_is_refused_waits_without_a_job_until_its_next_try_is_due(
    product: Product, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started(product, tree)
    await product.idle()

    async def forbid(access: Any, body: dict[str, object]) -> RemoteCheckRun:
        raise RequestRejected(403, "Resource not accessible by integration")

    async with product.without_chores():
        run_id = await hold_back(product, 2)
        with monkeypatch.context() as patch:
            patch.setattr(check_runs, "create", forbid)
            assert await requeue_stranded(product.context, 0) == 1
            await product.idle()
        assert await count_refused_runs(product.pool) == 1
        assert await count_waiting_jobs(product.pool, "publish_verdict") == 0
        assert await requeue_stranded(product.context, 0) == 0, "its next try is due in a day"
        await product.pool.execute("UPDATE audit_runs SET publish_retry_at = now() WHERE id = $1", run_id)
        assert await requeue_stranded(product.context, 0) == 1
        await product.until(f"SELECT published_at IS NOT NULL FROM audit_runs WHERE id = '{run_id}'", True)
