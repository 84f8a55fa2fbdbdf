"""Server and worker as processes of their own, forked from a warm one, that can be killed at any await."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import resource
import signal
import sys
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web

from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.flows.context.web_context import GitHubApp, Keys, WebContext
from forgeguard_app.flows.context.worker_context import Timings, WorkerContext
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client
from forgeguard_app.github.limits import Limits
from forgeguard_app.github.oauth import OAuth
from forgeguard_app.github.tokens import TokenCache
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.store.pool import open_pool
from forgeguard_app.vault import Signer
from forgeguard_app.web.server import make_web

# settle_s: what a killed process sent is dealt with by then, also on a machine that does other work as well.
TIMINGS = Timings(
    quick_s=0.15,
    settle_s=1.0,
    lag_s=2.0,
    commit_lag_s=6.0,
    retry_s=0.05,
    longest_retry_s=0.5,
    poll_s=0.25,
    heartbeat_s=0.3,
    stalled_s=1.0,
    sweep_s=0.3,
    reconcile_s=0.7,
    stranded_s=1.5,
    patience_s=1.2,
    heads_s=2.5,
    resync_s=2.5,
)
FULL_DISK_BYTES = 2_048
KEY = [b"k" * 32]


@dataclass(frozen=True)
class Config:
    """What a process of ours is started with."""

    dsn: str
    home: Path
    port: int
    github_url: str
    api_url: str
    app_id: int
    private_key: str
    secret: str
    limits: Limits
    log: Path
    client_id: str
    client_secret: str
    doom: int | None = None
    full_disk: bool = False


class _DoomedLoop(asyncio.SelectorEventLoop):
    """Kills its process, as `kill -9` does, after so many turns."""

    left: int | None = None

    def _run_once(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        super()._run_once()  # type: ignore[misc]


def _run(name: str, config: Config) -> None:
    with contextlib.suppress(OSError):
        log = os.devnull if config.full_disk else config.log
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.TimeStamper(fmt="%H:%M:%S.%f"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "event"]),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    if config.full_disk:
        # Any file that git writes ends early, as on a full disk; a pipe and a socket do not.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_DISK_BYTES, FULL_DISK_BYTES))
    loop = _DoomedLoop()
    loop.left = config.doom
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run({"server": _serve, "worker": _work}[name](config))


async def _serve(config: Config) -> None:
    pool = await open_pool(config.dsn, size=4)
    session = aiohttp.ClientSession()
    client, address = Client(session, config.api_url), f"http://127.0.0.1:{config.port}"
    oauth = OAuth(config.github_url, config.client_id, config.client_secret)
    app = GitHubApp(client, config.github_url, address, oauth, (config.secret.encode(),))
    web_context = WebContext(pool, Keys(KEY), app, pages_per_minute=1_000_000)  # strangers look at pages all the time
    runner = web.AppRunner(make_web(web_context, None), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", config.port).start()
    await asyncio.Event().wait()


async def _work(config: Config) -> None:
    async with aiohttp.ClientSession() as session:
        pool = await open_pool(config.dsn, size=10)
        client = Client(session, config.api_url)
        app = AppAccess(client, config.app_id, (config.private_key,))
        context = WorkerContext(
            pool,
            client,
            app,
            TokenCache(app),
            Evaluator(),
            config.home,
            config.github_url,
            f"http://127.0.0.1:{config.port}",
            Signer(KEY, "links"),
            Signer(KEY, "notices"),
            timings=TIMINGS,
            limits=config.limits,
        )
        await run_worker(config.dsn, context, asyncio.Event())


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.chaos.processes", "tests.chaos.rehearsal"])


class Keeper:
    """Keeps one process running: whenever it dies it is started again, with the next doom."""

    def __init__(self, name: str, config: Config, dooms: tuple[int, ...]) -> None:
        self.name, self.config, self.deaths = name, config, 0
        self._dooms = list(dooms)
        self._process: BaseProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._kept = False

    async def __aenter__(self) -> Keeper:
        self._kept = True
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._kept = False
        self.kill()
        if self._task is not None:
            await self._task

    def kill(self) -> None:
        """kill -9, now."""
        if self._process is not None and self._process.pid is not None and self._process.exitcode is None:
            os.kill(self._process.pid, signal.SIGKILL)

    def spare(self) -> None:
        """No doom for those that are still to come."""
        self._dooms.clear()

    def heal(self) -> None:
        """The disk has room again: for a process that is started again."""
        self.config = replace(self.config, full_disk=False)
        self.kill()

    async def _keep(self) -> None:
        while self._kept:
            doom = self._dooms.pop(0) if self._dooms else None
            process = FORKS.Process(target=_run, args=(self.name, replace(self.config, doom=doom)), daemon=True)
            self._process = process
            process.start()
            while process.is_alive():
                await asyncio.sleep(0.02)
            self.deaths += 1
            process.close()
            self._process = None


gc.collect()
gc.freeze()  # what is forked from here shares these objects, as long as no collection touches them
