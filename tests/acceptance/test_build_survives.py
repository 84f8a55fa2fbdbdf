"""A worker is killed in mid-phase, as the kernel kills it: its builder goes with it, and another worker ends the
build.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from forgeguard_app.cli.running import start_child, stop_children
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.simulator.git_http import git
from forgeguard_app.store.builds import begin_phase
from forgeguard_app.store.locks import Locks
from forgeguard_app.store.pool import Pool, open_pool
from tests.support.building import PROJECT, agent, ready, running_with_mark
from tests.support.repositories import WorkTree
from tests.support.running import APP_ID, PRIVATE_KEY, Product, running
from tests.support.stored_builds import is_logged


def start_worker(product: Product, folder: Path, script: Path) -> subprocess.Popen[bytes]:
    """A process of its own, configured by the environment alone."""
    key = folder / "app.pem"
    key.write_text(PRIVATE_KEY)
    env = {name: "" for name in os.environ if name.startswith("FORGEGUARD_")} | {
        "FORGEGUARD_DATABASE_URL": product.dsn,
        "FORGEGUARD_SECRET_KEY": "k" * 40,
        "FORGEGUARD_HOME": str(folder / "home"),
        "FORGEGUARD_APP_ID": str(APP_ID),
        "FORGEGUARD_PRIVATE_KEY": str(key),
        "FORGEGUARD_WEBHOOK_SECRET": product.secret,
        "FORGEGUARD_GITHUB_URL": product.github.address,
        "FORGEGUARD_GITHUB_API_URL": product.github.api_url,
        "FORGEGUARD_PUBLIC_URL": product.address,
        "FORGEGUARD_BUILDER_COMMAND": f"bash {script}",
        "FORGEGUARD_BUILDER_UNCONFINED": "1",
        "FORGEGUARD_BUILDER_OWNERS": "4711",
    }
    with (folder / "worker.log").open("ab") as out:
        return start_child(["worker"], env, out.fileno())


async def test_kill_9_of_a_worker_in_mid_phase_costs_that_attempt_alone(
    dsn: str, tmp_path: Path, tree: WorkTree, seen_folder: Path
) -> None:
    go, script = seen_folder / f"go-{tmp_path.name}", seen_folder / f"agent-{tmp_path.name}.sh"
    waits = f"echo waits; for i in $(seq 600); do [ -e {go} ] && break; sleep 0.1; done"
    script.write_text(
        f"{PROJECT}echo line >> shop/domain/n.txt\ngrep -q '\"number\": 1' $FORGEGUARD_PHASE && {{ {waits}; "
        f"}}\nexit 0\n"
    )
    script.chmod(0o755)
    async with running(dsn, tmp_path / "p", worker=False) as product:
        stop = asyncio.Event()
        ours = asyncio.create_task(run_worker(dsn, product.context, stop))
        place = await ready(product, tree)
        await product.idle()
        stop.set()
        await ours
        build_id = await place.start()
        first = start_worker(product, tmp_path, script)
        try:
            await product.until(partial(is_logged, build_id=build_id, message="waits"), True)
            os.kill(first.pid, signal.SIGKILL)
            first.wait(10)
            deadline = time.monotonic() + 10
            while running_with_mark(str(build_id)) and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
            assert running_with_mark(str(build_id)) == [], "the builder went with its worker"
            go.touch()
            second = start_worker(product, tmp_path, script)
            try:
                build = await place.ended(build_id)
            finally:
                await stop_children([second])
        finally:
            await stop_children([first])
        assert build.status == "completed", (tmp_path / "worker.log").read_text()[-3_000:]
        assert (await place.show(f"{build.branch}:shop/domain/n.txt")) == "line\nline\n", "each phase's work once"


@pytest.mark.nightly
@pytest.mark.parametrize("ends", ["exit 3", f"{PROJECT}exit 0"])
async def test_a_worker_that_was_taken_over_changes_nothing_of_the_build(
    dsn: str, tmp_path: Path, tree: WorkTree, seen_folder: Path, ends: str
) -> None:
    go = seen_folder / f"go-{tmp_path.name}"
    waits = f"echo waits; for i in $(seq 300); do [ -e {go} ] && break; sleep 0.1; done; "
    async with running(dsn, tmp_path / "p", builder=agent(waits + ends)) as product:
        place = await ready(product, tree)
        build_id = await place.start()
        await product.until(partial(is_logged, build_id=build_id, message="waits"), True)
        other = await open_pool(dsn)
        try:
            async with other.acquire() as connection:  # the first worker loses the connection that held the build
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> "
                    "pg_backend_pid()"
                )
            locks = Locks(other)
            deadline = time.monotonic() + 10
            held = False
            while not held and time.monotonic() < deadline:
                async with locks.only_one(f"build/{build_id}") as held:
                    if held:
                        await _taken_over(product, other, build_id, go)
            assert held
            await locks.close()
        finally:
            other.terminate()
        build = await place.build(build_id)
        assert (build.status, build.phase_number, build.loop_count, build.tried_sha) == ("running", 0, 0, None)
        assert await git(place.repository.folder, "branch", "--list", build.branch or "") == b""


async def _taken_over(product: Product, other: Pool, build_id: UUID, go: Path) -> None:
    async with other.acquire() as connection, connection.transaction():
        assert await begin_phase(connection, build_id) is not None
    go.touch()
    await product.idle()
