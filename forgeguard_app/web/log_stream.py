"""A build's log as it grows: server-sent events, resumed from any line without gap or duplicate, read once for all who
watch.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.people.repo_access import SignedOut
from forgeguard_app.store.build_logs import LogLine, list_piece
from forgeguard_app.store.builds import find_status
from forgeguard_app.store.changes import ACCESS, TooManyWatches, Watch, access_of
from forgeguard_app.store.pool import DATABASE_ERRORS, Pool
from forgeguard_app.web.keys import CHANGES

AT_ONCE = 1_000
CHUNK_BYTES = 128 << 10  # of messages read at once
KEPT_BYTES = 8 << 20  # of chunks, which those who watch the same build share
KEPT_S = 10.0
GATHER_S = 0.1  # lines that come so close together are sent together
LEAST_S = 5.0  # between two times at which a stream asks access again since somebody lost theirs
BEAT_S = 20.0  # access is asked again, and no proxy thinks that the stream is dead
LONGEST_S = 1_800.0
LEAST_PART = 0.5  # of a beat, after which the next one comes at the earliest
TICK_S = 1.0  # a closed connection is noticed within it
RETRY_MS = 2_000
ENDED = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines as they are sent, each with its number; `last` is the number of the last one."""

    last: int
    lines: Sequence[tuple[int, str]]

    @property
    def size(self) -> int:
        """Return about how much memory the chunk's lines take, in bytes."""
        return sum(len(line.encode()) for _, line in self.lines)


class Tails:
    """The parts of logs that this process read recently; callers who want the same lines share one reading."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._chunks: OrderedDict[tuple[UUID, int], asyncio.Task[Chunk]] = OrderedDict()
        self._sizes: dict[tuple[UUID, int], int] = {}
        self._timers: dict[tuple[UUID, int], asyncio.TimerHandle] = {}

    @property
    def kept_bytes(self) -> int:
        """Return how many bytes are kept."""
        return sum(self._sizes.values())

    async def after(self, build_id: UUID, number: int) -> Chunk:
        """Return the lines beyond a number, as many as are sent at once; no lines where none were written yet."""
        key = (build_id, number)
        task = self._chunks.get(key)
        if task is None:
            task = self._chunks[key] = asyncio.create_task(self._read(build_id, number))
            task.add_done_callback(lambda done: self._settle(key, done))
        return await asyncio.shield(task)

    def _settle(self, key: tuple[UUID, int], task: asyncio.Task[Chunk]) -> None:
        """Keep a reading for a while; one that is empty or failed is forgotten, so that the next caller reads again."""
        if task.cancelled() or task.exception() or not task.result().lines:
            return self._drop(key, task)
        self._sizes[key] = task.result().size
        self._timers[key] = asyncio.get_running_loop().call_later(KEPT_S, self._drop, key, task)
        while self.kept_bytes > KEPT_BYTES:
            oldest = next(iter(self._sizes))
            self._drop(oldest, self._chunks[oldest])

    def _drop(self, key: tuple[UUID, int], task: asyncio.Task[Chunk]) -> None:
        if self._chunks.get(key) is task:
            del self._chunks[key]
            self._sizes.pop(key, None)
            timer = self._timers.pop(key, None)
            if timer is not None:
                timer.cancel()  # it would hold the chunk until it is due

    async def _read(self, build_id: UUID, number: int) -> Chunk:
        async with self.pool.acquire() as connection:
            lines = await list_piece(connection, build_id, number, AT_ONCE, CHUNK_BYTES)
        return Chunk(lines[-1].number if lines else number, [(line.number, _as_json(line)) for line in lines])


LOG_BEAT_S: web.AppKey[float] = web.AppKey("LOG_BEAT_S")
TAILS: web.AppKey[Tails] = web.AppKey("TAILS")


def _as_json(line: LogLine) -> str:
    fields = {
        "number": line.number,
        "timestamp": line.timestamp.isoformat(),
        "source": line.source,
        "level": line.level,
        "message": line.message,
    }
    return json.dumps(fields, ensure_ascii=False)


def line_number(text: str) -> int | None:
    """Return the number of a line, 0 for no text; None where the text is no such number."""
    text = text or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def resume_from(request: web.Request) -> int:
    """Return the last line that the caller has: `Last-Event-ID`, which browsers send by themselves, else `after`.

    Raises:
        HTTPBadRequest: it is not the number of a line.
    """
    number = line_number(request.headers.get("Last-Event-ID", request.query.get("after", "")))
    if number is None:
        raise web.HTTPBadRequest(reason="Last-Event-ID is the id of a line.")
    return number


async def stream_log(
    request: web.Request, build_id: UUID, user_id: UUID, ask: Callable[[], Awaitable[object]]
) -> web.StreamResponse:
    """Stream the lines as they come, until the build is at its end and everything was sent.

    `ask` raises where the caller may not see the build any more; it is asked at every beat, and when somebody lost
    access.
    """
    at, own = resume_from(request), frozenset({ACCESS, access_of(user_id)})
    try:
        async with request.app[CHANGES].watch({build_id, *own}, of_log=True) as watch:
            response = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            )
            await response.prepare(request)
            # https://html.spec.whatwg.org/multipage/server-sent-events.html
            await response.write(f"retry: {RETRY_MS}\n\n".encode())
            with contextlib.suppress(
                TimeoutError, ConnectionError, RetryLater, SignedOut, web.HTTPException, *DATABASE_ERRORS
            ):
                async with asyncio.timeout(LONGEST_S):
                    await _tell(response, Reader(request, build_id, watch, own, ask), at)
            return response
    except TooManyWatches:
        raise web.HTTPServiceUnavailable(reason="Too many streams are open; ask again later.") from None


class Beats:
    """When a stream asks again who may see what it shows: at beats, and when it is told that access may be gone.

    That somebody lost access somewhere is told to all streams, at anybody's wish: they ask at once, but not again
    within
    `LEAST_S`. What is told of the stream's own person is always followed at once.
    """

    def __init__(self, own: Iterable[UUID], beat_s: float) -> None:
        self._own, self._beat_s = frozenset(own) - {ACCESS}, beat_s
        self._next_at = time.monotonic() + self._until_next()
        self._is_told, self._free_at = False, 0.0

    @property
    def is_due(self) -> bool:
        """Return whether it is time, whatever changed just now."""
        now = time.monotonic()
        return now >= self._next_at or (self._is_told and now >= self._free_at)

    def take(self, changed: AbstractSet[UUID]) -> bool:
        """Return whether the stream is to ask now; then the next beat is counted from here."""
        self._is_told = self._is_told or ACCESS in changed
        if self._own.isdisjoint(changed) and not self.is_due:
            return False
        now = time.monotonic()
        if self._is_told:
            self._is_told, self._free_at = False, now + LEAST_S
        self._next_at = now + self._until_next()
        return True

    def _until_next(self) -> float:
        """Return some time of at most a beat, in seconds, so that streams that opened together do not stay together."""
        return self._beat_s * random.uniform(LEAST_PART, 1.0)


@dataclass(frozen=True, slots=True)
class Reader:
    """One open stream of a build's log."""

    request: web.Request
    build_id: UUID
    watch: Watch
    own: frozenset[UUID]  # the keys under which it is told that the reader's access may be gone
    ask: Callable[[], Awaitable[object]]


async def _tell(response: web.StreamResponse, reader: Reader, at: int) -> None:
    request, build_id, watch = reader.request, reader.build_id, reader.watch
    tails, silent_s, beat_s = request.app[TAILS], 0.0, request.app[LOG_BEAT_S]
    beats = Beats(reader.own, beat_s)
    while not watch.closing and request.transport is not None:
        if beats.take(watch.pop_all()):
            await reader.ask()
        ended = await find_ended(request, build_id)
        chunk = await tails.after(build_id, at)
        if chunk.lines:
            await response.write(b"".join(_event(number, line) for number, line in chunk.lines))
            at = chunk.last
            continue
        if ended:
            await response.write(b"event: end\ndata: \n\n")
            return
        while not watch.event.is_set() and request.transport is not None and silent_s < beat_s and not beats.is_due:
            await watch.wait(TICK_S)
            silent_s += TICK_S
        if silent_s >= beat_s:
            await response.write(b": still here\n\n")
        silent_s = 0.0
        await asyncio.sleep(GATHER_S)


def _event(number: int, line: str) -> bytes:
    return f"id: {number}\nevent: line\ndata: {line}\n\n".encode()


async def find_ended(request: web.Request, build_id: UUID) -> bool:
    """Return whether the build is at its end.

    Ask before its lines are read: nothing comes after the end's last line.
    """
    async with request.app[TAILS].pool.acquire() as connection:
        status = await find_status(connection, build_id)
    return status is None or status in ENDED
