"""Figures that operators watch, in one reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.pool import Connection

_HEADS = """
SELECT count(*) FILTER (WHERE publish_error IS NULL) AS unevaluated,
    coalesce(extract(epoch FROM now() - min(a.created_at) FILTER (WHERE publish_error IS NULL)),
        0)::float8 AS age,
    count(*) FILTER (WHERE publish_error IS NOT NULL) AS refused,
    count(*) FILTER (WHERE a.status = 'completed' AND l.waiting_until IS NOT NULL) AS waiting
FROM audit_runs a JOIN repos r ON r.id = a.repo_id LEFT JOIN installations i ON i.id = r.installation_id
LEFT JOIN rate_limits l ON l.github_installation_id = i.github_installation_id
WHERE a.published_at IS NULL AND r.removed_at IS NULL AND i.status = 'active'
"""
_LATENCY = """
SELECT coalesce(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), 0) AS p50,
    coalesce(percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds), 0) AS p95
FROM (SELECT extract(epoch FROM published_at - created_at)::float8 AS seconds FROM audit_runs
    WHERE published_at > now() - interval '1 hour') AS published
"""
_RATES = """
SELECT count(*) FILTER (WHERE blocked_until > now()) AS blocked,
    min(remaining) FILTER (WHERE resets_at > now()) AS lowest,
    coalesce((SELECT max(used) FROM (SELECT sum(writes) AS used FROM rate_uses
        WHERE used_at > now() - interval '1 hour' GROUP BY github_installation_id) AS hour),
            0)::integer AS used,
    (SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '15 seconds') AS workers
FROM rate_limits
"""
_JOBS = """
SELECT status::text AS name, count(*) AS number
FROM procrastinate_jobs WHERE status IN ('todo', 'doing', 'failed')
GROUP BY 1
"""
_DELIVERIES = """
SELECT outcome AS name, count(*) AS number
FROM deliveries WHERE received_at > now() - interval '1 hour'
GROUP BY 1
"""
_RUNNING = """
SELECT j.task_name AS name, max(extract(epoch FROM clock_timestamp() - started.at))::float8 AS age
FROM procrastinate_jobs j CROSS JOIN LATERAL (
    SELECT max(e.at) AS at FROM procrastinate_events e WHERE e.job_id = j.id AND e.type = 'started') AS started
WHERE j.status = 'doing' AND started.at IS NOT NULL GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Health:
    """Ages and latencies in seconds; latencies and deliveries are those of the last hour.

    `writes_used` is the most that any installation used of GitHub's hour; `blocked` counts the installations that
    GitHub told to wait, `waiting` the verdicts that find no room, `refused` those that GitHub does not take.
    """

    oldest_unevaluated_s: float
    unevaluated: int
    waiting: int
    refused: int
    blocked: int
    writes_used: int
    lowest_remaining: int | None
    workers: int
    jobs: Mapping[str, int]
    running_s: Mapping[str, float]  # by job kind, how long the oldest running job has run
    deliveries: Mapping[str, int]
    latency_p50_s: float
    latency_p95_s: float


async def read_health(connection: Connection) -> Health:
    """Return the figures; heads of suspended installations and removed repositories wait by intent and do not count."""
    heads = await connection.fetchrow(_HEADS)
    latency = await connection.fetchrow(_LATENCY)
    rates = await connection.fetchrow(_RATES)
    jobs = await connection.fetch(_JOBS)
    deliveries = await connection.fetch(_DELIVERIES)
    running = await connection.fetch(_RUNNING)
    if heads is None or latency is None or rates is None:
        raise LookupError("an aggregate gives one row")
    return Health(
        oldest_unevaluated_s=heads["age"],
        unevaluated=heads["unevaluated"],
        waiting=heads["waiting"],
        refused=heads["refused"],
        blocked=rates["blocked"],
        writes_used=rates["used"],
        lowest_remaining=rates["lowest"],
        workers=rates["workers"],
        jobs={row["name"]: row["number"] for row in jobs},
        running_s={row["name"]: row["age"] for row in running},
        deliveries={row["name"]: row["number"] for row in deliveries},
        latency_p50_s=latency["p50"],
        latency_p95_s=latency["p95"],
    )


class _Undone(Exception):
    """Takes the probe back."""


async def probe_intake(connection: Connection) -> None:
    """Write what a delivery writes first, and take it back; raise as the database does where it cannot."""
    try:
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO deliveries (github_delivery_id, event, outcome) VALUES "
                "(gen_random_uuid()::text, 'probe', 'ignored')"
            )
            raise _Undone
    except _Undone:
        return


async def read_version(connection: Connection) -> int:
    """PostgreSQL's version as a number, 140000 for 14."""
    return int(await connection.fetchval("SHOW server_version_num"))


@dataclass(frozen=True, slots=True)
class WaitingHead:
    """A head without a verdict at GitHub; `reason` says why where we know."""

    run_id: UUID
    full_name: str
    branch: str | None
    commit_sha: str
    status: str
    waits_s: float
    reason: str | None


async def list_oldest(connection: Connection, most: int) -> list[WaitingHead]:
    """Return the heads that wait the longest."""
    rows = await connection.fetch(
        """
        SELECT a.id AS run_id, r.full_name, a.branch, a.commit_sha, a.status, a.publish_error AS reason,
            extract(epoch FROM now() - a.created_at)::float8 AS waits_s
        FROM audit_runs a JOIN repos r ON r.id = a.repo_id
        WHERE a.published_at IS NULL AND r.removed_at IS NULL ORDER BY a.created_at LIMIT $1
        """,
        most,
    )
    return [WaitingHead(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class UsedBudget:
    """An installation's use of GitHub's limits within the hour, and what GitHub said of them."""

    account_login: str
    writes: int
    remaining: int | None
    blocked_s: float


async def list_budgets(connection: Connection, most: int) -> list[UsedBudget]:
    """Return the installations that used the most."""
    rows = await connection.fetch(
        """
        SELECT coalesce(nullif(i.account_login, ''), l.github_installation_id::text) AS account_login,
            coalesce((SELECT sum(u.writes) FROM rate_uses u WHERE u.github_installation_id = l.github_installation_id
                AND u.used_at > now() - interval '1 hour'), 0)::integer AS writes,
            CASE WHEN l.resets_at > now() THEN l.remaining END AS remaining,
            greatest(coalesce(extract(epoch FROM l.blocked_until - now()), 0), 0)::float8 AS blocked_s
        FROM rate_limits l LEFT JOIN installations i ON i.github_installation_id = l.github_installation_id
        ORDER BY blocked_s DESC, writes DESC LIMIT $1
        """,
        most,
    )
    return [UsedBudget(**row) for row in rows]
