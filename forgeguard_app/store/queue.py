"""Puts jobs into Procrastinate's queues on the caller's connection, so that they are durable with what caused them.

Each installation has a queue of its own, so that the next job can be chosen fairly among installations.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from forgeguard_app.store.pool import Connection

NAME = "forgeguard"  # of the queue of jobs that belong to no installation
KEPT_TURNS = 100_000
FAIR_EVERY = 4  # of so many jobs one is of the queue that waited longest, whatever their ranks


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
        """
        SELECT EXISTS (SELECT 1 FROM procrastinate_jobs
            WHERE task_name = $1 AND status = 'todo' AND args->>'run_id' = $2)
        """,
        task,
        str(run_id),
    )
    return found


# An index of ours holds the jobs that wait in this order, so that each queue costs two look-ups, however long it is.
_CHOOSE_QUEUE = """
WITH RECURSIVE queues AS (
    (SELECT queue_name FROM procrastinate_jobs WHERE status = 'todo' ORDER BY queue_name LIMIT 1)
    UNION ALL
    SELECT (SELECT j.queue_name FROM procrastinate_jobs j WHERE j.status = 'todo' AND j.queue_name > q.queue_name
        ORDER BY j.queue_name LIMIT 1)
    FROM queues q WHERE q.queue_name IS NOT NULL
), held AS (
    SELECT queue_name, count(*) AS slots FROM procrastinate_jobs WHERE worker_id = $1
        AND status = 'doing' GROUP BY queue_name
), chosen AS (
    SELECT q.queue_name FROM queues q
    CROSS JOIN LATERAL (
        SELECT j.priority, j.id FROM procrastinate_jobs j
        WHERE j.queue_name = q.queue_name AND j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
        ORDER BY j.queue_name, j.priority DESC, j.id LIMIT 1
    ) AS first
    LEFT JOIN held h ON h.queue_name = q.queue_name LEFT JOIN queue_turns t ON t.queue_name = q.queue_name
    CROSS JOIN (SELECT last_value % $3 = 0 AS is_fair FROM queue_turns_turn_seq) AS turns
    ORDER BY coalesce(h.slots, 0) >= $2, CASE WHEN is_fair THEN 0
        ELSE first.priority END DESC, t.turn NULLS FIRST, first.id
    LIMIT 1
)
INSERT INTO queue_turns AS t (queue_name) SELECT queue_name FROM chosen
ON CONFLICT (queue_name) DO UPDATE SET turn = excluded.turn
RETURNING queue_name
"""


async def choose_queue(connection: Connection, worker: int, most_slots: int) -> str | None:
    """Return the queue whose first job the worker is to take next, and note its turn; None where no job is due.

    A queue that has `most_slots` of the worker's jobs under way comes after all that have fewer. Among the others the
    greatest rank goes first, and of equal ranks the queue that was served least recently; every few turns that queue
    goes first whatever its rank, so that no rank keeps another waiting for ever.
    """
    name: str | None = await connection.fetchval(_CHOOSE_QUEUE, worker, most_slots, FAIR_EVERY)
    return name


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
