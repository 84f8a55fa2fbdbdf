"""Asks GitHub within the installation's limits, which all processes share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

import structlog

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.github.client import Heard, NothingDone
from forgeguard_app.github.limits import Cost, LimitUse, wait_for_room
from forgeguard_app.store.rates import RateBudget, end_use, insert_use, lock_budget, set_blocked, set_remaining

LOW = 1_000  # of the primary limit: from here on every answer is noted
KEPT_FOR_VERDICTS = 200
log = structlog.get_logger()


class BudgetExhausted(RetryLater):
    """The installation's limits leave no room for `delay_s`; nothing was asked."""


class Requester(Protocol):
    """The sender of a request: its installation, and who is told of the primary limit."""

    installation_id: int
    heard: Heard | None

    async def token(self) -> object:
        """Return a token that holds."""


@contextlib.asynccontextmanager
async def reserve(context: WorkerContext, access: Requester, need: Cost) -> AsyncIterator[None]:
    """Inside, the needed requests may leave; they have the time that the budget reckons with, and no more.

    Raises:
        BudgetExhausted: there is no room now.
        InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away or too slow, or its limit is reached.
    """
    number, limits = access.installation_id, context.limits
    try:
        await access.token()  # before the budget is used: minting may take its time
    except NothingDone as error:
        await _block(context, number, error)
        raise
    async with context.pool.acquire() as connection, connection.transaction():
        minute = limits.minute_s + limits.lasts_s
        budget = await lock_budget(connection, number, limits.hour_s + limits.lasts_s, minute)
        if (wait := _wait(context, budget, need)) > 0:
            raise BudgetExhausted("the installation's rate limit leaves no room", delay_s=wait)
        use = await insert_use(connection, number, need.requests, need.writes)
    low: list[tuple[int, float]] = []
    access.heard = lambda remaining, resets_s: low.append((remaining, resets_s)) if remaining < LOW else None
    late = False
    try:
        async with asyncio.timeout(limits.lasts_s):
            yield
    except TimeoutError as error:
        late = True  # what GitHub still does of it is unknown: the use counts to its end
        raise RetryLater("GitHub took too long") from error
    except NothingDone as error:
        await _block(context, number, error)
        raise
    finally:
        async with context.pool.acquire() as connection:
            if not late:
                await end_use(connection, use)
            if low:
                await set_remaining(connection, number, *low[-1])


async def _block(context: WorkerContext, number: int, error: NothingDone) -> None:
    """Tell all processes to wait as long as GitHub asks for, or until a token is asked for again."""
    log.warning("github.limited", installation=number, wait_s=error.delay_s)
    async with context.pool.acquire() as connection:
        await set_blocked(connection, number, error.delay_s or 60.0)


def _wait(context: WorkerContext, budget: RateBudget, need: Cost) -> float:
    wait = max(0.0, budget.blocked_s)
    if budget.remaining is not None and budget.resets_s > 0:
        kept = 0 if need.final else KEPT_FOR_VERDICTS
        if budget.remaining - need.requests < kept:
            wait = max(wait, budget.resets_s)
    uses = [LimitUse(use.requests, use.writes, use.begun_s, use.ended_s) for use in budget.uses]
    return max(wait, wait_for_room(need, uses, context.limits))
