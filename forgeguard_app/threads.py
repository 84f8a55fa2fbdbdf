"""Threads that nobody waits for at the end of the process, and the count of those that were left behind."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
GRACE_S = 5.0  # in which a thread that is left behind may meet its limit, before it counts


class LeftThreads:
    """The threads of this process whose callers wait for them no more, and that have not ended within `grace_s`.

    A thread cannot be ended from outside: each takes a share of the interpreter until it ends by itself.
    """

    def __init__(self, grace_s: float = GRACE_S) -> None:
        self._grace_s = grace_s
        self._left: dict[threading.Thread, float] = {}  # since when, in seconds of the monotonic clock
        self._counted: set[threading.Thread] = set()

    def add(self, thread: threading.Thread) -> None:
        """Note that nobody waits for the thread any more."""
        self._left[thread] = time.monotonic()

    def list_functions(self) -> list[str]:
        """Return the name of the function that each of them runs."""
        return [thread.name for thread in self._list()]

    def pop_new(self) -> Counter[str]:
        """Return how many there are by function that were not counted before."""
        new = [thread for thread in self._list() if thread not in self._counted]
        self._counted.update(new)
        return Counter(thread.name for thread in new)

    def _list(self) -> list[threading.Thread]:
        self._left = {thread: since for thread, since in self._left.items() if thread.is_alive()}
        self._counted &= self._left.keys()
        now = time.monotonic()
        return [thread for thread, since in self._left.items() if now - since >= self._grace_s]


LEFT = LeftThreads()


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run the function in a thread of its own and return its result.

    `asyncio.to_thread` shares a bounded pool, and the process waits at its end until the pool is idle.
    A thread that was left behind at a time limit would occupy the one and delay the other. It is noted in `LEFT`.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def tell(result: T | None, error: BaseException | None) -> None:
        if future.done():  # nobody waits any more
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast(T, result))

    def work() -> None:
        result: T | None = None
        failed: BaseException | None = None
        try:
            result = context.run(function, *args, **kwargs)
        except StopIteration as error:
            # No future takes it: a caller would wait for ever.
            failed = RuntimeError("a function in a thread raised StopIteration")
            failed.__cause__ = error
        except BaseException as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, result, failed)

    thread = threading.Thread(target=work, name=getattr(function, "__name__", "function"), daemon=True)
    thread.start()
    try:
        return await future
    except asyncio.CancelledError:
        LEFT.add(thread)
        raise
