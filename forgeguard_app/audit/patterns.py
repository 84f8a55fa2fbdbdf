"""Regular expressions from strangers, on re2: linear in the text whatever the pattern."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

MAX_PATTERN_CHARS = 2_000
MAX_FRAGMENT_CHARS = 8
_LINES = "(?m)"  # before a stranger's pattern; no message shows it


class PatternError(ValueError):
    """A pattern that re2 refuses; the text says why in words of ours."""


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    return options


@lru_cache(maxsize=4_096)
def compile_pattern(pattern: str) -> Any:
    """The compiled pattern, `^` and `$` at line ends, over UTF-8 bytes.

    Raises:
        PatternError: re2 refuses it: look-around, back-references, repeats above 1000, bad syntax.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise PatternError(f"a pattern longer than {MAX_PATTERN_CHARS} characters is not read")
    return compile_bytes(f"{_LINES}{pattern}")


def compile_bytes(expression: str) -> Any:
    """Return the compiled expression, over UTF-8 bytes.

    Raises:
        PatternError: re2 refuses it.
    """
    try:
        return re2.compile(expression.encode("utf-8", "replace"), _options())
    except re2.error as error:
        raise PatternError(_reason(error)) from None


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    kind, _, fragment = text.partition(": ")
    fragment = fragment.removeprefix(_LINES)
    text = f"{kind}: {fragment}" if fragment else kind
    if len(fragment) > MAX_FRAGMENT_CHARS:  # re2 repeats the pattern, which may hold what must not be shown
        text = kind
    if "perl operator" in text or "invalid escape sequence" in text:
        return f"{text}; the syntax is re2's, which has no look-around and no back-references"
    return text or "not a regular expression of re2's syntax"
