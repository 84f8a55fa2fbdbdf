"""Runs jobs until told to stop, and requeues those whose worker died; waits for a database that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from functools import partial

import structlog
from procrastinate import App
from procrastinate.exceptions import ProcrastinateException
from procrastinate.worker import Worker

from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.jobs.chores import list_chores, prune_mirrors, run_chore, write_counts
from forgeguard_app.jobs.tasks import UnderWay, due_now, make_app
from forgeguard_app.store.claims import set_stopping
from forgeguard_app.store.pool import DATABASE_ERRORS
from forgeguard_app.store.queue import list_jobs_of_workers

CONCURRENCY = 4
SHUTDOWN_S = 5.0
SAY_STOPPING_S = 2.0
END_S = 5.0  # for the queue's worker to end its own tasks after its jobs, before it is cancelled
CANCELLATIONS = 10  # one a second
_PASSING = (ProcrastinateException, *DATABASE_ERRORS)
log = structlog.get_logger()


async def run_worker(dsn: str, context: WorkerContext, stop: asyncio.Event, shutdown_s: float = SHUTDOWN_S) -> None:
    """Run jobs until `stop` is set; jobs that are not finished `shutdown_s` later are requeued."""
    for name, level in (("procrastinate", logging.CRITICAL), ("psycopg.pool", logging.CRITICAL)):
        logging.getLogger(name).setLevel(level)
    loops: dict[str, Callable[[WorkerContext], Awaitable[None]]] = {"counts": write_counts, "disk": prune_mirrors}
    loops |= {chore.name: partial(run_chore, chore) for chore in list_chores()}
    chores = [asyncio.create_task(_kept(name, loop, context)) for name, loop in loops.items()]
    under_way = UnderWay()
    context.stopping.clear()
    log.info("worker.started")
    try:
        while not stop.is_set():
            try:
                await _work(dsn, context, stop, under_way, shutdown_s)
            except _PASSING as error:
                log.warning("worker.database_away", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(context.timings.retry_s):
                    await stop.wait()
    finally:
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)
        with contextlib.suppress(*DATABASE_ERRORS):
            await context.locks.close()
    log.info("worker.stopped")


async def _kept(name: str, chore: Callable[[WorkerContext], Awaitable[None]], context: WorkerContext) -> None:
    """Begin a chore again that fails by a fault of ours: what nobody looks after would be lost without a word."""
    while True:
        try:
            await chore(context)
        except Exception as error:
            context.counts.add("errors", "Chore" + type(error).__name__)
            log.error("chore.failed", chore=name, error=type(error).__name__, exc_info=True)
        await asyncio.sleep(context.timings.retry_s * 10)


async def _work(dsn: str, context: WorkerContext, stop: asyncio.Event, under_way: UnderWay, shutdown_s: float) -> None:
    """Run the queue's worker for one life: until `stop`, or until it lost the database."""
    app, timings = make_app(dsn, context, under_way, max(CONCURRENCY // 2, 1)), context.timings
    async with app.open_async():
        worker = Worker(
            app=app,
            concurrency=CONCURRENCY,
            install_signal_handlers=False,
            listen_notify=True,
            fetch_job_polling_interval=timings.poll_s,
            delete_jobs="successful",
            shutdown_graceful_timeout=shutdown_s,
            update_heartbeat_interval=timings.heartbeat_s,
            stalled_worker_timeout=timings.stalled_s,
            additional_context={"context": context},
        )
        life = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
        sweeper = asyncio.create_task(_sweep(app, context, under_way))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({life, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sweeper.cancel()
            stopping.cancel()
            if stop.is_set():
                await _say_stopping(context)
            await _end(worker, life, shutdown_s + END_S)


async def _end(worker: Worker, life: asyncio.Task[None], within_s: float) -> None:
    """Tell the queue's worker to stop; cancel it where it does not end within `within_s`, and leave it at last.

    Cancelling alone is not enough on Python 3.11: `asyncio.wait_for` drops a cancellation that arrives in the moment
    in which its future is done (https://github.com/python/cpython/issues/86296).

    Raises the error that ended the worker.
    """
    worker.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait({life}, timeout=within_s)
    for _ in range(CANCELLATIONS):
        if life.done():
            break
        log.warning("worker.does_not_stop")
        life.cancel()
        await asyncio.wait({life}, timeout=1.0)
    if life.done() and not life.cancelled():
        life.result()


async def _say_stopping(context: WorkerContext) -> None:
    """Note before anything else that what is under way was not killed by itself, should we be killed before its end."""
    context.stopping.set()
    with contextlib.suppress(*DATABASE_ERRORS):
        async with asyncio.timeout(SAY_STOPPING_S), context.pool.acquire() as connection:
            await set_stopping(connection)


async def _sweep(app: App, context: WorkerContext, under_way: UnderWay) -> None:
    """Jobs whose worker sends no sign of life any more wait again; several sweepers do no harm.

    So do jobs of ours that ended while the database was away, so that the queue never heard of it.
    """
    orphaned: set[int] = set()
    while True:
        await asyncio.sleep(context.timings.sweep_s)
        try:
            stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=context.timings.stalled_s)
            async with context.pool.acquire() as connection:
                listed = await list_jobs_of_workers(connection, under_way.workers)
            orphaned_before, orphaned = orphaned, set(listed) - under_way.jobs
            for number in {job.id for job in stalled if job.id is not None} | (orphaned_before & orphaned):
                with contextlib.suppress(ProcrastinateException):  # another sweeper was faster
                    await app.job_manager.retry_job_by_id_async(number, due_now())
                    log.warning("job.taken_up", job_id=number)
        except _PASSING as error:
            log.warning("sweep.failed", error=type(error).__name__)
