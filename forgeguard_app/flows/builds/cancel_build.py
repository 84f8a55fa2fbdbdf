"""Somebody cancels a build: its worker ends the builder within seconds; one that no worker took up ends at once."""

from __future__ import annotations

from forgeguard_app.errors import UserError
from forgeguard_app.flows.builds.end_build import end_build
from forgeguard_app.store.builds import Build, request_cancel
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.states import BuildStatus


async def cancel_build(pool: Pool, build: Build, login: str) -> None:
    """Let the build end; what it pushed stays.

    Raises:
        UserError: it is at its end already.
    """
    async with pool.acquire() as connection, connection.transaction():
        status = await request_cancel(connection, build.id)
        if status is None:
            raise UserError("This build is at its end already.")
        if status == BuildStatus.PENDING:
            await end_build(connection, build, BuildStatus.CANCELLED, f"Cancelled by {login} before it began.")
        if status == BuildStatus.AWAITING_APPROVAL:
            await end_build(connection, build, BuildStatus.CANCELLED, f"Cancelled by {login} instead of an approval.")
        await notify_change(connection, build.id)
