"""TOML, measured before it is parsed: tomllib takes the square of a dotted key, in time and in memory."""

from __future__ import annotations

import re
import tomllib
from typing import Any

MAX_KEY_PARTS = 32  # of one dotted key: tomllib builds every prefix of it
MAX_DEPTH = 100
_TOKEN = re.compile(r"""(?P<name>[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')|(?P<dot>\.)|(?P<gap>[ \t]++)|(?P<other>.)""")
_BRACKETS = re.compile(r"""[\[\]{}()]|"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+'|\#[^\n]*+""")


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
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") >= MAX_KEY_PARTS and _longest_key(line) > MAX_KEY_PARTS:
            raise TooMuch(number, f"a key of more than {MAX_KEY_PARTS} parts is not read")
    check_depth(text)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TooMuch(1, "nested too deeply to be read") from None


def _longest_key(line: str) -> int:
    """Return the most names that dots join on the line."""
    longest = parts = 0
    expects_name = True
    for token in _TOKEN.finditer(line):
        kind = token.lastgroup
        if kind == "name":
            parts = parts + 1 if expects_name else 1
            expects_name = False
            longest = max(longest, parts)
        elif kind == "dot":
            expects_name = True
        elif token.group() == "#":
            break
        elif kind == "other":
            parts, expects_name = 0, True
    return longest


def check_depth(text: str, most: int = MAX_DEPTH) -> None:
    """Look for brackets that are open at once, strings and comments left out.

    Raises:
        TooMuch: there are more than `most`.
    """
    depth = 0
    for token in _BRACKETS.finditer(text):
        mark = token.group()
        if mark in "[{(":
            depth += 1
            if depth > most:
                raise TooMuch(text.count("\n", 0, token.start()) + 1, f"nested more than {most} deep")
        elif mark in "]})":
            depth = max(depth - 1, 0)
