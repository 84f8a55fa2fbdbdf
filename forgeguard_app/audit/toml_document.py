"""TOML, measured before it is parsed: tomllib takes the square of a dotted key, in time and in memory."""

from __future__ import annotations

import re
import tomllib
from typing import Any

MAX_KEY_PARTS = 32  # of one dotted key: tomllib builds every prefix of it
MAX_DEPTH = 100
# Texts in quotes end where TOML ends them; one that is never closed ends with its line, or with the file where it may
# hold lines. Possessive everywhere: nothing that was read is read again, whatever follows it.
_TEXTS = r"""
    \"\"\"(?:[^"\\]++|\\.?+|"(?!""))*+(?:"{3,5}+)?+
  | '''(?:[^']++|'(?!''))*+(?:'{3,5}+)?+
"""
_TEXTS_ON_LINE = r"""
    "(?:[^"\\\n]++|\\[^\n])*+"?+
  | '[^'\n]*+'?+
"""
_FLAGS = re.VERBOSE | re.DOTALL
_TOKEN = re.compile(
    rf"(?P<text>{_TEXTS})|(?P<name>[\w-]++|{_TEXTS_ON_LINE})|(?P<dot>\.)|(?P<gap>[ \t]++)"
    r"|(?P<other>\#[^\n]*+|[^\w\-\"'.\# \t]++)",
    _FLAGS,
)
_MARKS = re.compile(rf"[\[\]{{}}()]|{_TEXTS}|{_TEXTS_ON_LINE}|\#[^\n]*+", _FLAGS)


class TooMuch(ValueError):
    """A text that is not parsed, with the line on which its bound is passed."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


def load_toml(text: str) -> dict[str, Any]:
    """Return the TOML document.

    Raises:
        TooMuch: it is nested deeper, or has longer dotted keys, than is read.
        ValueError: it is not TOML; mostly a TOMLDecodeError.
    """
    if any(line.count(".") >= MAX_KEY_PARTS for line in text.split("\n")):
        _check_keys(text)
    check_depth(text)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TooMuch(1, "nested too deeply to be read") from None


def _check_keys(text: str) -> None:
    """Look for names that dots join.

    Raises:
        TooMuch: there are more than MAX_KEY_PARTS.
    """
    parts = 0
    expects_name = True
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "name":
            parts = parts + 1 if expects_name else 1
            expects_name = False
            if parts > MAX_KEY_PARTS:
                line = text.count("\n", 0, token.start()) + 1
                raise TooMuch(line, f"a key of more than {MAX_KEY_PARTS} parts is not read")
        elif kind == "dot":
            expects_name = True
        elif kind != "gap":
            parts, expects_name = 0, True


def check_depth(text: str, marks: re.Pattern[str] = _MARKS) -> None:
    """Look for brackets that are open at once; `marks` finds brackets, and passes over texts and comments.

    Raises:
        TooMuch: there are more than MAX_DEPTH.
    """
    depth = 0
    for token in marks.finditer(text):
        mark = token.group()
        if mark in "[{(":
            depth += 1
            if depth > MAX_DEPTH:
                raise TooMuch(text.count("\n", 0, token.start()) + 1, f"nested more than {MAX_DEPTH} deep")
        elif mark in "]})":
            depth = max(depth - 1, 0)
