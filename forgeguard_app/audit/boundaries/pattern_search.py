"""The matches of many forbidden patterns in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from forgeguard_app.audit.facts import MAX_MATCHES, Match, Matches
from forgeguard_app.audit.pattern_sets import PatternSet
from forgeguard_app.audit.patterns import compile_pattern

MAX_SUBJECT_CHARS = 200
JOINED_CHARS = 2_000  # patterns searched for at once in a file of up to 5 MB, so that re2 keeps its automaton


def find_matches(data: bytes, pattern: str) -> Matches:
    """Return the matches of a forbidden pattern in a file's bytes, at most MAX_MATCHES, empty matches left out."""
    return _matches(_utf8(data), pattern)


def find_all_matches(
    data: bytes, patterns: Iterable[str], tick: Callable[[], object] = lambda: None
) -> Mapping[str, Matches]:
    """Return the matches of each pattern; `tick` is called before every search."""
    wanted = tuple(sorted(patterns))
    if not wanted:
        return {}
    text = _utf8(data)
    occurring = set(_joined(wanted).matching(text, tick)) if len(wanted) > 1 else {0}
    found: dict[str, Matches] = {}
    for number, pattern in enumerate(wanted):
        if number in occurring:
            tick()
            found[pattern] = _matches(text, pattern)
        else:
            found[pattern] = Matches(())
    return found


@lru_cache(maxsize=32)
def _joined(patterns: tuple[str, ...]) -> PatternSet:
    return PatternSet(patterns, joined_chars=JOINED_CHARS)


def _utf8(data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode("utf-8")


def _matches(text: bytes, pattern: str) -> Matches:
    found: list[Match] = []
    line, counted = 1, 0
    columns = 0  # characters in the match's line up to `counted`
    for match in compile_pattern(pattern).finditer(text):
        start, end = match.span()
        if start == end:
            continue
        if len(found) == MAX_MATCHES:
            return Matches(tuple(found), capped=True)
        if breaks := text.count(b"\n", counted, start):
            line += breaks
            counted, columns = text.rfind(b"\n", counted, start) + 1, 0
        columns += len(text[counted:start].decode("utf-8", "ignore"))
        counted = start
        end_line = line + text.count(b"\n", start, end - 1)
        column = columns + 1
        subject = text[start : min(end, start + 4 * MAX_SUBJECT_CHARS)].decode("utf-8", "replace")
        found.append(Match(line, end_line, column, subject[:MAX_SUBJECT_CHARS], _end_column(text, start, end, column)))
    return Matches(tuple(found))


def _end_column(text: bytes, start: int, end: int, column: int) -> int:
    """Return the column after a match's last character; a line break at its end belongs to the line that it ends."""
    broken = text.rfind(b"\n", start, end - 1)
    first, before = (start, column) if broken == -1 else (broken + 1, 1)
    return before + len(text[first:end].removesuffix(b"\n").decode("utf-8", "ignore"))
