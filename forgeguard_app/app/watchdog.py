"""Ends a worker that can do no more work: its event loop is silent, or threads were left behind.

A call in C that keeps the interpreter's lock stops every thread.

With the threads stop all deadlines, signals and heartbeats, while the worker's connections and the locks that it holds
live on, so that nobody can take over its work. Once the process has ended, the run that it was busy with counts as one
that killed its worker, and the third time it gets a verdict.

A thread that goes on past its limit takes a share of the interpreter from all others and cannot be ended. What it
evaluated has its verdict; the process ends once as many are left as it has slots for jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
from collections.abc import AsyncIterator

import structlog

from forgeguard_app.jobs.worker import CONCURRENCY
from forgeguard_app.threads import LEFT, LeftThreads

SILENT_S = 60.0  # parsers keep the lock for seconds at most; other workers requeue jobs after 7 s of silence
BEATS = 10  # within that time
LOOK_S = 2.0  # how often left threads are counted
log = structlog.get_logger()


@contextlib.asynccontextmanager
async def ended_when_silent(silent_s: float = SILENT_S) -> AsyncIterator[None]:
    """End the process with status 1 and the stacks of its threads where the loop does not turn for `silent_s`.

    The timer is a thread in C, which waits for no lock of the interpreter:
    https://docs.python.org/3/library/faulthandler.html#dumping-the-tracebacks-after-a-timeout
    """
    faulthandler.dump_traceback_later(silent_s, exit=True)
    beats = asyncio.create_task(_beat(silent_s))
    try:
        yield
    finally:
        beats.cancel()
        await asyncio.gather(beats, return_exceptions=True)
        faulthandler.cancel_dump_traceback_later()


async def _beat(silent_s: float) -> None:
    while True:
        await asyncio.sleep(silent_s / BEATS)
        faulthandler.dump_traceback_later(silent_s, exit=True)


@contextlib.asynccontextmanager
async def stopped_when_threads_are_left(
    stop: asyncio.Event, most: int = CONCURRENCY, left: LeftThreads = LEFT, look_s: float = LOOK_S
) -> AsyncIterator[asyncio.Event]:
    """Set `stop` as soon as `most` threads are left behind; the event that is given is set then, too."""
    found = asyncio.Event()
    watch = asyncio.create_task(_watch(stop, found, most, left, look_s))
    try:
        yield found
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _watch(stop: asyncio.Event, found: asyncio.Event, most: int, left: LeftThreads, look_s: float) -> None:
    while len(functions := left.list_functions()) < most:
        await asyncio.sleep(look_s)
    log.error("worker.threads_left", functions=functions, remedy="the worker ends with status 1 to be started again")
    found.set()
    stop.set()
