"""The whole product in one process: simulated GitHub, web server and worker, over a fresh database."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import aiohttp
from aiohttp import web

from forgeguard_app.app.serve import INTAKE_CONNECTIONS, STREAM_CONNECTIONS
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.flows.context.audit_failures import AuditFailures
from forgeguard_app.flows.context.web_context import GitHubApp, Keys, WebContext
from forgeguard_app.flows.context.worker_context import Builder, Timings, WorkerContext
from forgeguard_app.flows.intake.ask_about_repo import ask_about_repo
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client
from forgeguard_app.github.oauth import OAuth
from forgeguard_app.github.tokens import TokenCache
from forgeguard_app.jobs.chores import Chore, list_chores
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.notices import Notices
from forgeguard_app.settings import networks_of
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import CheckRun, Installation, Repository, new_key
from forgeguard_app.store.pool import Connection, Pool, open_pool
from forgeguard_app.web.connections import BODY_S, HEADER_S, Runner
from forgeguard_app.web.live import BEAT_S
from forgeguard_app.web.server import OwnPools, make_web
from tests.support.repositories import WorkTree
from tests.support.stored_jobs import is_compared

APP_ID = 7
OPERATOR = 999_999_999
TIMEOUT_S = 90.0
TIMINGS = Timings(quick_s=600.0)  # on a slow machine too, an audit writes what it writes on a fast one
PRIVATE_KEY, PUBLIC_KEY = new_key()

Reader = Callable[[Connection], Awaitable[object]]


@dataclass
class Product:
    """What a test plays with."""

    github: SimulatedGitHub
    pool: Pool
    context: WorkerContext
    web_context: WebContext
    address: str
    session: aiohttp.ClientSession
    secret: str
    dsn: str
    works: bool
    intake_pool: Pool  # of deliveries; `pool` is that of pages and of the worker

    async def repository(
        self, name: str = "shop", *, private: bool = False, install: bool = True
    ) -> tuple[Repository, Installation | None]:
        """A new repository, installed on."""
        owner = self.github.world.add_account(f"org-{secrets.token_hex(3)}")
        repository = await self.github.create_repository(owner, name, private=private)
        if not install:
            return repository, None
        installation = self.github.install(owner, [repository])
        await self.github.webhooks.settle()
        if self.works:
            await self.idle()
        else:
            await self._learn_visibility()
        return repository, installation

    async def _learn_visibility(self) -> None:
        """What a worker would do first: GitHub is asked whether the repositories are public."""
        async with self.pool.acquire() as connection:
            jobs = await connection.fetch(
                "DELETE FROM procrastinate_jobs WHERE task_name = 'ask_about_repo' AND status = 'todo' RETURNING args"
            )
        context = replace(self.context, tokens=TokenCache(self.context.app))  # a token of it is nobody else's
        for job in jobs:
            await ask_about_repo(context, UUID(json.loads(job["args"])["repo_id"]))

    async def push(self, tree: WorkTree, repository: Repository, branch: str = "main", *refspecs: str) -> str:
        """Pushes over real git HTTP and gives the head."""
        await asyncio.to_thread(
            tree.git,
            "push",
            "--quiet",
            "--force",
            self.github.clone_url(repository),
            *(refspecs or (f"HEAD:refs/heads/{branch}",)),
        )
        return tree.git("rev-parse", "HEAD")

    async def verdicts(self, repository: Repository, sha: str, number: int = len(CheckCode)) -> dict[str, CheckRun]:
        """The completed check runs of a head, by check code, once all are there."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            runs = self.github.world.latest_runs(repository.id, sha)
            if len([run for run in runs if run.status == "completed"]) == number and await self._published(sha):
                return {run.name.split(" ")[2]: run for run in runs}
            await asyncio.sleep(0.02)
        raise AssertionError(
            f"no {number} verdicts on {sha}: "
            f"{[(r.name, r.status) for r in self.github.world.runs_of(repository.id, sha)]}"
        )

    async def _published(self, sha: str) -> bool:
        async with self.pool.acquire() as connection:
            return bool(
                await connection.fetchval(
                    "SELECT bool_and(published_at IS NOT NULL) FROM audit_runs WHERE commit_sha = $1", sha
                )
            )

    async def until(self, read: str | Reader, value: object, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until the reader of the database, or the query, returns the value."""
        deadline = time.monotonic() + timeout_s
        async with self.pool.acquire() as connection:
            while (found := await _read(connection, read)) != value:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{read} returned {found!r} and never {value!r}")
                await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def without_chores(self) -> AsyncIterator[None]:
        """Hold off what a worker looks after beside its jobs, once it is done with what it does at its start; which
        checks are required is asked all the same.
        """
        deadline = time.monotonic() + TIMEOUT_S
        async with contextlib.AsyncExitStack() as all_held:
            for chore in list_chores():
                while chore.name != "required" and not await self._held_off(chore, all_held):
                    if time.monotonic() > deadline:
                        raise AssertionError(f"the worker's chore does not end: {chore.name}")
                    await asyncio.sleep(0.01)
            yield

    async def _held_off(self, chore: Chore, until: contextlib.AsyncExitStack) -> bool:
        """Return whether nobody does the chore from now on, until that ends."""
        async with contextlib.AsyncExitStack() as attempt:
            if not await attempt.enter_async_context(self.context.locks.only_one(chore.lock)):
                return False
            until.push_async_exit(attempt.pop_all())
        return True

    async def compared(self) -> bool:
        """Return whether a worker compared this database's installations with GitHub before."""
        return await is_compared(self.pool)

    async def first_chores(self) -> None:
        """Wait for the end of what a worker compares with GitHub at its start: a test may compare by itself."""
        deadline = time.monotonic() + TIMEOUT_S
        while not await self.compared():
            if time.monotonic() > deadline:
                raise AssertionError("the worker compares nothing with GitHub")
            await asyncio.sleep(0.01)
        async with self.without_chores():
            pass

    async def idle(self) -> None:
        """Wait until nothing is delivered, running, or due within half a minute."""
        await self.github.webhooks.settle()
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            async with self.pool.acquire() as connection:
                if not await connection.fetchval(
                    "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
                    " AND (scheduled_at IS NULL OR scheduled_at < now() + interval '30 seconds')"
                ):
                    return
            await asyncio.sleep(0.02)
        raise AssertionError("work is left over")


@contextlib.asynccontextmanager
async def running(
    dsn: str,
    folder: Path,
    *,
    worker: bool = True,
    notices: Notices | None = None,
    builder: Builder | None = None,
    api_per_minute: int = 600,
    pages_per_minute: int = 1_000_000,
    can_sign_in: bool = True,
    beat_s: float = BEAT_S,
    body_s: float = BODY_S,
    header_s: float = HEADER_S,
    proxies: str = "",
    metrics_from: str = "127.0.0.0/8",
) -> AsyncIterator[Product]:
    """Starts it all; `worker` False leaves the jobs waiting."""
    pool = await open_pool(dsn, size=16)
    pools = OwnPools(await open_pool(dsn, size=INTAKE_CONNECTIONS), await open_pool(dsn, size=STREAM_CONNECTIONS))
    secret = secrets.token_hex(16)
    keys = Keys([b"k" * 32])
    async with SimulatedGitHub(folder / "github", secondary_limits=False) as github, aiohttp.ClientSession() as session:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        known = github.register_app(APP_ID, PUBLIC_KEY, secret, f"{address}/webhooks/github")
        oauth = OAuth(github.address, known.client_id, known.client_secret) if can_sign_in else None
        client = Client(session, github.api_url)
        known_app = GitHubApp(client, github.address, address, oauth, (secret.encode(),), known.slug)
        known_app.access = AppAccess(client, APP_ID, (PRIVATE_KEY,))
        web_context = WebContext(pool, keys, known_app, frozenset({OPERATOR}), api_per_minute, pages_per_minute)
        web_context = replace(
            web_context,
            trusted_proxies=networks_of(proxies),
            metrics_from=networks_of(metrics_from),
            figures_kept_s=0.0,
        )
        app_of_pages = make_web(web_context, dsn, pools=pools, beat_s=beat_s, body_s=body_s)
        runner = Runner(app_of_pages, header_s=header_s, shutdown_s=0.2)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        client = Client(session, github.api_url)
        app = AppAccess(client, APP_ID, (PRIVATE_KEY,))
        context = WorkerContext(
            pool,
            client,
            app,
            TokenCache(app),
            Evaluator(),
            folder / "home",
            github.address,
            address,
            keys.links,
            keys.notices,
            notices or Notices(),
            builder=builder or Builder(),
            timings=TIMINGS,
            audit_failures=AuditFailures(again_s=0.0),
            signs_links=not can_sign_in,
        )
        stop = asyncio.Event()
        product = Product(github, pool, context, web_context, address, session, secret, dsn, worker, pools.intake)
        first = worker and not await product.compared()
        task = asyncio.create_task(run_worker(dsn, context, stop)) if worker else None
        try:
            if first:
                await product.first_chores()
            yield product
        finally:
            stop.set()
            if task is not None:
                await task
            await runner.cleanup()
    for used in (pool, pools.intake, pools.streams):
        used.terminate()


async def _read(connection: Connection, read: str | Reader) -> object:
    return await (connection.fetchval(read) if isinstance(read, str) else read(connection))


def free_port() -> int:
    """A port on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
