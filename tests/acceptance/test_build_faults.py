"""What a builder leaves and nobody can evaluate is a failed attempt; the builder is not run again and again for it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from forgeguard_app.flows.builds.cancel_build import cancel_build
from forgeguard_app.git.build_repository import open_build_repository
from forgeguard_app.git.mirror import Remote
from tests.support.building import PROJECT, agent, ready
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.starting import started
from tests.support.stored_builds import get_loop_count

MANY_LONG_NAMES = """
python3 - <<'PY'
import os
for _ in range(7):
    os.makedirs("d" * 240, exist_ok=True)
    os.chdir("d" * 240)
for number in range(75_000):
    os.close(os.open(f"{number:06d}" + "f" * 230, os.O_CREAT | os.O_WRONLY))
PY
"""


@pytest.mark.nightly
async def test_work_that_cannot_be_evaluated_in_time_fails_three_attempts_with_the_reason(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", builder=agent(f"{PROJECT} date +%N > n")) as product:
        place = await ready(product, tree)
        product.context.evaluator.timeout_s = 1e-6
        build = await place.ended(await place.start())
        assert (build.status, build.loop_count, build.interruptions) == ("failed", 3, 0)
        assert "FORGEGUARD_EVALUATION_TIMEOUT_S" in str(build.error_detail)


@pytest.mark.nightly
async def test_more_names_than_are_read_are_a_failed_attempt_with_the_reason(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", builder=agent(PROJECT + MANY_LONG_NAMES)) as product:
        place = await ready(product, tree)
        build_id = await place.start()
        await product.until(partial(get_loop_count, build_id=build_id), 1, timeout_s=300)
        assert (await place.build(build_id)).interruptions == 0
        assert "paths of the checkout's files take more than 64 MiB" in await place.text(build_id)
        await cancel_build(product.pool, await place.build(build_id), "mona")
        await place.ended(build_id)


@pytest.mark.nightly
@pytest.mark.parametrize("left", ["half-made", "locked"])
async def test_what_a_killed_git_left_of_a_build_s_repository_is_made_again(
    product: Product, tree: WorkTree, tmp_path: Path, left: str
) -> None:
    repository = await started(product, tree)
    remote, folder, sha = (
        Remote(product.github.clone_url(repository)),
        tmp_path / "b.git",
        tree.git("rev-parse", "HEAD"),
    )
    if left == "half-made":
        (folder / "refs").mkdir(parents=True)
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
    else:
        await open_build_repository(folder, remote, [sha])
        (folder / "shallow.lock").touch()
        await asyncio.to_thread((folder / "config.lock").touch)
    opened = await open_build_repository(folder, remote, [sha])
    await opened.run("prune", "--expire=now", sha)
    assert (await opened.run("cat-file", "-t", sha)).strip() == b"commit"
