"""Live pages under test: a proxy that counts what browsers ask for, and the changes that the pages are to show."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from uuid import UUID

import aiohttp
from aiohttp import web

from forgeguard_app.flows.builds.end_build import end_build
from forgeguard_app.store.audit_findings import StoredCheck
from forgeguard_app.store.audits import NewRun, Verdict, begin_run, insert_run, store_verdict
from forgeguard_app.store.build_logs import NewLine, insert_lines
from forgeguard_app.store.builds import Loop, begin_phase, find_build, set_loop
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.states import BuildStatus, RunStatus
from tests.support.running import TIMEOUT_S

PASSED = Verdict(
    RunStatus.COMPLETED,
    "PASS",
    None,
    3,
    [(StoredCheck("A9", "Dependency gate", "PASS", "success", "Fine", "", "Fine."), [])],
)
_HOP = {"host", "connection", "transfer-encoding", "content-length", "date", "server"}


class Proxy:
    """Stands between the browser and the server: counts, holds back, refuses."""

    def __init__(self, upstream: str, session: aiohttp.ClientSession) -> None:
        self.upstream, self.session = upstream, session
        self.address = ""
        self.asked: Counter[str] = Counter()
        self.streams = 0  # event streams that are open now
        self.most_streams = 0
        self.followed: list[str] = []  # what each stream asked for
        self.buffers = False  # answers are passed on only when they are whole
        self.refuses_streams = False
        self.gate = asyncio.Event()  # pages wait for it
        self.gate.set()
        self.stream_gate = asyncio.Event()  # streams wait for it
        self.stream_gate.set()
        self._tasks: set[asyncio.Task[object]] = set()

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        self.asked[request.path] += 1
        if request.path == "/events":
            return await self._stream(request)
        await self.gate.wait()
        async with self._ask(request) as answer:
            headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
            response = web.Response(status=answer.status, body=await answer.read())
            response.headers.extend(headers)
            return response

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self.refuses_streams:
            return web.Response(status=503)
        self.streams += 1
        self.followed.append(request.query_string)
        self.most_streams = max(self.most_streams, self.streams)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.stream_gate.wait()
            async with self._ask(request) as answer:
                response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
                held = await answer.read() if self.buffers else b""
                await response.prepare(request)
                await response.write(held)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                return response
        finally:
            self._tasks.discard(task)
            self.streams -= 1

    def cut_streams(self) -> None:
        """End every open stream, as a server that goes away does."""
        for task in self._tasks:
            task.cancel()

    def _ask(self, request: web.Request) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in {"host", "connection"}}
        return self.session.request(
            request.method,
            self.upstream + request.raw_path,
            headers=headers,
            allow_redirects=False,
            data=request.content if request.can_read_body else None,
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def until_streams(self, number: int) -> None:
        """Wait until so many streams are open."""
        await until(lambda: self.streams == number, lambda: f"{self.streams} streams instead of {number}")


@contextlib.asynccontextmanager
async def proxied(upstream: str) -> AsyncIterator[Proxy]:
    """A proxy before the server."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as session:
        proxy, app = Proxy(upstream, session), web.Application(client_max_size=10_000_000)
        app.router.add_route("*", "/{path:.*}", proxy.pass_on)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield proxy
        proxy.cut_streams()
        await runner.cleanup()


async def until(holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        await asyncio.sleep(0.01)


async def wait_for_run(
    pool: Pool, repo_id: UUID, message: str, sha: str | None = None, *, branch: str = "main", author: str | None = None
) -> UUID:
    """A run that waits."""
    async with pool.acquire() as connection, connection.transaction():
        new = NewRun(repo_id, sha or secrets.token_hex(20), branch, commit_message=message, commit_author=author)
        run_id = await insert_run(connection, new)
        await notify_change(connection, repo_id)
        return run_id


async def finish_run(pool: Pool, run_id: UUID, verdict: Verdict) -> None:
    """The run comes to a verdict."""
    async with pool.acquire() as connection, connection.transaction():
        await begin_run(connection, run_id)
        assert await store_verdict(connection, run_id, verdict)


async def stir(pool: Pool, key: UUID) -> None:
    """Tell of a change where nothing that is shown changed."""
    async with pool.acquire() as connection:
        await notify_change(connection, key)


async def speak(pool: Pool, build_id: UUID, *messages: str) -> None:
    """The builder says something."""
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        await insert_lines(connection, build_id, [NewLine(now, "builder", "info", message) for message in messages])
        await notify_change(connection, build_id)


async def name_project(pool: Pool, project_id: UUID, name: str) -> None:
    """The project has another name, as one had before names were looked at."""
    async with pool.acquire() as connection:
        await connection.execute(
            "UPDATE projects SET name = $2::text, description = $2::text WHERE id = $1", project_id, name
        )


async def run_build(pool: Pool, build_id: UUID) -> None:
    """The build runs."""
    async with pool.acquire() as connection, connection.transaction():
        await begin_phase(connection, build_id)
        await notify_change(connection, build_id)


async def loop_build(pool: Pool, build_id: UUID) -> None:
    """Store a failed attempt: the build's page shows another number."""
    async with pool.acquire() as connection, connection.transaction():
        await set_loop(connection, build_id, 0, Loop([], None, None))
        await notify_change(connection, build_id)


async def finish_build(pool: Pool, build_id: UUID, status: BuildStatus) -> None:
    """The build is at its end, and its project with it."""
    async with pool.acquire() as connection, connection.transaction():
        build = await find_build(connection, build_id)
        assert build is not None
        assert await end_build(connection, build, status)
