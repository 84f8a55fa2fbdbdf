"""Puts jobs into Procrastinate's queue on the caller's connection, so that they are durable with what caused them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from forgeguard_app.store.pool import Connection

QUEUE = "forgeguard"


async def enqueue(
    connection: Connection,
    task: str,
    arguments: Mapping[str, str],
    *,
    priority: int = 0,
    not_before: datetime | None = None,
    delay: timedelta | None = None,
) -> None:
    """One job; greater priorities go first. It runs at the earliest at `not_before`, or `delay` from now."""
    await connection.execute(
        """
        SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(
            $1::text, $2::text, $3::integer, NULL, NULL, $4::jsonb, coalesce($5::timestamptz, now() + $6::interval)
        )::procrastinate_job_to_defer_v1])
        """,
        QUEUE,
        task,
        priority,
        json.dumps(dict(arguments)),
        not_before,
        delay,
    )


async def count_waiting(connection: Connection) -> int:
    """How many jobs wait or run."""
    number: int = await connection.fetchval("SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
    return number


async def list_forsaken(connection: Connection, workers: Collection[int]) -> list[int]:
    """The jobs that the queue thinks these workers are working on."""
    rows = await connection.fetch(
        "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = ANY($1::bigint[])", list(workers)
    )
    return [row["id"] for row in rows]
