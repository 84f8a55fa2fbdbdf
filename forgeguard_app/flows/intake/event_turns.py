"""Turns of the events that are no pushes, by installation, so that no account's row keeps another account waiting.

An event waits for a row for a moment only. Where another transaction holds the row, the event gives its connection back
and tries again in a line aside, in turns with other installations whose rows are held.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from forgeguard_app.fair_turns import FairTurns, TooManyWaiting
from forgeguard_app.flows.intake.push_batcher import ANSWER_S
from forgeguard_app.store.pool import RowLocked

AT_ONCE = 2  # events that are stored at once, each of another installation; each holds a connection
AT_ONCE_ASIDE = 1  # the same, of those that another transaction held up
WAITING_EACH = 1_000  # events of one installation that wait for their turn
WAITING_ASIDE_EACH = 30  # the same while another transaction holds a row; each is a connection of GitHub's to us
T = TypeVar("T")


class EventTurns:
    """Stores the events of one process in turns."""

    def __init__(self) -> None:
        self._line = FairTurns(AT_ONCE, WAITING_EACH)
        self._aside = FairTurns(AT_ONCE_ASIDE, WAITING_ASIDE_EACH)

    async def store(self, installation: int | None, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what `attempt` gives, which is tried again where it raises RowLocked.

        At most one event of an installation is attempted at once in each line. While one of them waits aside, those
        that arrive wait there too, so that they keep no connection from others.

        Raises:
            RowLocked: another transaction held a row for `ANSWER_S`, or `WAITING_ASIDE_EACH` events wait for it.
        """
        due_at = asyncio.get_running_loop().time() + ANSWER_S
        if not self._aside.has(installation):
            async with _turn(self._line, installation, due_at):
                if not self._aside.has(installation):  # no other one was held up meanwhile
                    with contextlib.suppress(RowLocked):
                        return await attempt()
        while True:
            async with _turn(self._aside, installation, due_at):
                with contextlib.suppress(RowLocked):
                    return await attempt()


@contextlib.asynccontextmanager
async def _turn(turns: FairTurns, installation: int | None, due_at: float) -> AsyncIterator[None]:
    """Hold a slot until the context ends.

    Raises:
        RowLocked: there is none until `due_at`, by the event loop's clock, or too many wait for one.
    """
    try:
        if asyncio.get_running_loop().time() >= due_at:
            raise TimeoutError
        async with asyncio.timeout_at(due_at):
            await turns.take(installation)
    except (TimeoutError, TooManyWaiting) as error:
        raise RowLocked("events of this account wait for a row that another transaction holds") from error
    try:
        yield
    finally:
        turns.give_back(installation)
