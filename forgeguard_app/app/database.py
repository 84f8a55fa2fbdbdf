"""Finds the database: the configured one, or an embedded one that starts by itself."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from forgeguard_app.settings import Settings
from forgeguard_app.store.embedded import embedded_postgres


@contextlib.asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[str]:
    """The DSN of the configured database, or of the embedded one, started where it does not run."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    async with embedded_postgres(settings.home) as dsn:
        yield dsn
