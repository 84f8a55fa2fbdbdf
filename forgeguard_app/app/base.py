"""Resources that every program opens first: a database, a pool, keys and the App's credentials."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from forgeguard_app.app.database import database
from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.web_context import Keys
from forgeguard_app.flows.people.set_up_app import OpenedCredentials, read_credentials
from forgeguard_app.settings import Settings
from forgeguard_app.store.migrate import migrate, schema_state
from forgeguard_app.store.pool import Pool, connecting, pool_of
from forgeguard_app.vault import load_keys


@dataclass(frozen=True)
class ProgramResources:
    """An open database and the keys: what every long-running process needs."""

    settings: Settings
    dsn: str
    pool: Pool
    keys: Keys


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, size: int = 8) -> AsyncIterator[ProgramResources]:
    """Database with its schema current, pool and keys.

    The embedded database is migrated by itself; a configured one is the operator's, and refused until it was.
    """
    async with database(settings) as dsn:
        with connecting():
            if settings.database_url is None:
                await migrate(dsn)
        async with pool_of(dsn, size) as pool:
            with connecting():
                async with pool.acquire() as connection:
                    state = await schema_state(connection)
            if state:
                raise UserError(state)
            secret = settings.secret_key.get_secret_value() if settings.secret_key else None
            yield ProgramResources(settings, dsn, pool, Keys(load_keys(secret, settings.home)))


async def credentials_of(base: ProgramResources) -> OpenedCredentials | None:
    """Return the App's credentials: the environment's, else those that set-up made; None in set-up mode.

    Raises:
        UserError: see `read_credentials`.
    """
    given, settings = base.settings.app, base.settings
    if given is None:
        return await read_credentials(base.pool, base.keys)
    return OpenedCredentials(
        given.app_id,
        "",
        given.private_keys,
        given.webhook_secrets,
        given.client_id,
        given.client_secret,
        settings.github_url,
        settings.github_api_url,
        settings.address,
    )
