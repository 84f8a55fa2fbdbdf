"""Lines of builds, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.pool import Connection

KEPT_DAYS = 30
LEAST_LINE_BYTES = 64  # what a row takes beside its text
SOURCES = ("builder", "audit", "system")
LEVELS = ("debug", "info", "warn", "error")


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line to be kept; its secrets are masked already."""

    at: datetime
    source: str
    level: str
    message: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line as kept."""

    number: int
    timestamp: datetime
    source: str
    level: str
    message: str


_COLUMNS = "number, timestamp, source, level, message"


async def insert_lines(connection: Connection, build_id: UUID, lines: Sequence[NewLine]) -> None:
    """Keep the lines in their order; one writer a build."""
    await connection.execute(
        """
        INSERT INTO build_logs (build_id, timestamp, source, level, message)
        SELECT $1, t.at, t.source, t.level, t.message
        FROM unnest($2::timestamptz[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS t(at, source, level,
            message, place)
        ORDER BY t.place
        """,
        build_id,
        [line.at for line in lines],
        [line.source for line in lines],
        [line.level for line in lines],
        [line.message for line in lines],
    )


def line_bytes(message: str) -> int:
    """Return how much a line counts towards a log's bound."""
    return max(len(message.encode("utf-8", "replace")), LEAST_LINE_BYTES)


async def get_printed_bytes(connection: Connection, build_id: UUID) -> int:
    """Return how many bytes are kept of what the build's builder printed, counted as `line_bytes` does."""
    found: int = await connection.fetchval(
        """
        SELECT coalesce(sum(greatest(octet_length(message), $2)), 0)::bigint
        FROM build_logs WHERE build_id = $1 AND source = 'builder'
        """,
        build_id,
        LEAST_LINE_BYTES,
    )
    return found


async def list_lines(connection: Connection, build_id: UUID, after: int, most: int) -> list[LogLine]:
    """Return the lines beyond number `after`, in their order."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM build_logs WHERE build_id = $1 AND number > $2 ORDER BY number LIMIT $3",  # noqa: S608
        build_id,
        after,
        most,
    )
    return [LogLine(**row) for row in rows]


async def list_piece(connection: Connection, build_id: UUID, after: int, most: int, most_bytes: int) -> list[LogLine]:
    """Return the lines beyond number `after`, at most so many and so many bytes of messages; one line at least."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM (
            SELECT {_COLUMNS}, row_number() OVER (ORDER BY number) AS place,
                sum(octet_length(message)) OVER (ORDER BY number) AS size
            FROM (SELECT {_COLUMNS} FROM build_logs WHERE build_id = $1 AND number > $2 ORDER BY number LIMIT $3) next
        ) measured WHERE place = 1 OR size <= $4 ORDER BY number
        """,  # noqa: S608
        build_id,
        after,
        most,
        most_bytes,
    )
    return [LogLine(**row) for row in rows]


async def list_last_lines(connection: Connection, build_id: UUID, before: int | None, most: int) -> list[LogLine]:
    """Return the last lines, or the last before number `before`, in their order."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM build_logs WHERE build_id = $1 AND ($2::bigint IS NULL OR number < $2)
        ORDER BY number DESC LIMIT $3
        """,  # noqa: S608
        build_id,
        before,
        most,
    )
    return [LogLine(**row) for row in reversed(rows)]


async def delete_old_logs(connection: Connection, most: int) -> int:
    """Delete a batch of lines of builds that ended long ago, and return their number.

    A build of which no line is left takes nothing of a quota any more.
    """
    gone = await connection.execute(
        """
        DELETE FROM build_logs WHERE id IN (
            SELECT l.id FROM build_logs l JOIN builds b ON b.id = l.build_id
            WHERE b.completed_at < now() - make_interval(days => $1) LIMIT $2)
        """,
        KEPT_DAYS,
        most,
    )
    await connection.execute(
        """
        UPDATE builds b SET log_bytes = 0 WHERE b.log_bytes > 0 AND b.completed_at < now() - make_interval(days => $1)
            AND NOT EXISTS (SELECT 1 FROM build_logs l WHERE l.build_id = b.id)
        """,
        KEPT_DAYS,
    )
    return int(gone.rpartition(" ")[2])
