"""Which files are text, and how their bytes become UTF-8:

UTF-16 and UTF-32 with or without a mark, text with stray NUL bytes.

git takes a file with a NUL byte among its first 8,000 for binary; a script that an editor saved as UTF-16 is one
(https://git-scm.com/docs/gitattributes#_marking_files_as_binary).
"""

from __future__ import annotations

import codecs
from typing import Any

HEAD_BYTES = 1 << 16  # by which a file is told
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Where the NUL bytes of ASCII text stand in each, by the position modulo four.
_LAYOUTS = {"utf-16-le": (1, 3), "utf-16-be": (0, 2), "utf-32-le": (1, 2, 3), "utf-32-be": (0, 1, 2)}
_CONTROL = bytes({*range(1, 32)} - {8, 9, 10, 11, 12, 13, 27})  # what text does not hold, but for a few
_MAX_CONTROL, _MAX_HIGH = 0.02, 0.3


def encoding_of(head: bytes) -> str | None:
    """Return the name of the file's encoding, '' where its bytes are read as they are; None for a binary file."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name if _reads_as_text(head, name) else None
    if b"\0" not in head:
        return ""
    for name in _LAYOUTS:
        if _has_layout(head, name) and _reads_as_text(head, name):
            return name
    return "" if _is_text(head.replace(b"\0", b"")) else None


def _has_layout(head: bytes, name: str) -> bool:
    """Return whether the NUL bytes stand where the encoding puts them, and hardly anywhere else."""
    zeros = [head[at::4].count(0) / max(len(head[at::4]), 1) for at in range(4)]
    places = _LAYOUTS[name]
    return all(zeros[at] >= 0.3 for at in places) and all(zeros[at] <= 0.05 for at in range(4) if at not in places)


def _reads_as_text(head: bytes, name: str) -> bool:
    text = head[: len(head) // 4 * 4].decode(name, "replace")
    return bool(text) and text.count("\ufffd") <= len(text) * _MAX_CONTROL and _is_text(text.encode("utf-8", "replace"))


def _is_text(data: bytes) -> bool:
    """Return whether the bytes, NUL bytes taken out, hold hardly any control character, and are UTF-8 or mostly
    ASCII.
    """
    if len(data) - len(data.translate(None, _CONTROL)) > len(data) * _MAX_CONTROL:
        return False
    high = len(data) - len(data.translate(None, bytes(range(128, 256))))
    if high <= len(data) * _MAX_HIGH:
        return True
    return data.decode("utf-8", "replace").count("\ufffd") <= len(data) * _MAX_CONTROL


class TextReader:
    """Turns the bytes of one file, as they arrive, into text in UTF-8; a binary file gives none."""

    def __init__(self) -> None:
        self.is_binary = False
        self._head = b""
        self._decoder: Any = None
        self._declared = False

    def feed(self, data: bytes, *, last: bool) -> bytes:
        """Take the next bytes; give text as soon as the file's kind is known."""
        if not self._declared:
            self._head += data
            if len(self._head) < HEAD_BYTES and not last:
                return b""
            data, self._head = self._head, b""
            self._tell(data[:HEAD_BYTES])
        if self.is_binary:
            return b""
        return data if self._decoder is None else self._decoder.decode(data, last).encode("utf-8", "replace")

    def _tell(self, head: bytes) -> None:
        self._declared = True
        name = encoding_of(head)
        self.is_binary = name is None
        if name:
            self._decoder = codecs.getincrementaldecoder(name)("replace")
