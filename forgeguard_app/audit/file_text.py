"""The text of a file whose bytes may be in any encoding of Unicode, as forbidden patterns and excerpts read it."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from forgeguard_app.audit.secrets.encodings import HEAD_BYTES, TextReader, encoding_of

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # the little-endian one of UTF-32 begins with the first
_PIECE_BYTES = 1 << 16


def text_of(data: bytes, tick: Callable[[], object] = lambda: None) -> bytes:
    """Return the file's text in UTF-8, without a byte order mark.

    UTF-16 and UTF-32 are decoded, with or without a mark, and ASCII in them among other bytes too. Bytes that are no
    text stand as U+FFFD, in a binary file too, so that its text is found all the same. `tick` is called for each 64 kB
    that are decoded.
    """
    if b"\0" in data or data.startswith(_WIDE_MARKS):
        data = _decoded(data, tick)
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").encode()


def _decoded(data: bytes, tick: Callable[[], object]) -> bytes:
    if data.startswith(_WIDE_MARKS) and not encoding_of(data[:HEAD_BYTES]):
        return data.decode("utf-16", "replace").encode()  # as compilers decode a mark, whatever stands behind it
    reader = TextReader()
    parts: list[bytes] = []
    for at in range(0, len(data), _PIECE_BYTES):
        tick()
        parts.append(reader.feed(data[at : at + _PIECE_BYTES], last=at + _PIECE_BYTES >= len(data)).text)
    return b"".join(parts)
