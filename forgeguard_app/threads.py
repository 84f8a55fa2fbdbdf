"""Threads that nobody waits for at the end of the process."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run the function in a thread of its own and return its result.

    `asyncio.to_thread` shares a bounded pool, and the process waits at its end until the pool is idle.
    A thread that was left behind at a time limit would occupy the one and delay the other.
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

    threading.Thread(target=work, name="evaluation", daemon=True).start()
    return await future
