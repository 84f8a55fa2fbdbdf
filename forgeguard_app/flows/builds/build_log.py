"""Stores the lines of a build as they come: cleaned, masked, and shown at once to those who watch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from uuid import UUID

from forgeguard_app.audit.secrets.masking import Masker
from forgeguard_app.builders.process import MAX_LINE_BYTES
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.projects.output import clean, cut, read_line
from forgeguard_app.store.build_logs import NewLine, get_printed_bytes, insert_lines, line_bytes
from forgeguard_app.store.changes import notify_change
from forgeguard_app.threads import in_thread

MAX_PRINTED_BYTES = 50 << 20  # of one build's lines that its builder printed
MAX_JOINED_BYTES = 64 << 10  # of one line; what is beyond is not kept


class LogReader:
    """Turns what a build prints into the lines that are kept.

    Masking is the last step before a line is cut: after escapes and JSON are undone, and after the parts of a long line
    are joined, a value stands in the text as a reader would see it. Lines that end in the beginning of a value wait for
    the next ones, or for the end of the output; other lines never wait.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._masker = Masker(known)
        self._held = b""  # the parts of a line whose end has not come
        self._open: list[tuple[str, str]] = []  # the last lines, where a value begins on them that may go on

    def read(self, parts: Sequence[bytes]) -> list[tuple[str, str]]:
        """Return level and message of the lines that end in these parts of a builder's output."""
        lines = [*self._open, *(line for whole in self._joined(parts) for line in read_line(whole))]
        ready = len(lines) - self._masker.count_open([_encoded(text) for _, text in lines])
        self._open = lines[ready:]
        return self._masked(lines[:ready])

    def rest(self) -> list[tuple[str, str]]:
        """Return the lines that no other part came to."""
        held, self._held = self._held, b""
        lines, self._open = [*self._open, *(read_line(held) if held else [])], []
        return self._masked(lines) if lines else []

    def sentences(self, message: str, level: str) -> list[tuple[str, str]]:
        """Return the lines of a message of ours, which may quote others."""
        return self._masked([(level, clean(line)) for line in message.splitlines() or [""]])

    def _joined(self, parts: Sequence[bytes]) -> list[bytes]:
        """Return the lines; a part of the greatest length is continued by the next one."""
        lines: list[bytes] = []
        for part in parts:
            self._held += part[: MAX_JOINED_BYTES - len(self._held)]
            if len(part) < MAX_LINE_BYTES:
                lines.append(self._held)
                self._held = b""
        return lines

    def _masked(self, lines: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        texts = self._masker.mask([_encoded(text) for _, text in lines])
        return [(level, cut(text.decode("utf-8", "replace"))) for (level, _), text in zip(lines, texts, strict=True)]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


class BuildLog:
    """One build's log; its worker alone writes it.

    Of what the builder prints, in all phases and attempts together, `max_bytes` are kept; that the rest is not kept is
    said once. Our own sentences are always kept.
    """

    def __init__(self, context: WorkerContext, build_id: UUID, max_bytes: int = MAX_PRINTED_BYTES) -> None:
        self._context, self._build_id, self._max_bytes = context, build_id, max_bytes
        self._reader = LogReader(context.builder.environment.values())
        self._printed: int | None = None  # bytes that are kept of it, once they were asked for

    async def say(self, message: str, level: str = "info", source: str = "system") -> None:
        """Keep a sentence of ours, after what the builder printed before it."""
        await self._keep_printed(self._reader.rest())
        await self._keep(source, self._reader.sentences(message, level))

    async def hear(self, lines: Sequence[bytes]) -> None:
        """Keep what the builder printed."""
        await self._keep_printed(await in_thread(self._reader.read, lines))

    async def _keep_printed(self, lines: Sequence[tuple[str, str]]) -> None:
        """Keep the lines that there is room for."""
        if not lines:
            return
        if self._printed is None:
            async with self._context.pool.acquire() as connection:
                self._printed = await get_printed_bytes(connection, self._build_id)
        if self._printed > self._max_bytes:
            return
        sizes = list(accumulate((line_bytes(text) for _, text in lines), initial=self._printed))
        kept = [line for line, before in zip(lines, sizes, strict=False) if before <= self._max_bytes]
        self._printed = sizes[-1]
        await self._keep("builder", kept)
        if self._printed > self._max_bytes:
            sentence = (
                f"The builder printed more than {self._max_bytes:,} bytes; what it prints from here on is not kept."
            )
            await self._keep("system", self._reader.sentences(sentence, "warn"))

    async def _keep(self, source: str, lines: Sequence[tuple[str, str]]) -> None:
        if not lines:
            return
        now = datetime.now(UTC)
        async with self._context.pool.acquire() as connection, connection.transaction():
            await insert_lines(connection, self._build_id, [NewLine(now, source, level, text) for level, text in lines])
            await notify_change(connection, self._build_id)
