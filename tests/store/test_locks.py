"""Names that one process at a time holds, and what a cancelled job does to those of others."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from forgeguard_app.store.locks import Locks
from forgeguard_app.store.pool import Pool

_NAMES = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"


@pytest.mark.parametrize("turns", range(12))
async def test_a_job_that_is_cancelled_while_it_takes_a_name_gives_back_its_own_alone(pool: Pool, turns: int) -> None:
    """The cancellation comes after so many turns of the event loop: before, while and after the database answers."""
    ours, theirs = Locks(pool), Locks(pool)

    async def hold(locks: Locks, name: str) -> None:
        async with locks.only_one(name):
            await asyncio.Event().wait()

    async with ours.only_one("kept") as held:
        assert held
        job = asyncio.create_task(hold(ours, "lost"))
        for _ in range(turns):
            await asyncio.sleep(0)
        job.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await job
        async with theirs.only_one("kept") as taken, theirs.only_one("lost") as free:
            assert not taken, "another job of the process holds it"
            assert free
        async with ours.only_one("lost") as again:
            assert again
    async with pool.acquire() as connection:
        assert await connection.fetchval(_NAMES) == 0
    await ours.close()
    await theirs.close()
