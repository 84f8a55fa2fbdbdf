"""Slots that askers share in turn, so that nobody's work keeps another person's waiting."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Hashable


class TooManyWaiting(Exception):
    """The asker has as many waiting as one may have."""


class FairTurns:
    """So many slots; an asker holds one at a time, and those who wait get theirs in turn."""

    def __init__(self, slots: int, waiting_each: int) -> None:
        self._free, self._waiting_each = slots, waiting_each
        self._holds: Counter[Hashable] = Counter()
        # By asker, in the order of their turns.
        self._queues: OrderedDict[Hashable, deque[asyncio.Future[None]]] = OrderedDict()

    def has(self, asker: Hashable) -> bool:
        """Return whether the asker holds a slot or waits for one."""
        return bool(self._holds[asker]) or asker in self._queues

    async def take(self, asker: Hashable) -> None:
        """Wait for a slot, which `give_back` ends.

        Raises:
            TooManyWaiting: the asker has as many waiting as one may have.
        """
        if len(self._queues.get(asker, ())) >= self._waiting_each:
            raise TooManyWaiting
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(asker, deque()).append(turn)
        self._next()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the slot came in the same moment
                self.give_back(asker)
            else:
                self._leave(asker, turn)
            raise

    def give_back(self, asker: Hashable) -> None:
        """End the asker's turn."""
        self._holds[asker] -= 1
        if not self._holds[asker]:
            del self._holds[asker]
        self._free += 1
        self._next()

    def _leave(self, asker: Hashable, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(asker)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[asker]

    def _next(self) -> None:
        """Give free slots to those whose turn it is; who was served goes to the end."""
        for asker in list(self._queues) if self._free else ():
            if not self._free:
                return
            if self._holds[asker]:
                continue
            queue = self._queues.pop(asker)
            while queue and queue[0].done():  # its asker gave up, and leaves in a moment
                queue.popleft()
            if not queue:
                continue
            turn = queue.popleft()
            if queue:
                self._queues[asker] = queue
            self._free -= 1
            self._holds[asker] += 1
            turn.set_result(None)
