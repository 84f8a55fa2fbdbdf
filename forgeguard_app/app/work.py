"""One worker."""

from __future__ import annotations

import asyncio

from forgeguard_app.app.contexts import contexts
from forgeguard_app.app.watchdog import ended_when_silent, stopped_when_threads_are_left
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.settings import Settings


async def work(settings: Settings, stop: asyncio.Event) -> bool:
    """Run one worker until `stop` is set; the process ends where the worker is silent for a minute.

    Returns whether it was told to stop, and did not stop because of threads that were left behind.

    Raises:
        UserError: see `contexts`.
    """
    async with (
        contexts(settings) as (base, context),
        ended_when_silent(),
        stopped_when_threads_are_left(stop) as threads_left,
    ):
        await run_worker(base.dsn, context, stop)
        return not threads_left.is_set()
