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

from forgeguard_app.builders.confinement import NO_WAY, available
from forgeguard_app.errors import Temporary, UserError
from forgeguard_app.flows.context import Builder, Context
from forgeguard_app.flows.examine import Sign, examine_database, examine_github
from forgeguard_app.flows.front import Front, GitHubApp, Keys
from forgeguard_app.flows.reconcile_deliveries import Reconciled, reconcile_deliveries
from forgeguard_app.flows.set_up_app import Credentials, offer_setup, read_credentials, take_up
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client, Refused
from forgeguard_app.github.tokens import Tokens
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.judging.judge import Judge
from forgeguard_app.notices import Notices, reach_beside
from forgeguard_app.settings import Settings
from forgeguard_app.store.embedded import embedded_postgres
from forgeguard_app.store.migrate import migrate, schema_state
from forgeguard_app.store.pool import AWAY, Pool, connecting, open_pool
from forgeguard_app.vault import load_keys
from forgeguard_app.web.server import make_web

SHUTDOWN_S = 2.0
SERVER_CONNECTIONS = 10
WORKER_CONNECTIONS = 10
LOOK_S = 2.0  # how often a server in set-up mode looks whether another one finished it
NO_APP = (
    "there is no App yet: open the one-time link that `forgeguard serve` prints, or set FORGEGUARD_APP_ID, FORGEGUARD_PRIVATE_KEY and "
    "FORGEGUARD_WEBHOOK_SECRET"
)
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
        with connecting():
            if settings.database_url is None:
                await migrate(dsn)
            pool = await open_pool(dsn, size=size)
        try:
            with connecting():
                async with pool.acquire() as connection:
                    state = await schema_state(connection)
            if state:
                raise UserError(state)
            secret = settings.secret_key.get_secret_value() if settings.secret_key else None
            yield Base(settings, dsn, pool, Keys(load_keys(secret, settings.home)))
        finally:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pool.close(), 5)


async def serve(settings: Settings, stop: asyncio.Event, ready: asyncio.Event, app_exists: asyncio.Event) -> None:
    """The web server until `stop` is set; `ready` once it listens, `app_exists` once there is an App to work for."""
    async with opened(settings, size=SERVER_CONNECTIONS) as base, aiohttp.ClientSession() as session:
        app = GitHubApp(Client(session, settings.github_api_url), settings.github_url, settings.address)
        front = Front(base.pool, base.keys, app, settings.operator_ids)
        knowing = asyncio.create_task(_know_app(base, front, app_exists))
        runner = web.AppRunner(make_web(front, base.dsn), access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.host, settings.port, reuse_port=False).start()
            log.info("server.started", address=settings.address, app_id=settings.app_id)
            ready.set()
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({stopped, knowing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            knowing.cancel()
            await runner.cleanup()
            log.info("server.stopped")
        if not stop.is_set():
            await knowing


async def _know_app(base: Base, front: Front, app_exists: asyncio.Event) -> None:
    """Takes the App's credentials up; in set-up mode offers the link, and waits for the App, whichever process makes it.

    Raises:
        UserError: see `credentials_of`.
    """
    credentials = await credentials_of(base)
    if credentials is None:
        token = await offer_setup(base.pool)
        link = f"{base.settings.address}/setup?token={token}"
        log.warning(
            "setup.open", link=link, remedy="open the link once, in the browser in which you are signed in at GitHub"
        )
        while credentials is None:
            await asyncio.sleep(LOOK_S)
            with contextlib.suppress(*AWAY):
                credentials = await credentials_of(base)
    take_up(front, credentials)
    app_exists.set()
    if not credentials.slug and front.app.access is not None:
        with contextlib.suppress(Temporary, Refused):
            front.app.slug = str((await front.app.access.ask("GET", "/app")).get("slug", ""))
    await asyncio.Event().wait()


async def credentials_of(base: Base) -> Credentials | None:
    """The App's credentials: the environment's, else those that set-up made; None in set-up mode.

    Raises:
        UserError: see `read_credentials`.
    """
    given, settings = base.settings.app, base.settings
    if given is None:
        return await read_credentials(base.pool, base.keys)
    return Credentials(
        given.app_id, "", given.private_keys, given.webhook_secrets, given.client_id, given.client_secret,
        settings.github_url, settings.github_api_url, settings.address,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def contexts(settings: Settings) -> AsyncIterator[tuple[Base, Context]]:
    """All that flows are given, opened.

    Raises:
        UserError: there are no App credentials, without which nothing can be asked of GitHub.
    """
    async with opened(settings, size=WORKER_CONNECTIONS) as base, aiohttp.ClientSession() as session:
        credentials = await credentials_of(base)
        if credentials is None:
            raise UserError(NO_APP)
        client = Client(session, credentials.github_api_url)
        app = AppAccess(client, credentials.app_id, credentials.private_keys)
        yield (
            base,
            Context(
                pool=base.pool,
                client=client,
                app=app,
                tokens=Tokens(app),
                judge=Judge(timeout_s=settings.evaluation_timeout_s),
                home=settings.home,
                github_url=credentials.github_url,
                address=credentials.public_url,
                links=base.keys.links,
                notice_keys=base.keys.notices,
                signs_links=not (credentials.client_id and credentials.client_secret),
                builder=_builder(settings),
                notices=Notices(reach_beside(credentials.github_url)),
            ),
        )


def _builder(settings: Settings) -> Builder:
    """Who builds.

    Raises:
        UserError: a command is configured that could not be kept apart from us.
    """
    command = settings.builder_argv
    if command and available(unconfined=settings.builder_unconfined) is None:
        raise UserError(NO_WAY)
    return Builder(command, settings.builder_environment, settings.builder_unconfined)


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
    try:
        async with contexts(settings) as (_, context):
            async for sign in examine_github(context):
                yield sign
    except UserError as error:
        yield Sign("credentials", False, str(error), "run `forgeguard serve` and open the link that it prints")
    except AWAY:
        return  # the database, of which it was said above


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """One worker until `stop` is set.

    Raises:
        UserError: see `contexts`.
    """
    async with contexts(settings) as (base, context):
        await run_worker(base.dsn, context, stop)
