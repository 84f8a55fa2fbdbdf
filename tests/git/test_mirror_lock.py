"""The lock of a mirror: who waits comes again, and nobody who came later goes first."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from forgeguard_app.git.mirror_lock import AGAIN_S, LONGEST_AGAIN_S, MirrorBusy, lock_file


async def test_a_lock_that_is_held_is_waited_for_in_a_moment_alone(tmp_path: Path) -> None:
    path = tmp_path / "1.lock"

    async def wait(who: str) -> float:
        with pytest.raises(MirrorBusy) as refused:
            async with lock_file(path, who):
                pass
        assert refused.value.delay_s is not None
        return refused.value.delay_s

    async with lock_file(path, "holder"):
        assert await asyncio.gather(*(wait(str(number)) for number in range(30))) == [
            min(AGAIN_S * (1 + number), LONGEST_AGAIN_S) for number in range(30)
        ]
        assert await wait("0") == AGAIN_S, "who was put back keeps its place"
        assert await wait("new") == LONGEST_AGAIN_S
    async with lock_file(path, "new"):
        pass


async def test_who_came_first_goes_first_also_after_it_was_put_back(tmp_path: Path) -> None:
    path = tmp_path / "1.lock"
    order: list[str] = []

    async def work(who: str) -> None:
        async with lock_file(path, who):
            order.append(who)

    async with lock_file(path, "holder"):
        with pytest.raises(MirrorBusy):
            await work("first")
        waiting = [asyncio.create_task(work(who)) for who in ("second", "third")]
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(work("first")))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == ["first", "second", "third"]
