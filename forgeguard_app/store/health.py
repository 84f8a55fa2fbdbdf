"""Figures that operators watch, in one reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forgeguard_app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Health:
    """Ages and latencies in seconds; latencies and deliveries are those of the last hour."""

    oldest_unjudged_s: float
    unjudged: int
    jobs: Mapping[str, int]
    deliveries: Mapping[str, int]
    latency_p50_s: float
    latency_p95_s: float


async def read_health(connection: Connection) -> Health:
    """The figures; heads of suspended installations and removed repositories wait by intent and do not count."""
    unjudged = await connection.fetchrow(
        """
        SELECT count(*) AS number, coalesce(extract(epoch FROM now() - min(a.created_at)), 0)::float8 AS age
        FROM audit_runs a JOIN repos r ON r.id = a.repo_id LEFT JOIN installations i ON i.id = r.installation_id
        WHERE a.published_at IS NULL AND r.removed_at IS NULL AND i.status = 'active'
        """
    )
    latency = await connection.fetchrow(
        """
        SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), 0) AS p50,
            coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds), 0) AS p95
        FROM (SELECT extract(epoch FROM published_at - created_at)::float8 AS seconds FROM audit_runs
            WHERE published_at > now() - interval '1 hour') AS published
        """
    )
    jobs = await connection.fetch(
        "SELECT status::text AS name, count(*) AS number FROM procrastinate_jobs WHERE status IN ('todo', 'doing', 'failed') GROUP BY 1"
    )
    deliveries = await connection.fetch(
        "SELECT outcome AS name, count(*) AS number FROM deliveries WHERE received_at > now() - interval '1 hour' GROUP BY 1"
    )
    if unjudged is None or latency is None:
        raise LookupError("an aggregate gives one row")
    return Health(
        oldest_unjudged_s=unjudged["age"],
        unjudged=unjudged["number"],
        jobs={row["name"]: row["number"] for row in jobs},
        deliveries={row["name"]: row["number"] for row in deliveries},
        latency_p50_s=latency["p50"],
        latency_p95_s=latency["p95"],
    )
