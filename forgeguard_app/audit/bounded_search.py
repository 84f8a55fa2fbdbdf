"""Searches for a compiled pattern of which each call of re2 takes bounded time, whatever the pattern and the text.

re2 takes the text times the pattern's program where its automaton grows too large, and no call of it can be ended.
So a text is searched in pieces, whose size follows from the program, and `tick` is called before each.
Positions, `^`, `$`, `\\b` and `\\A` mean in a piece what they mean in the whole text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

MAX_WORK = 40_000_000  # bytes times instructions of one call: at 25 ns each, one second
Tick = Callable[[], object]


def no_tick() -> None:
    """Raise nothing: there is no limit."""


def room_bytes(compiled: Any) -> int:
    """Return how many bytes of text one call may search, at least 2."""
    return max(MAX_WORK // max(int(compiled.programsize), 1), 2)


def is_found(compiled: Any, text: bytes, *, by_line: bool, tick: Tick = no_tick) -> bool | None:
    """Return whether the pattern matches anywhere; None where no bounded calls can tell.

    `by_line` says that no match of the pattern holds a line break, so that the text may be divided between its lines.
    """
    room = room_bytes(compiled)
    if len(text) <= room:
        return compiled.search(text) is not None
    if not by_line:
        return None
    divided = True
    for start, end in line_pieces(text, room):
        tick()
        if end - start > room:
            divided = False
        elif compiled.search(text, start, end) is not None:
            return True
    return False if divided else None


def line_pieces(text: bytes, room: int) -> Iterator[tuple[int, int]]:
    """Yield where the pieces of the text begin and end: whole lines of at most `room` bytes together, or one longer
    line.
    """
    start = 0
    while start < len(text):
        end = len(text)
        if end - start > room:
            end = text.rfind(b"\n", start, start + room) + 1 or text.find(b"\n", start + room) + 1 or end
        yield start, end
        start = end


class BoundedSearch:
    """The search for all matches of one pattern in one text; empty matches are left out.

    `partly` says, after it, that a part of the text could not be divided without losing matches: of it, those longer
    than half of `room_bytes` are not found, or end too early.
    """

    def __init__(self, compiled: Any, *, by_line: bool, tick: Tick = no_tick) -> None:
        self._compiled, self._by_line, self._tick = compiled, by_line, tick
        self._room = room_bytes(compiled)
        self.partly = False

    def spans(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Yield where each match begins and ends, in order, none over another."""
        pieces = line_pieces(text, self._room) if self._by_line else iter([(0, len(text))])
        for start, end in pieces:
            if end - start <= self._room:
                yield from self._found(text, start, end)
            else:
                self.partly = True
                yield from self._in_windows(text, start, end)

    def _found(self, text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        self._tick()
        for match in self._compiled.finditer(text, start, end):
            self._tick()
            first, last = match.span()
            if first < last:
                yield first, last

    def _in_windows(self, text: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the matches that begin in the first half of a window; the next window begins behind them."""
        while start < end:
            stop = min(start + self._room, end)
            half = end if stop == end else start + self._room // 2
            for first, last in self._found(text, start, stop):
                if first >= half:
                    break
                yield first, last
                half = max(half, last)
            start = _next_character(text, half)


def _next_character(text: bytes, at: int) -> int:
    while at < len(text) and 0x80 <= text[at] < 0xC0:
        at += 1
    return at
