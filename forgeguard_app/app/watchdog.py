"""Ends a worker whose event loop is silent: a call in C that keeps the interpreter's lock stops every thread.

With the threads stop all deadlines, signals and heartbeats, while the worker's connections and the locks that it holds
live on, so that nobody can take over its work. Once the process has ended, the run that it was busy with counts as one
that killed its worker, and the third time it gets a verdict.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
from collections.abc import AsyncIterator

SILENT_S = 60.0  # parsers keep the lock for seconds at most; other workers requeue jobs after 7 s of silence
BEATS = 10  # within that time


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
