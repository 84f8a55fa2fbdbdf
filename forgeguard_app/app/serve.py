"""The web server."""

from __future__ import annotations

import asyncio
import contextlib
import os

import aiohttp
import structlog
from aiohttp import web

from forgeguard_app.app.base import ProgramResources, credentials_of, opened
from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.flows.context.web_context import GitHubApp, WebContext
from forgeguard_app.flows.intake import receive_delivery
from forgeguard_app.flows.people.set_up_app import offer_setup, store_app
from forgeguard_app.github.client import Client, RequestRejected
from forgeguard_app.settings import Settings
from forgeguard_app.store.pool import DATABASE_ERRORS, pool_of
from forgeguard_app.web.connections import Runner
from forgeguard_app.web.server import OwnPools, make_web

SHUTDOWN_S = 2.0
# Each of them has a share of the connections to PostgreSQL that the others cannot take. One more listens for changes.
PAGE_CONNECTIONS, STREAM_CONNECTIONS, INTAKE_CONNECTIONS = 5, 3, receive_delivery.CONNECTIONS
LOOK_S = 2.0  # how often a server in set-up mode looks whether another one finished it
log = structlog.get_logger()


async def serve(settings: Settings, stop: asyncio.Event, ready: asyncio.Event, app_exists: asyncio.Event) -> None:
    """Run the web server until `stop` is set; `ready` once it listens, `app_exists` once there is an App."""
    async with (
        opened(settings, size=PAGE_CONNECTIONS) as base,
        pool_of(base.dsn, INTAKE_CONNECTIONS) as intake,
        pool_of(base.dsn, STREAM_CONNECTIONS) as streams,
        aiohttp.ClientSession() as session,
    ):
        app = GitHubApp(Client(session, settings.github_api_url), settings.github_url, settings.address)
        context = WebContext(
            base.pool,
            base.keys,
            app,
            settings.operator_ids,
            trusted_proxies=settings.proxies,
            metrics_from=settings.metrics_networks,
        )
        knowing = asyncio.create_task(_know_app(base, context, app_exists))
        runner = Runner(
            make_web(context, base.dsn, pools=OwnPools(intake, streams)),
            proxies=settings.proxies,
            shutdown_s=SHUTDOWN_S,
        )
        await runner.setup()
        try:
            await _listen(runner, settings)
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


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    """Begin to take requests.

    Raises:
        UserError: the address is taken, or is not this machine's.
    """
    try:
        await web.TCPSite(runner, settings.host, settings.port, reuse_port=False).start()
    except OSError as error:
        # The text of asyncio's error repeats the address; that of a name that does not resolve has no errno of the
        # system.
        why = os.strerror(error.errno) if error.errno is not None and error.errno > 0 else error.strerror
        raise UserError(
            f"cannot listen on {settings.host}, port {settings.port} ({why}): choose others with "
            f"FORGEGUARD_HOST and FORGEGUARD_PORT"
        ) from error


async def _know_app(base: ProgramResources, context: WebContext, app_exists: asyncio.Event) -> None:
    """Take the App's credentials up; in set-up mode offers the link, and waits for the App, whichever process makes
    it.

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
            with contextlib.suppress(*DATABASE_ERRORS):
                credentials = await credentials_of(base)
    store_app(context, credentials)
    app_exists.set()
    if not credentials.slug and context.app.access is not None:
        with contextlib.suppress(RetryLater, RequestRejected):
            context.app.slug = str((await context.app.access.ask("GET", "/app")).get("slug", ""))
    await asyncio.Event().wait()
