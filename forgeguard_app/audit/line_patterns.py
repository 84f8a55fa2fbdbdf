"""Tells whether matches of a pattern stay within one line, by its text in re2's syntax
(https://github.com/google/re2/wiki/Syntax).
"""

from __future__ import annotations

import re
from functools import lru_cache

# What stands for some characters, without a line break among them. Whatever is not listed may match one.
_ESCAPE = re.compile(
    r"""\\(?: [dwStarfvbBAzE]                       # classes, control characters, places
            | p [LMNPS] | p\{ [LMNPS][a-z]? \}      # classes of Unicode by their short names
            | [^\w\s] )                             # a character that would mean something else
    """,
    re.VERBOSE | re.ASCII,
)
_HEXADECIMAL = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})")
_QUOTED = re.compile(r"\\Q.*?(?:\\E|\Z)")
_FLAGS = re.compile(r"\(\?([A-Za-z]*)[-A-Za-z]*[:)]")
_NAMED_CLASS = re.compile(r"\[:(?:alpha|digit|alnum|upper|lower|punct|word|xdigit|graph|print|blank):\]")
_BREAK = "\n"


@lru_cache(maxsize=8_192)
def stays_in_line(pattern: str) -> bool:
    """Return whether no match can hold a line break; False where that is not certain."""
    if _BREAK in pattern:
        return False
    at = 0
    while at < len(pattern):
        end = _element(pattern, at)
        if end is None:
            return False
        at = end
    return True


def _element(pattern: str, at: int) -> int | None:
    """Return where the element at a position ends, None where it may match a line break."""
    if pattern[at] == "[":
        return _class(pattern, at + 1)
    if pattern[at] == "\\":
        if quoted := _QUOTED.match(pattern, at):
            return quoted.end()
        return _escape(pattern, at)
    if pattern.startswith("(?", at) and (flags := _FLAGS.match(pattern, at)):
        return None if "s" in flags[1] else flags.end()
    return at + 1


def _escape(pattern: str, at: int) -> int | None:
    if found := _ESCAPE.match(pattern, at):
        return found.end()
    found = _HEXADECIMAL.match(pattern, at)
    return found.end() if found and int(found[1] or found[2], 16) != ord(_BREAK) else None


def _class(pattern: str, at: int) -> int | None:
    """Return where the class of characters that begins before the position ends, None where it may hold a line
    break.
    """
    negated = pattern.startswith("^", at)
    at += negated
    first, without_break = at, False
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        if negated and pattern[at : at + 2] in (r"\n", r"\s") and pattern[at + 2 : at + 3] != "-":
            without_break, at = True, at + 2
            continue
        end = _member(pattern, at)
        if end is None:
            return None
        at = end
    if negated and not without_break:
        return None
    return at + 1


def _member(pattern: str, at: int) -> int | None:
    """Return where a character, a range or a named class ends."""
    if named := _NAMED_CLASS.match(pattern, at):
        return named.end()
    if pattern[at] == "[" and pattern.startswith("[:", at):
        return None
    end = _escape(pattern, at) if pattern[at] == "\\" else at + 1
    if end is None or not pattern.startswith("-", end) or pattern.startswith("]", end + 1):
        return end
    # A range: certain where both ends are written as they are, or as hexadecimal numbers, above all line breaks.
    if pattern[at] <= _BREAK or end != at + 1 or end + 1 >= len(pattern) or pattern[end + 1] == "\\":
        return None
    return end + 2
