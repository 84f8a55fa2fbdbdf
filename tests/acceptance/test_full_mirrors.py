"""A repository is too large for what its own head needs, not for what its mirror has gathered or for a first fetch that
failed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from forgeguard_app.git.mirror import disk_bytes
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.simulator.state import Repository
from tests.support.pulls import FORK, tell_pull
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.starting import START

MB = 1 << 20
BOUND = 8 * MB


@pytest.fixture
async def small(dsn: str, tmp_path: Path) -> AsyncIterator[Product]:
    """A product whose worker keeps mirrors of at most 8 MB."""
    async with running(dsn, tmp_path / "p", worker=False) as product:
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, replace(product.context, mirror_max_bytes=BOUND), stop))
        yield product
        stop.set()
        await worker


def mirror_of(product: Product, repository: Repository) -> Path:
    return product.context.home / "mirrors" / f"{repository.id}.git"


async def with_long_history(product: Product, tree: WorkTree) -> Repository:
    """A repository whose head is small and whose history is larger than a mirror may be."""
    repository, _ = await product.repository(install=False)
    tree.commit({"big.bin": os.urandom(2 * BOUND)})
    tree.commit({"big.bin": None, **START})
    await asyncio.to_thread(tree.git, "push", "--quiet", str(repository.folder), "HEAD:refs/heads/main")
    product.github.install(repository.owner, [repository])
    await product.github.webhooks.settle()
    return repository


@pytest.mark.nightly
async def test_a_first_fetch_that_found_no_commit_yet_brings_no_whole_history_afterwards(
    small: Product, tree: WorkTree
) -> None:
    small.github.world.commit_lag_s = 1.0
    repository = await with_long_history(small, tree)
    sha = tree.commit({"u.py": "x = 1\n"})
    await small.push(tree, repository)
    assert (await small.verdicts(repository, sha))["A4"].conclusion == "success"
    assert disk_bytes(mirror_of(small, repository)) < MB


@pytest.mark.nightly
async def test_what_a_stranger_s_fork_left_in_a_mirror_makes_no_push_too_large(small: Product, tree: WorkTree) -> None:
    repository, _ = await small.repository()
    start = tree.commit(START)
    await small.verdicts(repository, await small.push(tree, repository))
    head = tree.commit({"x.txt": os.urandom(BOUND - 300_000)})
    await asyncio.to_thread(tree.git, "push", "--quiet", str(repository.folder), f"{head}:refs/pull/7/head")
    tell_pull(small, repository, 7, ("evil", head), ("main", start), repo=FORK)
    await small.github.webhooks.settle()
    await small.verdicts(repository, head)
    tell_pull(small, repository, 7, ("evil", head), ("main", start), repo=FORK, action="closed")
    await small.github.webhooks.settle()
    tree.git("reset", "--quiet", "--hard", start)
    sha = tree.commit({"u.py": "x = 1\n", "data.txt": os.urandom(400_000)})
    await small.push(tree, repository)
    assert (await small.verdicts(repository, sha))["A4"].conclusion == "success"
