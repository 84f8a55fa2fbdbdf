"""One worker."""

from __future__ import annotations

import asyncio

from forgeguard_app.app.contexts import contexts
from forgeguard_app.app.watchdog import ended_when_silent
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.settings import Settings


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Run one worker until `stop` is set; the process ends where the worker is silent for a minute.

    Raises:
        UserError: see `contexts`.
    """
    async with contexts(settings) as (base, context), ended_when_silent():
        await run_worker(base.dsn, context, stop)
