"""A build's log as it grows: server-sent events, resumed from any line without gap or double, read once for all who watch."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from forgeguard_app.store.build_logs import Line, list_lines
from forgeguard_app.store.builds import find_status
from forgeguard_app.store.pool import Pool
from forgeguard_app.web.keys import CHANGES
from forgeguard_app.web.live import BEAT_S, LONGEST_S, RETRY_MS

AT_ONCE = 1_000
KEPT = 256  # chunks, of which those who watch the same build share the newest
GATHER_S = 0.1  # lines that come so close together are sent together
ENDED = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines as they are sent; `last` is the number of the last one."""

    last: int
    data: bytes


class Tails:
    """What this process has read of logs lately: whoever asks for the same lines shares one reading."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._chunks: OrderedDict[tuple[UUID, int], asyncio.Task[Chunk]] = OrderedDict()

    async def after(self, build_id: UUID, number: int) -> Chunk:
        """The lines beyond a number, as many as are sent at once; without data where there are none yet."""
        key = (build_id, number)
        task = self._chunks.get(key)
        if task is None:
            task = self._chunks[key] = asyncio.create_task(self._read(build_id, number))
            task.add_done_callback(lambda done: self._settle(key, done))
            while len(self._chunks) > KEPT:
                self._chunks.popitem(last=False)
        return await asyncio.shield(task)

    def _settle(self, key: tuple[UUID, int], task: asyncio.Task[Chunk]) -> None:
        """What is empty, or failed, is read anew by whoever asks next."""
        if self._chunks.get(key) is task and (task.cancelled() or task.exception() or not task.result().data):
            del self._chunks[key]

    async def _read(self, build_id: UUID, number: int) -> Chunk:
        async with self.pool.acquire() as connection:
            lines = await list_lines(connection, build_id, number, AT_ONCE)
        return Chunk(lines[-1].number if lines else number, b"".join(map(_event, lines)))


TAILS: web.AppKey[Tails] = web.AppKey("TAILS")


def _event(line: Line) -> bytes:
    told = {
        "number": line.number,
        "timestamp": line.timestamp.isoformat(),
        "source": line.source,
        "level": line.level,
        "message": line.message,
    }
    return f"id: {line.number}\nevent: line\ndata: {json.dumps(told, ensure_ascii=False)}\n\n".encode()


def resume_from(request: web.Request) -> int:
    """The last line that whoever asks has: `Last-Event-ID`, which browsers send by themselves, else `after`.

    Raises:
        HTTPBadRequest: it is no number of a line.
    """
    text = request.headers.get("Last-Event-ID", request.query.get("after", "")) or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise web.HTTPBadRequest(reason="Last-Event-ID is the id of a line.")
    return int(text)


async def stream_log(request: web.Request, build_id: UUID) -> web.StreamResponse:
    """The lines as they come, until the build is at its end and everything was sent."""
    at = resume_from(request)
    try:
        async with request.app[CHANGES].of(build_id) as changed:
            response = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            )
            await response.prepare(request)
            await response.write(f"retry: {RETRY_MS}\n\n".encode())
            try:
                async with asyncio.timeout(LONGEST_S):
                    await _tell(request, response, build_id, at, changed)
            except (TimeoutError, ConnectionError):
                pass
            return response
    except OverflowError:
        raise web.HTTPServiceUnavailable(reason="Too many pages wait; load the page again later.") from None


async def _tell(
    request: web.Request, response: web.StreamResponse, build_id: UUID, at: int, changed: asyncio.Event
) -> None:
    tails = request.app[TAILS]
    while True:
        changed.clear()
        ended = await _ended(request, build_id)
        chunk = await tails.after(build_id, at)
        if chunk.data:
            await response.write(chunk.data)
            at = chunk.last
            continue
        if ended:
            await response.write(b"event: end\ndata: \n\n")
            return
        try:
            async with asyncio.timeout(BEAT_S):
                await changed.wait()
            await asyncio.sleep(GATHER_S)
        except TimeoutError:
            await response.write(b": still here\n\n")


async def _ended(request: web.Request, build_id: UUID) -> bool:
    """Asked before the lines are read: what comes after the end's last line is nothing."""
    async with request.app[TAILS].pool.acquire() as connection:
        status = await find_status(connection, build_id)
    return status is None or status in ENDED
