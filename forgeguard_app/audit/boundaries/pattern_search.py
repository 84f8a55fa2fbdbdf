"""The matches of many forbidden patterns in one file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from forgeguard_app.audit.bounded_search import BoundedSearch, Tick, no_tick
from forgeguard_app.audit.facts import MAX_MATCHES, BlobMatches, Match, Matches
from forgeguard_app.audit.file_text import text_of
from forgeguard_app.audit.line_patterns import stays_in_line
from forgeguard_app.audit.pattern_sets import PatternSet
from forgeguard_app.audit.patterns import compile_pattern

MAX_SUBJECT_CHARS = 200
MAX_FILE_MATCHES = 50_000  # of all patterns in one file
JOINED_CHARS = 2_000  # patterns searched for at once in a file of up to 5 MB, so that re2 keeps its automaton
# How a pattern names the carriage return. Any other means "the end of the line" before "\r\n" too.
_CARRIAGE_RETURN = re.compile(r"\r|(?<!\\)(?:\\\\)*\\(?:r|x0[dD]|x\{0*[dD]\}|015|C)")


def find_matches(data: bytes, pattern: str) -> Matches:
    """Return the matches of a forbidden pattern in a file's bytes, at most MAX_MATCHES, empty matches left out."""
    ((text, _),) = _read_by(text_of(data), frozenset((pattern,)))
    return _matches(text, pattern)


def find_all_matches(
    data: bytes, patterns: frozenset[str], tick: Tick = no_tick, room: int = MAX_FILE_MATCHES
) -> BlobMatches:
    """Return the matches of each pattern that has some; `tick` is called before every search, each of which takes
    bounded time.

    Once there are more than `room` matches, the patterns that occur and are still to come are not among those searched:
    what is kept must hold where the pattern is asked for alone.
    """
    if not patterns:
        return BlobMatches()
    found: dict[str, Matches] = {}
    left: set[str] = set()
    for text, readers in _read_by(text_of(data, tick), patterns):
        for pattern in sorted(_occurring(text, readers, tick)):
            tick()
            if room <= 0:
                left.add(pattern)
                continue
            matches = _matches(text, pattern, tick)
            room -= len(matches.found)
            if matches.found or matches.capped or matches.partly:
                found[pattern] = matches
    return BlobMatches(patterns - left if left else patterns, found)


def _read_by(text: bytes, patterns: frozenset[str]) -> Iterator[tuple[bytes, frozenset[str]]]:
    """Yield the text with the patterns that are searched for in it as it is, and without the carriage returns at line
    ends with the others: `$` means the place before "\\r\\n", where neither `.` nor `\\s` finds the carriage return.
    """
    if b"\r\n" not in text:
        yield text, patterns
        return
    exact = frozenset(pattern for pattern in patterns if _CARRIAGE_RETURN.search(pattern))
    if exact:
        yield text, exact
    if others := patterns - exact:
        yield text.replace(b"\r\n", b"\n"), others


def _occurring(text: bytes, patterns: frozenset[str], tick: Tick) -> list[str]:
    """Return the patterns that match, or of which only a search for every match tells."""
    wanted, joined = _joined(patterns)
    return [wanted[number] for number in joined.matching(text, tick)]


@lru_cache(maxsize=32)
def _joined(patterns: frozenset[str]) -> tuple[tuple[str, ...], PatternSet]:
    """Return the patterns, those that stay within a line side by side, and a set of them; made once for all files of
    the same patterns.
    """
    wanted = tuple(sorted(patterns, key=lambda pattern: (stays_in_line(pattern), pattern)))
    return wanted, PatternSet(wanted, joined_chars=JOINED_CHARS, keep_unsearched=True)


def _matches(text: bytes, pattern: str, tick: Tick = no_tick) -> Matches:
    found: list[Match] = []
    line, counted = 1, 0
    columns = 0  # characters in the match's line up to `counted`
    search = BoundedSearch(compile_pattern(pattern), by_line=stays_in_line(pattern), tick=tick)
    for start, end in search.spans(text):
        if len(found) == MAX_MATCHES:
            return Matches(tuple(found), capped=True, partly=search.partly)
        if breaks := text.count(b"\n", counted, start):
            line += breaks
            counted, columns = text.rfind(b"\n", counted, start) + 1, 0
        columns += len(text[counted:start].decode("utf-8", "ignore"))
        counted = start
        end_line = line + text.count(b"\n", start, end - 1)
        column = columns + 1
        subject = text[start : min(end, start + 4 * MAX_SUBJECT_CHARS)].decode("utf-8", "replace")
        found.append(Match(line, end_line, column, subject[:MAX_SUBJECT_CHARS], _end_column(text, start, end, column)))
    return Matches(tuple(found), partly=search.partly)


def _end_column(text: bytes, start: int, end: int, column: int) -> int:
    """Return the column after a match's last character; a line break at its end belongs to the line that it ends."""
    broken = text.rfind(b"\n", start, end - 1)
    first, before = (start, column) if broken == -1 else (broken + 1, 1)
    return before + len(text[first:end].removesuffix(b"\n").decode("utf-8", "ignore"))
