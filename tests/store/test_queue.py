"""The choice of the next job: the order within a queue, and what its cost grows with."""

from __future__ import annotations

import asyncpg
import pytest

from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.queue import JobLost, enqueue, has_job, take_next_job
from tests.support.rows_read import rows_read

_ADD = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, scheduled_at)
SELECT 'forgeguard/' || n % 3, 'waits', n % 5, jsonb_build_object('run_id', gen_random_uuid()),
    now() + $2::integer * interval '1 minute'
FROM generate_series(1, $1) n
"""


async def add(connection: Connection, number: int, minutes: int | None) -> None:
    """Add so many jobs of three queues and five ranks that are due in so many minutes; None: at once."""
    await connection.execute("DISCARD PLANS")
    await connection.execute(_ADD, number, minutes)


async def worker_of(connection: Connection) -> int:
    """Return the number of a new worker."""
    number: int = await connection.fetchval("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    return number


@pytest.mark.parametrize("known", ["nothing", "ended jobs alone", "all"])
@pytest.mark.parametrize("minutes", [-1, None, 1])
async def test_a_choice_reads_as_much_however_many_jobs_wait_or_are_due_later(
    pool: Pool, minutes: int | None, known: str
) -> None:
    """Whatever PostgreSQL knows of the jobs: its statistics may be as old as the last minute."""
    async with pool.acquire() as connection:
        worker, numbers = await worker_of(connection), []
        if known == "ended jobs alone":
            await add(connection, 3, None)
            await connection.execute("UPDATE procrastinate_jobs SET status = 'succeeded'")
            await connection.execute("ANALYZE procrastinate_jobs")
            await connection.execute("DELETE FROM procrastinate_jobs")
            await connection.execute("VACUUM procrastinate_jobs")
        for number in (150, 15_000):
            await add(connection, number, minutes)
            await connection.execute("DISCARD PLANS")  # those of PostgreSQL's own look-ups of keys, made for fewer rows
            if known == "all":
                await connection.execute("ANALYZE procrastinate_jobs")
            await enqueue(connection, "is_due", {"github_installation_id": "1"}, priority=9)
            async with rows_read(connection) as read:
                job = await take_next_job(connection, worker, 2)
            assert job is not None
            numbers.append(read.number)
        assert numbers[1] <= numbers[0] + 50, numbers


async def test_the_older_one_of_a_new_job_and_one_that_is_due_again_goes_first(pool: Pool) -> None:
    async with pool.acquire() as connection:
        worker = await worker_of(connection)
        for task, rank in (("again", 0), ("new", 0), ("later", 20), ("first", 5), ("due", 5)):
            await enqueue(connection, task, {"github_installation_id": "1"}, priority=rank)
        for task, minutes in (("again", -1), ("later", 60), ("due", -5)):
            await connection.execute(
                "UPDATE procrastinate_jobs SET scheduled_at = now() + $2 * interval '1 minute' WHERE task_name = $1",
                task,
                minutes,
            )
        taken = []
        while (job := await take_next_job(connection, worker, 2)) is not None:
            assert (job["status"], job["worker_id"], job["args"]) == ("doing", worker, {"github_installation_id": "1"})
            taken.append(job["task_name"])
        assert taken == ["first", "due", "again", "new"]


async def test_two_workers_never_have_the_same_job(pool: Pool, dsn: str) -> None:
    async with pool.acquire() as connection:
        worker = await worker_of(connection)
        for task in ("one", "two"):
            await enqueue(connection, task, {"github_installation_id": "1"})
        other: Connection = await asyncpg.connect(dsn, server_settings={"search_path": "public, procrastinate"})
        try:
            async with other.transaction():
                await other.execute("SELECT FROM procrastinate_jobs WHERE task_name = 'one' FOR UPDATE")
                job = await take_next_job(connection, worker, 2)
                assert job is not None and job["task_name"] == "two"
                with pytest.raises(JobLost):
                    await take_next_job(connection, worker, 2)
        finally:
            await other.close()


async def test_whether_a_run_has_a_job_is_looked_up(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await add(connection, 5_000, 1)
        await connection.execute("ANALYZE procrastinate_jobs")
        run_id = await connection.fetchval("SELECT (args->>'run_id')::uuid FROM procrastinate_jobs LIMIT 1")
        async with rows_read(connection) as read:
            assert await has_job(connection, "waits", run_id)
        assert read.number < 10
