"""Pages that move: a stream of server-sent events that says when a repository's audits changed."""

from __future__ import annotations

import asyncio
from uuid import UUID

from aiohttp import web

from forgeguard_app.web.access import id_of, open_audit, open_named
from forgeguard_app.web.keys import CHANGES

BEAT_S = 20.0  # a comment now and then, so that no proxy thinks the stream is dead
LONGEST_S = 1_800.0  # then the browser comes again, and who may see what is asked again
RETRY_MS = 2_000


async def repo_events(request: web.Request) -> web.StreamResponse:
    """Changes of a repository's audits."""
    seen = await open_named(request)
    return await stream_changes(request, seen.repo.id)


async def audit_events(request: web.Request) -> web.StreamResponse:
    """Changes around one audit."""
    _, seen = await open_audit(request, id_of(request, "run_id"))
    return await stream_changes(request, seen.repo.id)


async def stream_changes(request: web.Request, subject_id: UUID) -> web.StreamResponse:
    """Whenever something about the subject, a repository or a build, changed."""
    changes = request.app[CHANGES]
    try:
        async with changes.of(subject_id) as changed:
            response = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            )
            await response.prepare(request)
            await response.write(f"retry: {RETRY_MS}\n\n".encode())
            # What changed between the page's rendering and this moment is not to be missed.
            await response.write(b"event: changed\ndata: \n\n")
            try:
                async with asyncio.timeout(LONGEST_S):
                    await _tell(response, changed)
            except (TimeoutError, ConnectionError):
                pass
            return response
    except OverflowError:
        raise web.HTTPServiceUnavailable(reason="Too many pages wait; load the page again later.") from None


async def _tell(response: web.StreamResponse, changed: asyncio.Event) -> None:
    while True:
        try:
            async with asyncio.timeout(BEAT_S):
                await changed.wait()
            changed.clear()
            await response.write(b"event: changed\ndata: \n\n")
        except TimeoutError:
            await response.write(b": still here\n\n")
