"""Caches one value, which is read at most once in so many seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

KEPT_S = 1.0
T = TypeVar("T")


class Recent(Generic[T]):
    """Keeps the newest reading for `kept_s`; concurrent callers share one."""

    def __init__(self, kept_s: float = KEPT_S) -> None:
        self._kept_s, self._begun_at = kept_s, 0.0
        self._task: asyncio.Task[T] | None = None

    async def get(self, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the kept value, or what `read` gives."""
        now, task = time.monotonic(), self._task
        if task is None or (task.done() and (now - self._begun_at > self._kept_s or task.exception() is not None)):
            task = self._task = asyncio.create_task(read())
            self._begun_at = now
        waiting: Awaitable[T] = asyncio.shield(task)
        return await waiting
