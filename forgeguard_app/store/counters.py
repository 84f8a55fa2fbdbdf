"""Sums over all processes, for /metrics."""

from __future__ import annotations

from collections.abc import Mapping

from forgeguard_app.store.pool import Connection


async def add_counts(connection: Connection, counts: Mapping[tuple[str, str], int]) -> None:
    """Add to the sums, by name and label, always in one order, so that two processes cannot deadlock."""
    await connection.executemany(
        """
        INSERT INTO counters AS c (name, label, value) VALUES ($1, $2, $3)
        ON CONFLICT (name, label) DO UPDATE SET value = c.value + excluded.value, updated_at = now()
        """,
        [(name, label[:100], number) for (name, label), number in sorted(counts.items())],
    )


async def list_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Return every sum by name and label."""
    rows = await connection.fetch("SELECT name, label, value FROM counters ORDER BY name, label LIMIT 1000")
    return {(row["name"], row["label"]): row["value"] for row in rows}


async def list_recent(connection: Connection, name: str, within_s: float) -> list[str]:
    """Return the labels of a sum to which something was added within the last seconds."""
    rows = await connection.fetch(
        """
        SELECT label FROM counters WHERE name = $1 AND updated_at > clock_timestamp() - make_interval(secs => $2)
        ORDER BY label
        """,
        name,
        within_s,
    )
    return [row["label"] for row in rows]


async def claim_turn(connection: Connection, name: str, every_s: float) -> bool:
    """Return whether what is done every so often, by whichever process, is due; then it is the caller's turn."""
    found = await connection.fetchval(
        """
        INSERT INTO counters AS c (name, label, value) VALUES ('turns', $1, 1)
        ON CONFLICT (name, label) DO UPDATE SET value = c.value + 1, updated_at = clock_timestamp()
        WHERE c.updated_at < clock_timestamp() - make_interval(secs => $2)
        RETURNING true
        """,
        name,
        every_s,
    )
    return bool(found)


async def bring_turn_forward(connection: Connection, name: str, every_s: float, in_s: float) -> None:
    """Make what is done every `every_s` due again in `in_s` seconds, where it would be later."""
    await connection.execute(
        """
        UPDATE counters SET updated_at = least(updated_at,
            clock_timestamp() - make_interval(secs => $2::float8 - $3::float8))
        WHERE name = 'turns' AND label = $1
        """,
        name,
        every_s,
        in_s,
    )


async def drop_turn(connection: Connection, name: str) -> None:
    """Make a claimed turn due again at once, since its work failed."""
    await connection.execute(
        "UPDATE counters SET updated_at = to_timestamp(0) WHERE name = 'turns' AND label = $1", name
    )
