"""Turns of events that are no pushes: who is attempted at once, and who waits where."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from forgeguard_app.flows.intake.event_turns import AT_ONCE, AT_ONCE_ASIDE, WAITING_ASIDE_EACH, EventTurns
from forgeguard_app.store.pool import RowLocked


class Rows:
    """The rows of installations: which of them are held, and who is attempted just now."""

    def __init__(self, *held: int) -> None:
        self.held, self.attempted = set(held), Counter[int]()
        self.most: Counter[int] = Counter()
        self.most_together, self.tries, self.stored = 0, 0, list[int]()

    async def attempt(self, installation: int) -> None:
        self.attempted[installation] += 1
        self.tries += 1
        self.most[installation] = max(self.most[installation], self.attempted[installation])
        self.most_together = max(self.most_together, self.attempted.total())
        await asyncio.sleep(0)
        self.attempted[installation] -= 1
        if installation in self.held:
            raise RowLocked("held")
        self.stored.append(installation)


def begin(turns: EventTurns, rows: Rows, installation: int, number: int) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(turns.store(installation, lambda: rows.attempt(installation))) for _ in range(number)]


async def test_an_installation_is_attempted_once_at_a_time_and_others_go_on() -> None:
    turns, rows = EventTurns(), Rows(1, 2, 3)
    waiting = [task for installation in rows.held for task in begin(turns, rows, installation, 8)]
    others = [task for installation in range(10, 20) for task in begin(turns, rows, installation, 4)]
    await asyncio.gather(*others)
    assert not any(task.done() for task in waiting)
    rows.held.clear()
    await asyncio.gather(*waiting)
    assert max(rows.most[installation] for installation in range(10, 20)) == 1
    assert max(rows.most.values()) <= 2, "one in each line"
    assert rows.most_together <= AT_ONCE + AT_ONCE_ASIDE
    assert len(rows.stored) == 3 * 8 + 10 * 4


async def test_beyond_so_many_that_wait_for_a_held_row_each_is_refused_at_once() -> None:
    turns, rows = EventTurns(), Rows(1)
    events = set(begin(turns, rows, 1, WAITING_ASIDE_EACH + 10))
    refused = 0
    while refused < 8:
        done, events = await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
        refused += sum(isinstance(task.exception(), RowLocked) for task in done)
    await asyncio.gather(*begin(turns, rows, 2, 1))
    rows.held.clear()
    await asyncio.gather(*events)
    assert len(rows.stored) >= WAITING_ASIDE_EACH


async def test_an_installation_whose_row_is_free_again_waits_aside_no_more() -> None:
    turns, rows = EventTurns(), Rows(1)
    first = begin(turns, rows, 1, 1)
    while rows.tries < 3:
        await asyncio.sleep(0)
    rows.held.clear()
    await asyncio.gather(*first)
    rows.held.add(2)
    held = begin(turns, rows, 2, 1)  # takes the line aside
    await asyncio.gather(*begin(turns, rows, 1, 3))
    assert rows.stored == [1, 1, 1, 1], "the one whose row is held keeps nobody else waiting"
    rows.held.clear()
    await asyncio.gather(*held)
    assert rows.stored[4:] == [2]


async def test_an_error_of_an_attempt_is_the_caller_s_and_gives_its_turn_back() -> None:
    turns, rows = EventTurns(), Rows()

    async def fail() -> None:
        raise LookupError

    for _ in range(AT_ONCE + 1):
        with pytest.raises(LookupError):
            await turns.store(1, fail)
    await asyncio.gather(*begin(turns, rows, 1, 2))
