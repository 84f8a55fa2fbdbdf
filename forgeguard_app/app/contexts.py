"""Builds the contexts of workers and of the web server from the settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import aiohttp
import structlog

from forgeguard_app.app.base import ProgramResources, credentials_of, opened
from forgeguard_app.builders.confinement import NO_WAY, available
from forgeguard_app.builders.network import Network
from forgeguard_app.builders.workspace import network_note
from forgeguard_app.errors import UserError
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.flows.context.worker_context import Builder, WorkerContext
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client
from forgeguard_app.github.tokens import TokenCache
from forgeguard_app.notices import Notices, reach_beside
from forgeguard_app.settings import Settings

WORKER_CONNECTIONS = 12
log = structlog.get_logger()
NO_APP = (
    "there is no App yet: open the one-time link that `forgeguard serve` prints, or set FORGEGUARD_APP_ID, "
    "FORGEGUARD_PRIVATE_KEY and "
    "FORGEGUARD_WEBHOOK_SECRET"
)


@contextlib.asynccontextmanager
async def contexts(settings: Settings) -> AsyncIterator[tuple[ProgramResources, WorkerContext]]:
    """Open everything that flows are given, and yield the contexts.

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
            WorkerContext(
                pool=base.pool,
                client=client,
                app=app,
                tokens=TokenCache(app),
                evaluator=Evaluator(timeout_s=settings.evaluation_timeout_s),
                home=settings.home,
                github_url=credentials.github_url,
                address=credentials.public_url,
                links=base.keys.links,
                notice_keys=base.keys.notices,
                signs_links=not (credentials.client_id and credentials.client_secret),
                builder=_builder(settings),
                mirror_max_bytes=settings.mirror_max_bytes,
                mirrors_max_bytes=settings.mirrors_max_bytes,
                notices=Notices(reach_beside(credentials.github_url)),
            ),
        )


def _builder(settings: Settings) -> Builder:
    """Return the builder that the settings name.

    Raises:
        UserError: a command is configured that could not be kept apart from us.
    """
    command = settings.builder_argv
    kind = available(unconfined=settings.builder_unconfined)
    if command and kind is None:
        raise UserError(NO_WAY)
    network = Network(settings.builder_network)
    if command and kind is not None and (note := network_note(network, kind)):
        log.warning("builder.network", reason=note)
    return Builder(
        command,
        settings.builder_environment,
        settings.builder_unconfined,
        owners=settings.builder_owner_ids,
        network=network,
        folders=settings.builder_visible,
    )
