"""Reads and changes the queue of jobs, in the words of a test."""

from __future__ import annotations

from forgeguard_app.store.pool import Connection, Pool


async def count_jobs(database: Connection | Pool, task: str | None = None) -> int:
    """Return the number of jobs in whatever state, or of those of the task."""
    number: int = await database.fetchval(
        "SELECT count(*) FROM procrastinate_jobs WHERE task_name = $1 OR $1 IS NULL", task
    )
    return number


async def count_waiting_jobs(database: Connection | Pool, task: str) -> int:
    """Return the number of jobs of the task that no worker has begun."""
    number: int = await database.fetchval(
        "SELECT count(*) FROM procrastinate_jobs WHERE task_name = $1 AND status = 'todo'", task
    )
    return number


async def count_jobs_by_task(database: Connection | Pool) -> dict[str, int]:
    """Return the number of jobs of each task that has any, in whatever state."""
    rows = await database.fetch("SELECT task_name, count(*) AS number FROM procrastinate_jobs GROUP BY task_name")
    return {row["task_name"]: row["number"] for row in rows}


async def get_most_attempts(database: Connection | Pool, task: str) -> int | None:
    """Return the number of attempts of the job of the task that had most; None where the task has no job."""
    number: int | None = await database.fetchval(
        "SELECT max(attempts) FROM procrastinate_jobs WHERE task_name = $1", task
    )
    return number


async def get_most_attempts_of_waiting(database: Connection | Pool, task: str) -> int | None:
    """Return the number of attempts of that job of the task that had most and waits; None where no job waits."""
    number: int | None = await database.fetchval(
        "SELECT max(attempts) FROM procrastinate_jobs WHERE task_name = $1 AND status = 'todo'", task
    )
    return number


async def was_attempted(database: Connection | Pool, task: str, more_than: int) -> bool:
    """Return whether a job of the task had more attempts than so many."""
    return (await get_most_attempts(database, task) or 0) > more_than


async def is_retried(database: Connection | Pool) -> bool:
    """Return whether a job waits that was attempted before."""
    retried: bool = await database.fetchval(
        "SELECT count(*) > 0 FROM procrastinate_jobs WHERE attempts > 0 AND status = 'todo'"
    )
    return retried


async def has_failed_for_good(database: Connection | Pool, task: str) -> bool:
    """Return whether a job of the kind was given up."""
    found: bool = await database.fetchval(
        "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE task_name = $1 AND status = 'failed')", task
    )
    return found


async def is_scheduled(database: Connection | Pool, task: str) -> bool:
    """Return whether a job of the task has a time before which it is not begun."""
    scheduled: bool = await database.fetchval(
        "SELECT count(*) > 0 FROM procrastinate_jobs WHERE task_name = $1 AND scheduled_at IS NOT NULL", task
    )
    return scheduled


async def is_compared(database: Connection | Pool) -> bool:
    """Return whether a worker began to compare the installations with GitHub."""
    compared: bool = await database.fetchval(
        "SELECT EXISTS (SELECT 1 FROM counters WHERE name = 'turns' AND label = 'sync')"
    )
    return compared


async def add_jobs(database: Connection | Pool, number: int, later_s: int | None = None) -> None:
    """Add so many jobs that wait, of nobody and for nothing; due at once, or in so many seconds.

    PostgreSQL knows of them at once, as its autovacuum would have it know a minute later.
    """
    await database.execute(
        """
        INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at)
        SELECT 'others', 'none', now() + make_interval(secs => $2) FROM generate_series(1, $1)
        """,
        number,
        later_s,
    )
    await database.execute("ANALYZE procrastinate_jobs")


async def drop_jobs(database: Connection | Pool) -> None:
    """Delete every job, as if its work were lost."""
    await database.execute("DELETE FROM procrastinate_jobs")


async def drop_jobs_of(database: Connection | Pool, task: str) -> None:
    """Delete every job of the task, as if its work were lost."""
    await database.execute("DELETE FROM procrastinate_jobs WHERE task_name = $1", task)


async def make_jobs_due(database: Connection | Pool, task: str | None = None) -> None:
    """Let the jobs that wait be due now: all of them, or those of the task."""
    await database.execute(
        "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo' AND (task_name = $1 OR $1 IS NULL)",
        task,
    )


async def count_rerun_requests(database: Connection | Pool) -> int:
    """Return the number of stored requests for re-runs, done or deferred."""
    number: int = await database.fetchval("SELECT count(*) FROM rerun_requests")
    return number


async def let_rerun_requests_be_due(database: Connection | Pool, hours: int) -> None:
    """Move the time at which each re-run is due so many hours back."""
    await database.execute("UPDATE rerun_requests SET due_at = due_at - make_interval(hours => $1)", hours)


async def age_rerun_requests(database: Connection | Pool, seconds: float) -> None:
    """Let each re-run have been asked for so many seconds earlier."""
    await database.execute("UPDATE rerun_requests SET created_at = created_at - make_interval(secs => $1)", seconds)


async def drop_rerun_requests(database: Connection | Pool) -> None:
    """Delete each request for a re-run, as if nobody had asked."""
    await database.execute("DELETE FROM rerun_requests")
