"""The doctor's questions, each asked of the part that it is about."""

from __future__ import annotations

from collections.abc import AsyncIterator

from forgeguard_app.app.contexts import contexts
from forgeguard_app.app.database import database
from forgeguard_app.errors import UserError
from forgeguard_app.flows.upkeep.doctor import Diagnosis, examine_database, examine_github
from forgeguard_app.settings import Settings
from forgeguard_app.store.migrate import migrate
from forgeguard_app.store.pool import DATABASE_ERRORS, open_pool


async def examine(settings: Settings) -> AsyncIterator[Diagnosis]:
    """Yield the doctor's diagnoses, part by part."""
    try:
        async with database(settings) as dsn:
            if settings.database_url is None:
                await migrate(dsn)
            pool = await open_pool(dsn, size=2)
            async for sign in examine_database(pool):
                yield sign
            pool.terminate()
    except (UserError, *DATABASE_ERRORS) as error:
        reason = str(error) if isinstance(error, UserError) else type(error.__cause__ or error).__name__
        yield Diagnosis("database", False, f"cannot be reached: {reason}", "start it, or fix FORGEGUARD_DATABASE_URL")
        return
    try:
        async with contexts(settings) as (_, context):
            async for sign in examine_github(context):
                yield sign
    except UserError as error:
        yield Diagnosis("credentials", False, str(error), "run `forgeguard serve` and open the link that it prints")
    except DATABASE_ERRORS:
        return  # the database, of which it was said above
