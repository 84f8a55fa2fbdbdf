"""Escapes of the characters that act on a terminal, a log or a reader instead of being read.

A path, a branch or a message comes from strangers: ESC drives a terminal, a line break forges a line of output, a
bidirectional override shows a name in another order than it has.
"""

from __future__ import annotations

import re
from functools import cache

# C0, DEL, C1, line and paragraph separators, bidirectional embeddings, overrides and isolates, and surrogates, which
# stand for bytes that are not UTF-8.
_ACTING = "\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_ANY = re.compile(f"[{_ACTING}]+")
_INSIDE_LINES = re.compile(rf"(?:(?![\n\t])[{_ACTING}])+")
_ADDRESS = re.compile(r"(?i)(?:https?|ftp):(?=//)|www(?=\.)")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escaped(text: str) -> str:
    """Return the text as one line of characters that only show themselves; others become `\\n`, `\\x1b` or
    `\\u202e`.
    """
    return text if text.isascii() and text.isprintable() else _ANY.sub(_escape, text)


def escaped_lines(text: str) -> str:
    """Return the text with its line breaks and tabs kept and everything else escaped as `escaped` does."""
    return _INSIDE_LINES.sub(_escape, text)


def without_links(text: str) -> str:
    """Return the text with its addresses broken by a character without width, so that GitHub makes no link of them."""
    return _ADDRESS.sub(lambda found: found[0] + "\u200b", text)


def as_utf8(text: str) -> str:
    """Return the text as valid UTF-8 without NUL and otherwise as it is: a path by which its file is found again."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")


def _escape(match: re.Match[str]) -> str:
    """Return the escapes of a run of characters: a text of nothing else takes a call for all, not for each."""
    return "".join(map(_escape_of, match.group()))


@cache  # there are as many as `_ACTING` lists
def _escape_of(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
