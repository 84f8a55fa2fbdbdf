"""Runs jobs until told to stop, and takes up those whose worker died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta

import structlog
from procrastinate import App
from procrastinate.exceptions import ProcrastinateException

from forgeguard_app.errors import Temporary
from forgeguard_app.flows.context import Context
from forgeguard_app.flows.reconcile_deliveries import reconcile_deliveries
from forgeguard_app.flows.take_up_stranded import take_up_stranded
from forgeguard_app.github.client import Refused
from forgeguard_app.jobs.tasks import make_app
from forgeguard_app.store.pool import AWAY, only_one
from forgeguard_app.store.queue import QUEUE

CONCURRENCY = 4
POLL_S = 1.0
HEARTBEAT_S = 2.0
STALLED_AFTER_S = 7.0
SWEEP_EVERY_S = 2.0
SHUTDOWN_S = 5.0
RECONCILE_EVERY_S = 180.0
RECONCILE_WINDOW = timedelta(days=3)  # what GitHub keeps
RECENT_WINDOW = timedelta(minutes=30)
log = structlog.get_logger()


async def run_worker(dsn: str, context: Context, stop: asyncio.Event, shutdown_s: float = SHUTDOWN_S) -> None:
    """Works until `stop` is set; what is not finished `shutdown_s` later is handed back to the queue."""
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    app = make_app(dsn)
    async with app.open_async():
        worker = asyncio.create_task(
            app.run_worker_async(
                queues=[QUEUE],
                concurrency=CONCURRENCY,
                install_signal_handlers=False,
                listen_notify=True,
                fetch_job_polling_interval=POLL_S,  # for jobs that fall due; new ones announce themselves
                delete_jobs="successful",
                shutdown_graceful_timeout=shutdown_s,
                update_heartbeat_interval=HEARTBEAT_S,
                stalled_worker_timeout=STALLED_AFTER_S,
                additional_context={"context": context},
            )
        )
        sweepers = [asyncio.create_task(_sweep(app)), asyncio.create_task(_reconcile(context))]
        stopping = asyncio.create_task(stop.wait())
        log.info("worker.started")
        try:
            await asyncio.wait({worker, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for sweeper in sweepers:
                sweeper.cancel()
            stopping.cancel()
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker
        log.info("worker.stopped")


async def _reconcile(context: Context) -> None:
    """At start and every few minutes, by one worker at a time: the whole log first, then what is recent."""
    window = RECONCILE_WINDOW
    while True:
        try:
            async with only_one(context.pool, "reconcile") as held:
                if held:
                    await take_up_stranded(context)
                    await reconcile_deliveries(context, window)
                    window = RECENT_WINDOW
        except (Temporary, Refused, *AWAY) as error:
            log.warning("reconcile.failed", reason=str(error)[:200] or type(error).__name__)
        await asyncio.sleep(RECONCILE_EVERY_S)


async def _sweep(app: App) -> None:
    """Jobs whose worker sends no sign of life any more wait again; several sweepers do no harm."""
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        try:
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
                with contextlib.suppress(ProcrastinateException):  # another sweeper was faster
                    await app.job_manager.retry_job(job)
                    log.warning("job.taken_up", job_id=job.id, task=job.task_name)
        except (ProcrastinateException, OSError) as error:
            log.warning("sweep.failed", error=type(error).__name__)
