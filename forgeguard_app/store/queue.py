"""Puts jobs into Procrastinate's queues on the caller's connection, so that they are durable with what caused them.

Each installation has a queue of its own, so that the next job can be chosen fairly among installations.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from forgeguard_app.store.pool import Connection

NAME = "forgeguard"  # of the queue of jobs that belong to no installation
KEPT_TURNS = 100_000
FAIR_EVERY = 4  # of so many jobs one is of the queue that waited longest, whatever their ranks
# What the job `j` is about, as an index of ours holds it for the jobs that wait or run.
SUBJECT = "coalesce(j.args->>'run_id', j.args->>'request_id', j.args->>'trial_id', j.args->>'build_id')"


async def enqueue(
    connection: Connection,
    task: str,
    arguments: Mapping[str, str],
    *,
    priority: int = 0,
    not_before: datetime | None = None,
    delay: timedelta | None = None,
) -> None:
    """Enqueue one job, in the queue of its installation, where greater priorities go first.

    It runs at the earliest at `not_before`, or `delay` from now.
    """
    await connection.execute(
        """
        SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
            queue_of($3::jsonb), $1::text, $2::integer, NULL,
                NULL, $3::jsonb, coalesce($4::timestamptz, now() + $5::interval)
        )::procrastinate_job_to_defer_v1])
        """,
        task,
        priority,
        json.dumps(dict(arguments)),
        not_before,
        delay,
    )


async def has_job(connection: Connection, task: str, run_id: UUID) -> bool:
    """Return whether a job of that task waits for the audit run."""
    found: bool = await connection.fetchval(
        f"""
        SELECT EXISTS (SELECT 1 FROM procrastinate_jobs j
            WHERE j.task_name = $1 AND j.status = 'todo' AND {SUBJECT} = $2)
        """,  # noqa: S608  (an expression of ours)
        task,
        str(run_id),
    )
    return found


class JobLost(Exception):
    """Another worker took the chosen queue's last due job in the same moment."""


async def take_next_job(connection: Connection, worker: int, most_slots: int) -> dict[str, Any] | None:
    """Let the worker have the job whose turn it is, and note its queue's turn; None where no job is due.

    A queue that has `most_slots` of the worker's jobs under way comes after all that have fewer. Among the others the
    greatest rank goes first, and of equal ranks the queue that was served least recently; every few turns that queue
    goes first whatever its rank, so that no rank keeps another waiting for ever.

    The cost grows with the number of queues and their ranks, not with the number of jobs, whenever they are due.

    Raises:
        JobLost: another worker was faster; the next choice is another one.
    """
    row = await connection.fetchrow("SELECT * FROM take_next_job($1, $2, $3)", worker, most_slots, FAIR_EVERY)
    if row is None:
        return None
    if row["id"] is None:
        raise JobLost
    return {**row, "args": json.loads(row["args"])}


async def delete_old_turns(connection: Connection) -> None:
    """Delete the turns of queues without a job that were served long ago."""
    await connection.execute(
        """
        DELETE FROM queue_turns t WHERE t.turn < (SELECT max(turn) FROM queue_turns) - $1
            AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.queue_name = t.queue_name)
        """,
        KEPT_TURNS,
    )


async def find_rank(connection: Connection, repo_id: UUID, branch: str | None, ranks: Sequence[int]) -> int:
    """Return which of the three ranks a head of the branch has: default branch, open pull requests, everything else."""
    found: int | None = await connection.fetchval("SELECT head_rank($1, $2, $3)", repo_id, branch, list(ranks))
    return ranks[-1] if found is None else found


async def uncount_attempt(connection: Connection, job: int) -> None:
    """Let the job's present attempt not count: it waited for another job, and nothing was tried."""
    await connection.execute(
        "UPDATE procrastinate_jobs SET attempts = attempts - 1 WHERE id = $1 AND status = 'doing'", job
    )


async def count_waiting(connection: Connection) -> int:
    """Count the jobs that wait or run."""
    number: int = await connection.fetchval("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
    return number


async def list_jobs_of_workers(connection: Connection, workers: Collection[int]) -> list[int]:
    """Return the jobs that the queue thinks these workers are working on."""
    rows = await connection.fetch(
        "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = ANY($1::bigint[])", list(workers)
    )
    return [row["id"] for row in rows]
