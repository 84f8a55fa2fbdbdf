"""Pushes become durable, many that arrive together in one transaction: commits are what bounds the intake.

A push that arrives alone waits for nobody. Nobody is answered before the transaction that holds its push is committed.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from forgeguard_app.flows.intake.rank_heads import RANKS
from forgeguard_app.store.deliveries import Delivery, DurablePush, take_pushes
from forgeguard_app.store.pool import Pool

AT_ONCE = 64
SIDE_BY_SIDE = 2
Answer = tuple[str, UUID | None]


class PushBatcher:
    """Takes pushes in for one server."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: list[tuple[Delivery, DurablePush, asyncio.Future[Answer]]] = []
        self._takers: set[asyncio.Task[None]] = set()

    async def take(self, delivery: Delivery, push: DurablePush) -> Answer:
        """The delivery's outcome and audit run, once they are durable.

        Raises:
            Exception: as the database raises it.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, push, future))
        if len(self._takers) < SIDE_BY_SIDE:
            taker = asyncio.create_task(self._take_waiting())
            self._takers.add(taker)
            taker.add_done_callback(self._takers.discard)
        return await future

    async def _take_waiting(self) -> None:
        while self._waiting:
            batch = self._waiting[:AT_ONCE]
            del self._waiting[:AT_ONCE]
            try:
                answers = await self._taken(batch)
            except Exception as error:
                if len(batch) == 1:
                    _fail(batch[0][2], error)
                else:  # one of them may be what failed: each by itself
                    for one in batch:
                        await self._alone(*one)
                continue
            for (_, _, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    async def _taken(self, batch: list[tuple[Delivery, DurablePush, asyncio.Future[Answer]]]) -> list[Answer]:
        async with self._pool.acquire() as connection:
            return await take_pushes(connection, [(delivery, push) for delivery, push, _ in batch], RANKS)

    async def _alone(self, delivery: Delivery, push: DurablePush, future: asyncio.Future[Answer]) -> None:
        try:
            (answer,) = await self._taken([(delivery, push, future)])
        except Exception as error:
            _fail(future, error)
        else:
            if not future.done():
                future.set_result(answer)


def _fail(future: asyncio.Future[Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
