"""Takes credentials out of text that is about to be kept or shown: all that the scan would find, and what it is told of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from forgeguard_app.audit.secrets.random_text import MIN_CHARS, random_spans
from forgeguard_app.audit.secrets.scanner import AddedBlock, spans_of

MASK = b"[masked]"
_MASK = MASK.decode()
_USER = re.compile(r"(?<=://)[^\s/@'\"<>]+(?=@)")
_ESCAPES = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|[nrt'\"])")
_ORDINARY_USERS = frozenset(("git", "user", "username", "hg", "svn"))
_MAX_QUOTED = 80  # characters of a stranger's text in a message
_BEGIN, _END = b"-----BEGIN", b"-----END"
_PATH = "output.txt"


class Masker:
    """Masks one stream of lines; a private key that goes over many of them is masked to its end."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted((value.encode() for value in known if len(value) >= 8), key=len, reverse=True)
        self._in_key = False

    def mask(self, lines: Sequence[bytes]) -> list[bytes]:
        """The lines without their credentials, as many as were given."""
        kept = [self._without_key(line) for line in lines]
        text = b"\n".join(kept)
        for value in self._known:
            text = text.replace(value, MASK)
        for start, end in reversed(spans_of(AddedBlock(_PATH, None, 1, text))):
            # A line stays a line, so that there are as many as before.
            text = text[:start] + MASK + b"\n" * text.count(b"\n", start, end) + text[end:]
        return text.split(b"\n")

    def _without_key(self, line: bytes) -> bytes:
        if self._in_key:
            self._in_key = _END not in line
            return MASK
        if _BEGIN in line and b"PRIVATE KEY" in line:
            self._in_key = _END not in line
            return line[: line.index(_BEGIN)] + MASK
        return line


@lru_cache(maxsize=32_768)
def masked(text: str, *, keep_hashes: bool = False) -> str:
    """Return the text without what a scan for secrets finds in it, without passwords in addresses and random text.

    `keep_hashes` leaves commits and digests readable, for text that holds ours: logs, paths, branches, source lines.
    """
    if len(text) < MIN_CHARS and "://" not in text:
        return text
    text = _USER.sub(_without_password, text)
    text = _without(text, _secret_spans(text))
    return _without(text, random_spans(_ESCAPES.sub(_blank, text), keep_hashes=keep_hashes))


def quoted(text: str) -> str:
    """Return a stranger's text in quotes for a message: masked before it is cut, on one line."""
    shown = masked(text)
    return repr(shown if len(shown) <= _MAX_QUOTED else shown[: _MAX_QUOTED - 1] + "…")


def _without_password(match: re.Match[str]) -> str:
    user, colon, _ = match.group().partition(":")
    if colon:
        return f"{masked(user)}:{_MASK}"
    return user if user in _ORDINARY_USERS else _MASK


def _secret_spans(text: str) -> list[tuple[int, int]]:
    """Return where the scan finds secrets, counted in characters."""
    plain = _ESCAPES.sub(_blank, text)
    # Lone surrogates stand for bytes of file names.
    data = plain.encode("utf-8", "surrogatepass")
    spans = spans_of(AddedBlock(_PATH, None, 1, data))
    if len(data) == len(text):
        return spans
    return [(_chars(data[:start]), _chars(data[:end])) for start, end in spans]


def _chars(data: bytes) -> int:
    return len(data.decode("utf-8", "surrogatepass"))


def _blank(match: re.Match[str]) -> str:
    """Return as many spaces: the letter of an escape such as `\\n` is no part of the value after it."""
    return " " * len(match.group())


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    for start, end in reversed(spans):
        text = text[:start] + _MASK + text[end:]
    return text
