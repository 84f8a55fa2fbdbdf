"""Work in threads beside the event loop, in turns: pages of strangers' texts, exports, archives.

A thread shares the interpreter with the loop, which goes on meanwhile; so few work at once, one of each asker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from aiohttp import web

from forgeguard_app.fair_turns import FairTurns, TooManyWaiting
from forgeguard_app.threads import in_thread
from forgeguard_app.web.clients import client_of, network_of
from forgeguard_app.web.session import PERSON

P = ParamSpec("P")
T = TypeVar("T")
AT_ONCE = 3
WAITING_EACH = 16  # works of one asker: a browser that opens all tabs again
WAIT_S = 20.0  # for one's turn


class ThreadTurns:
    """Threads in turns. A slot is free again when its thread has ended, also where nobody waits for it any more."""

    def __init__(self, at_once: int = AT_ONCE, waiting_each: int = WAITING_EACH) -> None:
        self._turns = FairTurns(at_once, waiting_each)
        self._running: set[asyncio.Task[Any]] = set()

    async def work(self, asker: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the function's result.

        Raises:
            HTTPServiceUnavailable: too much is waiting, of this asker or of all.
        """
        task = asyncio.create_task(self._run(asker, lambda: function(*args, **kwargs)))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def _run(self, asker: str, function: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turns.take(asker)
        except (TimeoutError, TooManyWaiting):
            raise web.HTTPServiceUnavailable(reason="Many pages are being made just now; try again soon.") from None
        try:
            return await in_thread(function)
        finally:
            self._turns.give_back(asker)


TURNS: web.AppKey[ThreadTurns] = web.AppKey("TURNS")


async def in_turn(request: web.Request, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the function's result, worked out in a thread when it is the asker's turn.

    Raises:
        HTTPServiceUnavailable: too much is waiting, of this asker or of all.
    """
    return await request.app[TURNS].work(asker_of(request), function, *args, **kwargs)


def asker_of(request: web.Request) -> str:
    """Return whose turn the work of a request takes: a person's, or that of a network where nobody is signed in.

    Of one network a customer may have 65,536 addresses as they are counted, and each would have a turn of its own.
    """
    person = request.get(PERSON)
    return network_of(client_of(request)) if person is None else f"user {person.user_id}"
