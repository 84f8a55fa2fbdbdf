"""Pushes become durable, many that arrive together in one transaction: commits are what bounds the intake.

A push that arrives alone waits for nobody. Nobody is answered before the transaction that holds its push is committed.
Where a long transaction holds a row that a batch needs, its pushes are set aside by installation and taken in turns,
so that no account waits for another one's row.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from forgeguard_app.flows.intake.rank_heads import RANKS
from forgeguard_app.store.deliveries import Delivery, NewPush, insert_pushes
from forgeguard_app.store.pool import Pool, RowLocked

AT_ONCE = 64
SIDE_BY_SIDE = 2  # for each of the two lines
LOCK_WAIT_MS = 250
ANSWER_S = 8.0  # GitHub ends a delivery after 10 s
Answer = tuple[str, UUID | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    delivery: Delivery
    push: NewPush
    answer: asyncio.Future[Answer]
    due_at: float  # by the event loop's clock

    @property
    def installation(self) -> int | None:
        return self.delivery.github_installation_id

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class PushBatcher:
    """Stores the pushes that one server receives, in batches."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: list[_Waiting] = []
        self._writers: set[asyncio.Task[None]] = set()
        self._aside: dict[int | None, list[_Waiting]] = {}  # by installation
        self._turns: deque[int | None] = deque()  # the installations in `_aside` whose pushes nobody stores just now
        self._writers_aside: set[asyncio.Task[None]] = set()

    async def submit(self, delivery: Delivery, push: NewPush) -> Answer:
        """Return the delivery's outcome and audit run, once they are durable.

        Raises:
            RowLocked: another transaction held a row of the push until GitHub's patience ends.
            Exception: as the database raises it.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(delivery, push, loop.create_future(), loop.time() + ANSWER_S)
        if waiting.installation in self._aside:
            self._aside[waiting.installation].append(waiting)
        else:
            self._waiting.append(waiting)
            _start(self._writers, self._store_waiting)
        return await waiting.answer

    async def _store_waiting(self) -> None:
        while self._waiting:
            batch = self._waiting[:AT_ONCE]
            del self._waiting[:AT_ONCE]
            self._set_aside(await self._store(batch))

    async def _store_aside(self) -> None:
        while self._turns:
            installation = self._turns.popleft()
            batch = self._aside[installation][:AT_ONCE]
            del self._aside[installation][:AT_ONCE]
            now = asyncio.get_running_loop().time()
            for waiting in (locked := await self._store(batch)):
                if waiting.due_at <= now:
                    waiting.fail(RowLocked("another transaction holds a row of this push"))
            self._aside[installation][:0] = [waiting for waiting in locked if not waiting.answer.done()]
            if self._aside[installation]:
                self._turns.append(installation)
            else:
                del self._aside[installation]

    def _set_aside(self, locked: list[_Waiting]) -> None:
        """Have the pushes stored by themselves, with those that wait for the same installations."""
        installations = {waiting.installation for waiting in locked}
        for waiting in [*locked, *(waiting for waiting in self._waiting if waiting.installation in installations)]:
            if waiting.installation not in self._aside:
                self._aside[waiting.installation] = []
                self._turns.append(waiting.installation)
            self._aside[waiting.installation].append(waiting)
            _start(self._writers_aside, self._store_aside)
        self._waiting = [waiting for waiting in self._waiting if waiting.installation not in installations]

    async def _store(self, batch: list[_Waiting]) -> list[_Waiting]:
        """Answer the pushes, and return those of which another transaction holds a row."""
        try:
            async with self._pool.acquire() as connection:
                pushes = [(waiting.delivery, waiting.push) for waiting in batch]
                answers = await insert_pushes(connection, pushes, RANKS, LOCK_WAIT_MS)
        except RowLocked:
            return batch
        except Exception as error:
            if len(batch) > 1:  # one of them may be what failed: each by itself
                return [locked for waiting in batch for locked in await self._store([waiting])]
            batch[0].fail(error)
            return []
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)
        return []


def _start(writers: set[asyncio.Task[None]], store: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start one writer more, up to their bound."""

    async def run() -> None:
        try:
            await store()
        finally:  # before anything else runs: a push that arrives then starts another one
            writers.remove(writer)

    if len(writers) < SIDE_BY_SIDE:
        writer = asyncio.create_task(run())
        writers.add(writer)
