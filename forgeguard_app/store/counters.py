"""Sums over all processes, for /metrics."""

from __future__ import annotations

from collections.abc import Mapping

from forgeguard_app.store.pool import Connection


async def add_counts(connection: Connection, counts: Mapping[tuple[str, str], int]) -> None:
    """Adds to the sums, by name and label, always in one order, so that two processes cannot deadlock."""
    await connection.executemany(
        """
        INSERT INTO counters AS c (name, label, value) VALUES ($1, $2, $3)
        ON CONFLICT (name, label) DO UPDATE SET value = c.value + excluded.value, updated_at = now()
        """,
        [(name, label[:100], number) for (name, label), number in sorted(counts.items())],
    )


async def list_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """Every sum by name and label."""
    rows = await connection.fetch("SELECT name, label, value FROM counters ORDER BY name, label LIMIT 1000")
    return {(row["name"], row["label"]): row["value"] for row in rows}
