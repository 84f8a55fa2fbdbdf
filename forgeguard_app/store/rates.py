"""The rate budgets that all processes share: recent use, and what GitHub said."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.pool import Connection

KEPT_S = 7_200
APP = 0  # the row of the App itself


@dataclass(frozen=True, slots=True)
class RateUse:
    """One batch of requests: seconds since it was begun, and since it ended (None: it may be under way)."""

    requests: int
    writes: int
    begun_s: float
    ended_s: float | None


@dataclass(frozen=True, slots=True)
class RateBudget:
    """An installation's remaining budget: GitHub's own pause, in seconds from now, and the use within the window."""

    blocked_s: float
    remaining: int | None
    resets_s: float
    uses: tuple[RateUse, ...]


async def lock_budget(
    connection: Connection, github_installation_id: int, window_s: float, minute_s: float
) -> RateBudget:
    """Return the installation's budget, held against all others until the transaction ends."""
    row = await connection.fetchrow(
        """
        INSERT INTO rate_limits AS r (github_installation_id) VALUES ($1)
        ON CONFLICT (github_installation_id) DO UPDATE SET updated_at = now()
        RETURNING coalesce(extract(epoch FROM blocked_until - clock_timestamp()), 0)::float8 AS blocked_s, remaining,
            coalesce(extract(epoch FROM resets_at - clock_timestamp()), 0)::float8 AS resets_s
        """,
        github_installation_id,
    )
    uses = await connection.fetch(
        """
        SELECT requests, writes, extract(epoch FROM clock_timestamp() - used_at)::float8 AS begun_s,
            extract(epoch FROM clock_timestamp() - ended_at)::float8 AS ended_s
        FROM rate_uses WHERE github_installation_id = $1 AND (
            (writes > 0 AND used_at > clock_timestamp() - make_interval(secs => $2))
            OR used_at > clock_timestamp() - make_interval(secs => $3))
        """,
        github_installation_id,
        window_s,
        minute_s,
    )
    if row is None:
        raise LookupError("an upsert gives its row")
    return RateBudget(**row, uses=tuple(RateUse(**use) for use in uses))


async def insert_use(connection: Connection, github_installation_id: int, requests: int, writes: int) -> UUID:
    """Store that a batch of requests is about to leave."""
    found: UUID = await connection.fetchval(
        "INSERT INTO rate_uses (github_installation_id, requests, writes) VALUES ($1, $2, $3) RETURNING id",
        github_installation_id,
        requests,
        writes,
    )
    return found


async def end_use(connection: Connection, use_id: UUID) -> None:
    """Note that its last answer is here."""
    await connection.execute("UPDATE rate_uses SET ended_at = clock_timestamp() WHERE id = $1", use_id)


async def set_blocked(connection: Connection, github_installation_id: int, seconds: float) -> None:
    """GitHub said to wait; the longest wait holds."""
    await connection.execute(
        """
        INSERT INTO rate_limits AS r (github_installation_id, blocked_until)
        VALUES ($1, clock_timestamp() + make_interval(secs => $2))
        ON CONFLICT (github_installation_id) DO UPDATE SET
            blocked_until = greatest(r.blocked_until, excluded.blocked_until), updated_at = now()
        """,
        github_installation_id,
        seconds,
    )


async def find_token_pause(connection: Connection, github_installation_id: int) -> float:
    """Return the seconds until a token of the installation may be asked for; 0 where it may be now."""
    found: float | None = await connection.fetchval(
        """
        SELECT extract(epoch FROM token_pause_until - clock_timestamp())::float8 FROM rate_limits
        WHERE github_installation_id = $1
        """,
        github_installation_id,
    )
    return max(found or 0.0, 0.0)


async def set_token_pause(connection: Connection, github_installation_id: int, seconds: float) -> None:
    """GitHub gave no token: nobody asks for one of the installation until then."""
    await connection.execute(
        """
        INSERT INTO rate_limits AS r (github_installation_id, token_pause_until)
        VALUES ($1, clock_timestamp() + make_interval(secs => $2))
        ON CONFLICT (github_installation_id) DO UPDATE SET
            token_pause_until = greatest(r.token_pause_until, excluded.token_pause_until), updated_at = now()
        """,
        github_installation_id,
        seconds,
    )


async def set_remaining(connection: Connection, github_installation_id: int, remaining: int, resets_s: float) -> None:
    """Store the primary limit that GitHub reported."""
    await connection.execute(
        """
        INSERT INTO rate_limits AS r (github_installation_id, remaining, resets_at)
        VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
        ON CONFLICT (github_installation_id) DO UPDATE SET
            remaining = excluded.remaining, resets_at = excluded.resets_at, updated_at = now()
        """,
        github_installation_id,
        remaining,
        resets_s,
    )


async def schedule_waiting(connection: Connection, github_installation_id: int, after_s: float, stale_s: float) -> bool:
    """Note when what waits is to be published; True where the caller is to enqueue the job for it."""
    found = await connection.fetchval(
        """
        INSERT INTO rate_limits AS r (github_installation_id, waiting_until)
        VALUES ($1, clock_timestamp() + make_interval(secs => $2))
        ON CONFLICT (github_installation_id) DO UPDATE SET waiting_until = excluded.waiting_until, updated_at = now()
        WHERE r.waiting_until IS NULL OR r.waiting_until < clock_timestamp() - make_interval(secs => $3)
        RETURNING true
        """,
        github_installation_id,
        after_s,
        stale_s,
    )
    return bool(found)


async def unschedule_waiting(connection: Connection, github_installation_id: int) -> None:
    """Note that the job for what waits has begun: the next one that finds no room enqueues another."""
    await connection.execute(
        "UPDATE rate_limits SET waiting_until = NULL WHERE github_installation_id = $1", github_installation_id
    )


async def delete_old_uses(connection: Connection) -> None:
    """Delete the uses that no window reaches any more."""
    await connection.execute(
        "DELETE FROM rate_uses WHERE used_at < clock_timestamp() - make_interval(secs => $1)", KEPT_S
    )


async def list_waiting(connection: Connection, github_installation_id: int, most: int) -> list[UUID]:
    """Evaluated runs of the installation that GitHub does not hold yet, the most wanted first.

    Merge groups, then heads of open pull requests and default branches, then the rest; a re-run ranks as its branch;
    heads that a newer push has superseded come last. Those at which GitHub stumbled before come behind all others.
    """
    rows = await connection.fetch(
        """
        SELECT a.id FROM audit_runs a JOIN repos r ON r.id = a.repo_id JOIN installations i ON i.id = r.installation_id
        WHERE i.github_installation_id = $1 AND a.published_at IS NULL AND a.publish_error IS NULL
            AND a.status IN ('completed', 'error', 'cancelled') AND r.removed_at IS NULL
        ORDER BY EXISTS (SELECT 1 FROM check_runs c WHERE c.audit_run_id = a.id AND c.sending_at IS NOT NULL),
            EXISTS (
                SELECT 1 FROM audit_runs newer WHERE newer.repo_id = a.repo_id AND newer.branch = a.branch
                    AND newer.created_at > a.created_at AND newer.commit_sha <> a.commit_sha
            ),
            CASE WHEN a.trigger = 'merge_group' THEN 0
                WHEN a.branch = r.default_branch OR a.trigger = 'pull_request' OR EXISTS (
                    SELECT 1 FROM pulls p WHERE p.repo_id = a.repo_id AND p.state = 'open' AND p.head_sha = a.commit_sha
                ) THEN 1
                WHEN a.trigger = 'installation' THEN 3 ELSE 2 END,
            a.created_at
        LIMIT $2
        """,
        github_installation_id,
        most,
    )
    return [row["id"] for row in rows]
