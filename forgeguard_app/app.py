"""The composition root: the one place where the parts meet."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
import structlog
from aiohttp import web

from forgeguard_app.errors import UserError
from forgeguard_app.flows.context import Context
from forgeguard_app.flows.examine import Sign, examine_database, examine_github
from forgeguard_app.flows.front import Front, GitHubApp, Keys
from forgeguard_app.flows.reconcile_deliveries import Reconciled, reconcile_deliveries
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client
from forgeguard_app.github.oauth import OAuth
from forgeguard_app.github.tokens import Tokens
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.judging.judge import Judge
from forgeguard_app.settings import Settings
from forgeguard_app.store.embedded import embedded_postgres
from forgeguard_app.store.migrate import migrate, schema_state
from forgeguard_app.store.pool import AWAY, Pool, open_pool
from forgeguard_app.vault import load_keys
from forgeguard_app.web.server import make_web

SHUTDOWN_S = 2.0
SERVER_CONNECTIONS = 10
WORKER_CONNECTIONS = 10
log = structlog.get_logger()


@dataclass(frozen=True)
class Base:
    """An open database and the keys: what every long-running process needs."""

    settings: Settings
    dsn: str
    pool: Pool
    keys: Keys


@contextlib.asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """The DSN of the configured database, or of the embedded one, started where it does not run."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    async with embedded_postgres(settings.home) as dsn:
        yield dsn


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, size: int = 8) -> AsyncIterator[Base]:
    """Database with its schema current, pool and keys.

    The embedded database is migrated by itself; a configured one is the operator's, and refused until it was.
    """
    async with database(settings) as dsn:
        if settings.database_url is None:
            await migrate(dsn)
        pool = await open_pool(dsn, size=size)
        try:
            async with pool.acquire() as connection:
                if state := await schema_state(connection):
                    raise UserError(state)
            secret = settings.secret_key.get_secret_value() if settings.secret_key else None
            yield Base(settings, dsn, pool, Keys(load_keys(secret, settings.home)))
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pool.close(), 5)


async def serve(settings: Settings, stop: asyncio.Event, ready: asyncio.Event) -> None:
    """The web server until `stop` is set; `ready` once it listens."""
    async with opened(settings, size=SERVER_CONNECTIONS) as base, aiohttp.ClientSession() as session:
        web_app = make_web(make_front(base, session), base.dsn)
        runner = web.AppRunner(web_app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.host, settings.port, reuse_port=False).start()
            log.info("server.started", address=settings.address, app_id=settings.app_id)
            if settings.app is None:
                log.warning("server.no_credentials", remedy="set FORGEGUARD_APP_ID, _PRIVATE_KEY and _WEBHOOK_SECRET")
            ready.set()
            await stop.wait()
        finally:
            await runner.cleanup()
            log.info("server.stopped")


def make_front(base: Base, session: aiohttp.ClientSession) -> Front:
    """What the pages are given, as far as it is configured."""
    settings, credentials = base.settings, base.settings.app
    app = GitHubApp()
    if credentials is not None:
        app.webhook_secrets = credentials.webhook_secrets
        if credentials.client_id and credentials.client_secret:
            app.oauth = OAuth(settings.github_url, credentials.client_id, credentials.client_secret)
    return Front(
        pool=base.pool,
        session=session,
        client=Client(session, settings.github_api_url),
        keys=base.keys,
        github_url=settings.github_url,
        address=settings.address,
        app=app,
        operators=settings.operator_ids,
    )


@contextlib.asynccontextmanager
async def contexts(settings: Settings) -> AsyncIterator[tuple[Base, Context]]:
    """All that flows are given, opened.

    Raises:
        UserError: there are no App credentials, without which nothing can be asked of GitHub.
    """
    credentials = settings.app
    if credentials is None:
        raise UserError("this needs FORGEGUARD_APP_ID, FORGEGUARD_PRIVATE_KEY and FORGEGUARD_WEBHOOK_SECRET")
    async with opened(settings, size=WORKER_CONNECTIONS) as base, aiohttp.ClientSession() as session:
        client = Client(session, settings.github_api_url)
        app = AppAccess(client, credentials.app_id, credentials.private_keys)
        yield (
            base,
            Context(
                pool=base.pool,
                client=client,
                app=app,
                tokens=Tokens(app),
                judge=Judge(),
                home=settings.home,
                github_url=settings.github_url,
                address=settings.address,
                links=base.keys.links,
            ),
        )


async def redeliver(settings: Settings, since: timedelta) -> Reconciled:
    """Compares GitHub's delivery log with the inbox once, and asks again for what is missing."""
    async with contexts(settings) as (_, context):
        return await reconcile_deliveries(context, since)


async def examine(settings: Settings) -> AsyncIterator[Sign]:
    """What the doctor finds, part by part."""
    try:
        async with database(settings) as dsn:
            if settings.database_url is None:
                await migrate(dsn)
            pool = await open_pool(dsn, size=2)
            async for sign in examine_database(pool):
                yield sign
            pool.terminate()
    except (UserError, *AWAY) as error:
        said = str(error) if isinstance(error, UserError) else type(error).__name__
        yield Sign("database", False, f"cannot be reached: {said}", "start it, or mend FORGEGUARD_DATABASE_URL")
        return
    if settings.app is None:
        remedy = "set FORGEGUARD_APP_ID, FORGEGUARD_PRIVATE_KEY and FORGEGUARD_WEBHOOK_SECRET"
        yield Sign("credentials", False, "no App is configured", remedy)
        return
    try:
        async with contexts(settings) as (_, context):
            async for sign in examine_github(context):
                yield sign
    except (UserError, *AWAY):
        return  # the database, of which it was said above


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """One worker until `stop` is set.

    Raises:
        UserError: see `contexts`.
    """
    async with contexts(settings) as (base, context):
        await run_worker(base.dsn, context, stop)
