"""A worker's disk is tidied as soon as its mirrors may have passed their bounds, so that no account fills it."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from forgeguard_app.flows.context.worker_context import Timings
from forgeguard_app.flows.upkeep.watch_disk import AGAIN_S, PRUNE_EVERY_S, DiskWatch, lacking_bytes
from forgeguard_app.git.mirror import disk_bytes
from forgeguard_app.jobs.worker import run_worker
from tests.support.disks import small_disk
from tests.support.repositories import WorkTree
from tests.support.running import running
from tests.support.starting import START

MB = 1 << 20
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a small disk")


def test_a_disk_is_tidied_every_hour_when_it_has_grown_and_while_it_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "mirrors", 20) as folder:
        watch = DiskWatch(tmp_path, 100 * MB, 0.0)
        assert not watch.is_due(PRUNE_EVERY_S - 1)
        assert watch.is_due(PRUNE_EVERY_S)
        (folder / "little").write_bytes(b"x" * (MB // 2))
        assert not watch.is_due(1.0)
        (folder / "more").write_bytes(b"x" * MB)
        assert watch.is_due(1.0), "a hundredth of what all may take"
        (folder / "more").unlink()
        assert not watch.is_due(1.0)
        (folder / "more").write_bytes(b"x" * MB)
        assert watch.is_due(1.0), "what was freed meanwhile is no room"
        (folder / "rest").write_bytes(b"x" * (18 * MB))
        assert lacking_bytes(folder) > 0
        watch.note_pruned(2.0)
        assert not watch.is_due(3.0), "it could not be helped, and is not walked all the time"
        assert watch.is_due(2.0 + AGAIN_S)


@pytest.mark.nightly
async def test_an_account_that_fills_the_disk_keeps_no_other_account_waiting(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        timings = Timings(disk_s=0.1, longest_retry_s=1.0)
        context = replace(product.context, mirror_max_bytes=8 * MB, mirrors_max_bytes=20 * MB, timings=timings)
        other, _ = await product.repository("other")
        owner = product.github.world.add_account(f"stranger-{secrets.token_hex(3)}")
        theirs = [await product.github.create_repository(owner, f"r{number}") for number in range(6)]
        mirrors = product.context.home / "mirrors"
        mirrors.mkdir(parents=True, exist_ok=True)
        with small_disk(mirrors, 30):
            stop = asyncio.Event()
            worker = asyncio.create_task(run_worker(dsn, context, stop))
            product.github.install(owner, theirs)
            await product.github.webhooks.settle()
            for number, repository in enumerate(theirs):
                strange = WorkTree(tmp_path / f"w{number}")
                sha = strange.commit({"x.txt": os.urandom(6 * MB)})
                await product.push(strange, repository)
                await product.verdicts(repository, sha)
            sha = tree.commit({**START, "y.txt": os.urandom(MB)})
            await product.push(tree, other)
            await product.verdicts(other, sha)
            assert disk_bytes(mirrors) < 28 * MB
            stop.set()
            await worker
