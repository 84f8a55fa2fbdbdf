"""The choice of the next job: fair among installations, by rank within each, and nothing waits for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from procrastinate import PsycopgConnector
from procrastinate.jobs import Job, Status

from forgeguard_app.flows.context.jobs import Priority
from forgeguard_app.flows.intake.rank_heads import RANKS
from forgeguard_app.jobs.fair_jobs import FairJobs
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.queue import FAIR_EVERY, delete_old_turns, enqueue

SLOTS = 4


@dataclass
class Queue:
    """Jobs named by the numbers of their installations, and one worker of four slots."""

    pool: Pool
    jobs: FairJobs
    worker: int

    async def add(self, installation: int | None, rank: int = 0, number: int = 1, *, later: bool = False) -> None:
        arguments = {} if installation is None else {"github_installation_id": str(installation)}
        delay = timedelta(hours=1) if later else None
        async with self.pool.acquire() as connection:
            for _ in range(number):
                await enqueue(connection, "publish_waiting", arguments, priority=rank, delay=delay)

    async def take(self, number: int = 1) -> list[Job]:
        taken = [await self.jobs.fetch_job(None, self.worker) for _ in range(number)]
        return [job for job in taken if job is not None]

    async def end(self, job: Job) -> None:
        await self.jobs.finish_job(job, Status.SUCCEEDED, delete_job=True)

    async def turns(self, number: int) -> list[tuple[str, int]]:
        """Take and end so many jobs, one after another; the installation and the rank of each."""
        taken = []
        for _ in range(number):
            (job,) = await self.take()
            taken.append((whose(job), job.priority))
            await self.end(job)
        return taken


def whose(job: Job) -> str:
    return str(job.task_kwargs.get("github_installation_id", "none"))


@pytest.fixture
async def queue(dsn: str, pool: Pool) -> AsyncIterator[Queue]:
    """An empty queue."""
    connector = PsycopgConnector(
        conninfo=dsn, kwargs={"options": "-c search_path=procrastinate,public"}, min_size=1, max_size=1
    )
    await connector.open_async()
    jobs = FairJobs(connector, pool, SLOTS // 2)
    yield Queue(pool, jobs, await jobs.register_worker())
    await connector.close_async()


async def test_one_installation_alone_uses_every_slot(queue: Queue) -> None:
    await queue.add(1, number=6)
    await queue.add(2, number=3, later=True)
    assert [whose(job) for job in await queue.take(SLOTS)] == ["1"] * SLOTS


async def test_an_installation_holds_half_of_the_slots_while_another_waits(queue: Queue) -> None:
    await queue.add(1, Priority.MERGE_GROUP, 50)
    await queue.add(2, RANKS[-1], 50)
    held = await queue.take(SLOTS)
    for _ in range(40):
        assert sorted(whose(job) for job in held) == ["1", "1", "2", "2"]
        await queue.end(held.pop(0))
        held += await queue.take()


async def test_a_push_waits_for_one_job_of_a_flood_that_came_before_it(queue: Queue) -> None:
    await queue.add(1, Priority.MERGE_GROUP, 100)
    held = await queue.take(SLOTS)
    await queue.add(2, RANKS[0])
    await queue.end(held[0])
    (first,) = await queue.take()
    assert whose(first) == "2"


async def test_equal_ranks_of_installations_take_turns(queue: Queue) -> None:
    for installation in (1, 2, 3):
        await queue.add(installation, 8, 20 // installation)
    await queue.add(None, 8, 4)
    installations = [name for name, _ in await queue.turns(16)]
    turns = [sorted(installations[begin : begin + 4]) for begin in (0, 4, 8)]
    assert turns == [["1", "2", "3", "none"]] * 3


async def test_no_number_of_greater_ranks_keeps_a_push_waiting(queue: Queue) -> None:
    flooding = range(1, 8)
    for installation in flooding:
        await queue.add(installation, Priority.MERGE_GROUP, 30)
    await queue.turns(20)
    await queue.add(99, RANKS[-1])
    installations = [name for name, _ in await queue.turns(FAIR_EVERY * (len(flooding) + 1))]
    assert "99" in installations


async def test_within_an_installation_the_greater_rank_goes_first(queue: Queue) -> None:
    for rank in (0, 10, 25, 8, 15):
        await queue.add(1, rank)
    assert [rank for _, rank in await queue.turns(5)] == [25, 15, 10, 8, 0]
    assert await queue.take() == []


async def test_the_turns_of_queues_without_jobs_are_forgotten(queue: Queue) -> None:
    await queue.add(1)
    await queue.turns(1)
    async with queue.pool.acquire() as connection:
        await connection.execute("UPDATE queue_turns SET turn = 1")
        await connection.execute("SELECT setval('queue_turns_turn_seq', 1000000)")
        await queue.add(2)
        await queue.turns(1)
        await delete_old_turns(connection)
        names = await connection.fetch("SELECT queue_name FROM queue_turns")
    assert [row["queue_name"] for row in names] == ["forgeguard/2"]
