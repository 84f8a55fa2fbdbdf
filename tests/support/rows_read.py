"""Counts the rows that statements read, so that a test can say what their cost grows with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from forgeguard_app.store.pool import Connection

# Rows of tables that were scanned, and entries of indexes:
# https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-STATS-FUNCTIONS
_READ = """
SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(c.oid)), 0)::bigint FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'i') AND n.nspname IN ('public', 'procrastinate')
"""


@dataclass
class RowsRead:
    """The rows and index entries that were read."""

    number: int = 0


@asynccontextmanager
async def rows_read(connection: Connection) -> AsyncIterator[RowsRead]:
    """Count what the statements of the block read, and take back what they wrote."""
    found = RowsRead()
    transaction = connection.transaction()
    await transaction.start()
    try:
        before: int = await connection.fetchval(_READ)
        yield found
        found.number = await connection.fetchval(_READ) - before
    finally:
        await transaction.rollback()
