"""Publishing: the newest verdict holds, whatever GitHub answers and whoever writes beside us."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.publishing.publish_verdict import publish_verdict, publish_waiting
from forgeguard_app.flows.upkeep.reconcile_heads import reconcile_heads
from forgeguard_app.flows.upkeep.requeue_stranded import requeue_stranded
from forgeguard_app.github import check_runs
from forgeguard_app.github.check_runs import RemoteCheckRun
from forgeguard_app.github.client import GitHubUnavailable, RequestRejected
from forgeguard_app.github.limits import Limits
from forgeguard_app.github.repo_access import RepoAccess
from forgeguard_app.github.tokens import TokenCache
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.simulator.faults import Faults
from forgeguard_app.simulator.story import Story
from tests.support.repositories import WorkTree
from tests.support.running import running
from tests.support.starting import START
from tests.support.stored import get_installation_key, get_repo_id, lift_limits
from tests.support.stored_jobs import drop_jobs
from tests.support.stored_runs import (
    count_completed_reruns,
    count_completed_runs,
    count_published_reruns,
    count_refused_runs,
    count_sent_check_runs,
    count_unpublished_runs,
    count_written_check_runs,
    get_rerun_id,
    get_run_id,
)


class Always(Faults):
    """The kind of fault for all requests whose identity holds the words, while active."""

    def __init__(self, words: str, kind: str) -> None:
        super().__init__(0, {})
        self.words, self.kind, self.met_n = words, kind, 0

    def choose(self, where: str, identity: str, kinds: Sequence[str]) -> str | None:
        if self.active and self.words in identity and self.kind in kinds:
            self.met_n += 1
            return self.kind
        return None


async def test_an_older_verdict_never_comes_after_a_newer_one(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    """A's A9 is answered 500 and not made; the re-run B is published whole; then A goes on."""
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        sha = tree.commit(START)
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        world = product.github.world
        faults = world.faults = Always("check-runs ForgeGuard / A9", "500")
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.until(count_written_check_runs, 2)
        stop.set()
        await worker
        async with product.pool.acquire() as connection:
            older = await get_run_id(connection, sha)
            # the retry of A waits its turn (it is due within minutes after some 5xx); B comes first
            await drop_jobs(connection)
        faults.active = False
        Story(product.github).rerun(repository, sha)
        await product.github.webhooks.settle()
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.until(count_published_reruns, 1)
        stop.set()
        await worker
        async with product.pool.acquire() as connection:
            newer = await get_rerun_id(connection)
        await publish_verdict(product.context, older)
        holds = {run.name: run.external_id for run in world.latest_runs(repository.id, sha)}
        assert set(holds.values()) == {str(newer)}, holds


@pytest.mark.nightly
async def test_a_newer_verdict_waits_for_an_older_write_of_unknown_fate(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    """A's writes are on their way (GitHub is slow) while the re-run B is published: A's land after B's."""
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        sha = tree.commit(START)
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        stop = asyncio.Event()
        real_create = check_runs.create
        first: list[asyncio.Event] = []
        go = asyncio.Event()

        async def create(access: Any, body: dict[str, object]) -> RemoteCheckRun:
            if len(first) < 3:
                first.append(asyncio.Event())
                await go.wait()  # GitHub applies it late
            return await real_create(access, body)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(check_runs, "create", create)
            worker = asyncio.create_task(run_worker(dsn, product.context, stop))
            await product.until(count_sent_check_runs, 3)
            Story(product.github).rerun(repository, sha)
            await product.github.webhooks.settle()
            await product.until(count_completed_reruns, 1)
            go.set()
            await product.until(count_unpublished_runs, 0)
            stop.set()
            await worker
        async with product.pool.acquire() as connection:
            newer = await get_rerun_id(connection)
        holds = {run.name: run.external_id for run in product.github.world.latest_runs(repository.id, sha)}
        assert set(holds.values()) == {str(newer)}, holds


@pytest.mark.nightly
@pytest.mark.parametrize("status", [403, 404, 409, 422])
async def test_one_refusal_that_passes_loses_no_verdict(
    dsn: str, tmp_path: Path, tree: WorkTree, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub answers 404 (or 403, 409) once, more than a minute after the push; the next answer would be good."""
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        sha = tree.commit(START)
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        async with product.pool.acquire() as connection:
            await connection.execute("UPDATE audit_runs SET created_at = now() - interval '5 minutes'")
        real = check_runs.create
        refused: list[dict[str, object]] = []

        async def create(access: Any, body: dict[str, object]) -> RemoteCheckRun:
            if len(refused) < 3:
                refused.append(body)
                raise RequestRejected(status, "for a moment")
            return await real(access, body)

        monkeypatch.setattr(check_runs, "create", create)
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.until(count_refused_runs, 1)
        await product.idle()
        async with product.pool.acquire() as connection:
            later_s = await connection.fetch(
                "UPDATE procrastinate_jobs j SET scheduled_at = now() FROM procrastinate_jobs f WHERE f.id = j.id"
                " AND j.status = 'todo' AND j.task_name = 'publish_verdict'"
                " RETURNING extract(epoch FROM f.scheduled_at - now())::integer AS seconds"
            )
        assert [290 < row["seconds"] < 400 for row in later_s] == [True], "as long again as it has waited"
        await product.until(count_unpublished_runs, 0)
        stop.set()
        await worker
        assert len(product.github.world.runs_of(repository.id, sha)) == 3, "nothing ever tries it again"


@pytest.mark.nightly
@pytest.mark.parametrize("days", [1, 8])
async def test_a_verdict_held_back_for_eight_days_is_published_after_all(
    dsn: str, tmp_path: Path, tree: WorkTree, days: int
) -> None:
    """The installation was suspended (or the repository archived) just as the verdict was to be published."""
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository()
        assert installation is not None
        sha = tree.commit(START)
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        product.github.world.silent.append("check-runs")
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.until(count_completed_runs, 1)
        stop.set()
        await worker
        product.github.world.silent.clear()
        async with product.pool.acquire() as connection:
            await drop_jobs(connection)
            await connection.execute("UPDATE check_runs SET sending_at = NULL")
            await connection.execute(
                "UPDATE audit_runs SET publish_error = 'The installation is suspended.',"
                " created_at = now() - make_interval(days => $1), started_at = now() - make_interval(days => $1)",
                days,
            )
            repo_id = await get_repo_id(connection)
            installation_id = await get_installation_key(connection)
            await enqueue_job(connection, Job(Task.RESUME_INSTALLATION, installation_id))  # what `unsuspend` does
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.idle()
        await requeue_stranded(product.context, 0)
        await reconcile_heads(product.context, repo_id)
        await product.idle()
        stop.set()
        await worker
        assert len(product.github.world.runs_of(repository.id, sha)) == 3


@pytest.mark.nightly
async def test_three_verdicts_that_github_stumbles_over_hold_up_no_other(
    dsn: str, tmp_path: Path, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository()
        assert installation is not None
        base = tree.commit(START)
        shas = []
        for number in range(4):
            tree.git("switch", "--quiet", "--detach", base)
            shas.append(tree.commit({f"f{number}.py": "x = 1\n"}))
            await product.push(tree, repository, f"topic{number}")
            await product.github.webhooks.settle()
        async with product.pool.acquire() as connection:
            await connection.execute(
                "INSERT INTO rate_limits (github_installation_id, blocked_until) VALUES ($1, now() + interval '1 hour')"
                " ON CONFLICT (github_installation_id) DO UPDATE SET blocked_until = excluded.blocked_until",
                installation.id,
            )
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.until(count_completed_runs, 4)
        stop.set()
        await worker
        async with product.pool.acquire() as connection:
            await lift_limits(connection)
        real, bad = check_runs.create, set(shas[:3])

        async def create(access: Any, body: dict[str, object]) -> RemoteCheckRun:
            if body["head_sha"] in bad:
                raise GitHubUnavailable("GitHub answered 500", answered=True)
            return await real(access, body)

        monkeypatch.setattr(check_runs, "create", create)
        for _ in range(10):
            await publish_waiting(product.context, installation.id)
        assert len(product.github.world.runs_of(repository.id, shas[3])) == 3


@pytest.mark.nightly
async def test_a_count_of_annotations_that_lags_makes_no_endless_writes(
    dsn: str, tmp_path: Path, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GitHub's answer to a write says that it holds no annotations (yet)."""
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        tree.commit(START)
        await product.push(tree, repository)
        sha = tree.commit({"b.py": "bad\n"})
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        context = replace(product.context, limits=Limits(lasts_s=5.0))
        real_update, real_create, writes = check_runs.update, check_runs.create, []

        async def update(access: Any, number: int, body: dict[str, object]) -> RemoteCheckRun:
            writes.append(body)
            return replace(await real_update(access, number, body), annotations=0)

        async def create(access: Any, body: dict[str, object]) -> RemoteCheckRun:
            return replace(await real_create(access, body), annotations=0)

        monkeypatch.setattr(check_runs, "update", update)
        monkeypatch.setattr(check_runs, "create", create)
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, context, stop))
        await product.until(count_unpublished_runs, 0)
        stop.set()
        await worker
        runs = product.github.world.runs_of(repository.id, sha)
        assert len(writes) < 10, (len(writes), [(run.name, run.status) for run in runs])


@pytest.mark.nightly
async def test_two_workers_that_both_believe_to_hold_the_lock_make_one_set_of_check_runs(
    dsn: str, tmp_path: Path, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A waits for a token; the connection that holds its lock is lost (failover); B publishes; A goes on."""
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository()
        assert installation is not None
        sha = tree.commit(START)
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        async with product.pool.acquire() as connection:
            await connection.execute(
                "INSERT INTO rate_limits (github_installation_id, blocked_until) VALUES ($1, now() + interval '1 hour')"
                " ON CONFLICT (github_installation_id) DO UPDATE SET blocked_until = excluded.blocked_until",
                installation.id,
            )
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.until(count_completed_runs, 1)
        stop.set()
        await worker
        async with product.pool.acquire() as connection:
            await lift_limits(connection)
            run_id = await get_run_id(connection)
        a = replace(product.context, tokens=TokenCache(product.context.app))
        b = replace(product.context, tokens=TokenCache(product.context.app))
        real, waits, go = RepoAccess.name, asyncio.Event(), asyncio.Event()
        first: list[int] = []

        async def name(self: RepoAccess) -> str:
            if not first:
                first.append(1)
                waits.set()
                await go.wait()
            return await real(self)

        monkeypatch.setattr(RepoAccess, "name", name)
        task = asyncio.create_task(publish_verdict(a, run_id))
        await waits.wait()
        async with product.pool.acquire() as connection:
            await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        await publish_verdict(b, run_id)
        go.set()
        await asyncio.gather(task, return_exceptions=True)
        assert len(product.github.world.runs_of(repository.id, sha)) == 3
