"""A deadline for a whole job, whatever it waits for: a slot of a worker is never lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

LEAVE_S = 90.0  # a job that is told to end may hand its work back, also while the database is away
_left_behind: set[asyncio.Task[None]] = set()
log = structlog.get_logger()


class DeadlineExceeded(Exception):
    """A job did not end within its deadline."""


async def _end(task: asyncio.Task[None], leave_s: float) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=leave_s)
    if not task.done():
        _left_behind.add(task)
        task.add_done_callback(_left_behind.discard)
        log.error("job.left_behind", leave_s=leave_s)


async def end_by(work: Coroutine[Any, Any, None], deadline_s: float, leave_s: float = LEAVE_S) -> None:
    """Await the work for at most `deadline_s` seconds; then it is cancelled, and after `leave_s` more left behind.

    Raises:
        DeadlineExceeded: the deadline has passed.
        Exception: as the work raises it.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=deadline_s)
    except asyncio.CancelledError:
        await _end(task, leave_s)
        raise
    if task.done():
        return task.result()
    await _end(task, leave_s)
    raise DeadlineExceeded(f"the job did not end within {deadline_s:g} s")
