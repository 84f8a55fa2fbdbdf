"""Regular expressions from strangers, on re2: a search costs at most the text times the pattern's program."""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock
from typing import Any

import re2

MAX_PATTERN_CHARS = 2_000
MAX_FRAGMENT_CHARS = 8
_LINES = "(?m)"  # before a stranger's pattern; no message shows it
MAX_PATTERN_PROGRAM = 9_000  # instructions of one pattern; a usual one has fewer than 100
MAX_PROGRAM = 1_000_000  # instructions of the patterns of one file together
MAX_KEPT = 8_000_000  # instructions of compiled patterns; one takes some 30 bytes, and a search as much again
_LEAST_KEPT = 2_000
_SEARCH_MEMORY, _TRIAL_MEMORY = 8 << 20, 1 << 20  # bytes; the second ends a compilation at some 43,000 instructions
_CLASS = re.compile(r"\\[pP]")  # a class of Unicode takes as long to read as some hundred instructions to compile
_CLASS_COST = 500
_TOO_LARGE = (
    f"it is too large, because its repetitions are written out (more than {MAX_PATTERN_PROGRAM:,} instructions); "
    "use '*' or '+', or smaller numbers in '{…}'"
)


class PatternError(ValueError):
    """A pattern that re2 refuses; the text says why in words of ours."""


def _options(memory_bytes: int) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True  # groups would cost a second search of each match; only its place is asked for
    options.max_mem = memory_bytes
    return options


class CompiledPatterns:
    """Compiled patterns, of which the least recently used leave where the programs of all are too large together."""

    def __init__(self, most: int = MAX_KEPT) -> None:
        self._lock = Lock()
        self._most, self._size = most, 0
        self._patterns: OrderedDict[str, Any] = OrderedDict()

    def get(self, pattern: str) -> Any:
        """Return the compiled pattern."""
        with self._lock:
            if pattern in self._patterns:
                self._patterns.move_to_end(pattern)
                return self._patterns[pattern]
        compiled = compile_bytes(f"{_LINES}{pattern}")
        with self._lock:
            if pattern not in self._patterns:
                self._patterns[pattern] = compiled
                self._size += _weight(compiled)
            while self._size > self._most:
                _, oldest = self._patterns.popitem(last=False)
                self._size -= _weight(oldest)
        return compiled

    def __len__(self) -> int:
        return len(self._patterns)


def _weight(compiled: Any) -> int:
    return max(int(compiled.programsize), _LEAST_KEPT)


_COMPILED = CompiledPatterns()


def compile_pattern(pattern: str) -> Any:
    """Return the compiled pattern, `^` and `$` at line ends, over UTF-8 bytes.

    Raises:
        PatternError: re2 refuses it (look-around, back-references, repeats above 1000, bad syntax), or its program has
            more than MAX_PATTERN_PROGRAM instructions.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise PatternError(f"a pattern longer than {MAX_PATTERN_CHARS} characters is not read")
    compiled = _COMPILED.get(pattern)
    if int(compiled.programsize) > MAX_PATTERN_PROGRAM:
        raise PatternError(_TOO_LARGE)
    return compiled


class PatternBudget:
    """A bound on the compiled size of one file's patterns: a few characters such as `.{999}` make a large program."""

    def __init__(self) -> None:
        self._left = MAX_PROGRAM
        self._known: set[str] = set()

    def check(self, pattern: str) -> None:
        """Compile a pattern of the file.

        Raises:
            PatternError: re2 refuses it, or the patterns of the file are too large together.
        """
        if pattern in self._known:
            return
        if self._left <= 0:
            raise PatternError("the patterns above it take all the room that the patterns of a file have together")
        self._left -= MAX_PROGRAM // 100  # what is refused may have taken as long
        self._left -= _CLASS_COST * len(_CLASS.findall(pattern))
        size = int(compile_pattern(pattern).programsize)
        self._left -= size - MAX_PROGRAM // 100
        self._known.add(pattern)


def compile_bytes(expression: str) -> Any:
    """Return the compiled expression, over UTF-8 bytes.

    Raises:
        PatternError: re2 refuses it, or its program has more than some 43,000 instructions.
    """
    encoded = expression.encode("utf-8", "replace")
    try:
        re2.compile(encoded, _options(_TRIAL_MEMORY))  # compiling keeps all threads waiting, for as long as it is let
        return re2.compile(encoded, _options(_SEARCH_MEMORY))
    except re2.error as error:
        raise PatternError(_reason(error)) from None


def _reason(error: Exception) -> str:
    message = error.args[0] if error.args else ""
    text = message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
    if text.startswith("pattern too large"):
        return _TOO_LARGE
    kind, _, fragment = text.partition(": ")
    fragment = fragment.removeprefix(_LINES)
    text = f"{kind}: {fragment}" if fragment else kind
    if len(fragment) > MAX_FRAGMENT_CHARS:  # re2 repeats the pattern, which may hold what must not be shown
        text = kind
    if "perl operator" in text or "invalid escape sequence" in text:
        return f"{text}; the syntax is re2's, which has no look-around and no back-references"
    return text or "not a regular expression of re2's syntax"
