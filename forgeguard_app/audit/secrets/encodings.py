"""How the bytes of a file become a text that the rules read:

UTF-16 and UTF-32 with or without a mark become UTF-8. All other bytes are read as they are, a binary file's too, but
that ASCII which stands among them as UTF-16 or UTF-32 is read as ASCII, wherever it begins.

git takes a file with a NUL byte among its first 8,000 for binary; a script that an editor saved as UTF-16 is one
(https://git-scm.com/docs/gitattributes#_marking_files_as_binary).
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

HEAD_BYTES = 1 << 16  # by which a file is told
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PRINTABLE = bytes([9, 10, 13, *range(32, 127)])
_RUN = 32  # bytes of ASCII in a row are no UTF-16: that many halves of other characters are never all printable …
_MOST_ALIKE = 8  # … unless a few characters are repeated: a line of U+2550 is P%P%P%
# The character next to a NUL byte belongs to it: in little-endian text the one before, in big-endian the one after.
_ASCII = {"le": re.compile(rb"[\t\n\r -~]+(?!\0)"), "be": re.compile(rb"(?<!\0)[\t\n\r -~]+")}
_SHORTEST = 8  # characters of a run
# ASCII as UTF-16 or UTF-32. What two NUL bytes follow is none of the first kind: UTF-32 begins there, or a text ends.
_WIDE = re.compile(
    rb"(?:[\t\n\r -~]\0(?!\0\0)){8,}|(?:\0[\t\n\r -~]){8,}"
    rb"|(?:[\t\n\r -~]\0\0\0){8,}|(?:\0\0\0[\t\n\r -~]){8,}"
)
# Every run holds one of these once each byte is replaced by its kind; to look for them takes a hundredth of the time.
_KINDS = bytes(b"0"[0] if byte == 0 else b"p"[0] if byte in _PRINTABLE else b"x"[0] for byte in range(256))
_SIGNS = (b"p0" * (_SHORTEST - 1), b"p000" * (_SHORTEST - 1))
_TWO = re.compile(rb"[^\0]{2}")  # as no ASCII in UTF-16 or UTF-32 has them
_MOST_HELD = 1 << 16
_KEPT_OF_RUN = 1 << 10  # of a run that is longer than what is held, so that its rest is no short one
# Where the NUL bytes of ASCII text stand in each, by the position modulo four.
_LAYOUTS = {"utf-16-le": (1, 3), "utf-16-be": (0, 2), "utf-32-le": (1, 2, 3), "utf-32-be": (0, 1, 2)}
_CONTROL = bytes({*range(1, 32)} - {8, 9, 10, 11, 12, 13, 27})  # what text does not hold, but for a few
_BREAKS = dict.fromkeys(map(ord, "\t\n\r\u3000\u00a0"))  # what is no printable character, and stands in text
_MAX_CONTROL, _MAX_HIGH = 0.02, 0.3


def encoding_of(head: bytes) -> str:
    """Return the name of the wide encoding in which the file begins; '' where its bytes are read as they are."""
    for mark, name in _MARKS:
        if head.startswith(mark) and _reads_as_text(head[len(mark) :], name):
            return name
    if b"\0" not in head:
        return ""
    for name in _LAYOUTS:
        if _has_layout(head, name) and _reads_as_text(head, name):
            return name
    if _is_text(head.replace(b"\0", b"")):
        return ""
    return next((name for name in ("utf-16-le", "utf-16-be") if _is_all_printable(head, name)), "")


def _has_layout(head: bytes, name: str) -> bool:
    """Return whether the NUL bytes stand where the encoding puts them, and hardly anywhere else."""
    zeros = [head[at::4].count(0) / max(len(head[at::4]), 1) for at in range(4)]
    places = _LAYOUTS[name]
    return all(zeros[at] >= 0.3 for at in places) and all(zeros[at] <= 0.05 for at in range(4) if at not in places)


def _reads_as_text(head: bytes, name: str) -> bool:
    text = head[: len(head) // 4 * 4].decode(name, "replace")
    return bool(text) and text.count("\ufffd") <= len(text) * _MAX_CONTROL and _is_text(text.encode("utf-8", "replace"))


def _is_all_printable(head: bytes, name: str) -> bool:
    """Return whether the bytes are nothing but text in UTF-16, of whatever script, with blanks or line ends in it."""
    try:
        text = codecs.getincrementaldecoder(name)("strict").decode(head)
    except UnicodeDecodeError:
        return False
    return ("\n" in text or " " in text) and text.translate(_BREAKS).isprintable()


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


class _WideDecoder:
    """Decodes UTF-16 or UTF-32 into which something wrote ASCII, as a shell's `>>` does."""

    def __init__(self, name: str) -> None:
        self._decoder = codecs.getincrementaldecoder(name)("replace")
        self._ascii = _ASCII[name[-2:]]
        self._before = int(name.endswith("be"))  # bytes before a run that belong to it
        self._held = b""  # the end of the former piece, of which the next one says what it is
        self._in_ascii = False  # the former piece ended in ASCII

    def decode(self, data: bytes, *, last: bool) -> bytes:
        """Return the next text in UTF-8; at most the last 36 bytes of a piece wait for the next one."""
        data = self._held + data
        run = len(data) - len(data.rstrip(_PRINTABLE))
        end = len(data) if last else len(data) - (min(run + self._before, len(data)) if run < _RUN + 4 else 1)
        self._held, whole, data = data[end:], data, data[:end]
        parts, at = [], 0
        for found in self._ascii.finditer(whole, 0, end):
            goes_on = self._in_ascii and found.start() == 0
            if not goes_on and (len(found[0]) < _RUN or len(set(found[0])) < _MOST_ALIKE):
                continue
            parts += [self._wide(data[at : found.start()], last=True), found[0]]
            at = found.end()
        self._in_ascii = at == end and (end > 0 or self._in_ascii)
        return b"".join([*parts, self._wide(data[at:], last=last)])

    def _wide(self, data: bytes, *, last: bool) -> bytes:
        return self._decoder.decode(data, last).encode("utf-8", "replace")


class NarrowDecoder:
    """Passes bytes on, and takes the NUL bytes out where ASCII stands as UTF-16 or UTF-32 among them."""

    def __init__(self) -> None:
        self._held = b""

    def decode(self, data: bytes, *, last: bool) -> bytes:
        """Return the next text; where a piece ends in NUL bytes and single characters, those wait for the next one."""
        data = self._held + data
        end = len(data) if last else _end_of_whole_runs(data)
        self._held, data = data[end:], data[:end]
        return without_wide_nul(data)


def _end_of_whole_runs(data: bytes) -> int:
    """Return how much of a piece can be read before the next one is there."""
    if b"\0" not in data:
        return max(len(data) - 1, 0)
    apart = _TWO.search(data[: -_MOST_HELD - 1 : -1])
    held = apart.start() + 1 if apart else len(data)
    if held <= _MOST_HELD:
        return len(data) - held
    # A run may end behind a character in any encoding: the NUL bytes that belong to it begin the next run.
    end = len(data) - _KEPT_OF_RUN
    return len(data[:end].rstrip(b"\0")) or end


def without_wide_nul(text: bytes) -> bytes:
    """Return the text with its ASCII that stands there as UTF-16 or UTF-32 as plain ASCII."""
    if b"\0" not in text:
        return text
    kinds, half = text.translate(_KINDS), len(text) / 2
    for first in (0, 1) if kinds.count(b"0") == half == kinds.count(b"p") and half >= _SHORTEST else ():
        if kinds[first::2].count(b"p") == half:  # ASCII as UTF-16 and nothing else, the commonest of all
            return text[first::2]
    at, parts, signs = 0, [], _Signs(kinds)
    while (sign := signs.next(at)) != -1 and (found := _WIDE.search(text, max(sign - 3, at))) is not None:
        parts += [text[at : found.start()], found[0].replace(b"\0", b"")]
        at = found.end()
    return b"".join((*parts, text[at:])) if parts else text


class _Signs:
    """Finds where runs begin, no later than three bytes before the place that it gives. Nothing is looked through
    twice.
    """

    def __init__(self, kinds: bytes) -> None:
        self._kinds = kinds
        self._places = dict.fromkeys(_SIGNS, -2)  # -1 where there is none any more

    def next(self, at: int) -> int:
        """Return the next place from `at` on, which never goes back; -1 where there is none."""
        for sign, place in self._places.items():
            if place != -1 and place < at:
                self._places[sign] = self._kinds.find(sign, at)
        return min((place for place in self._places.values() if place != -1), default=-1)


class Decoded(NamedTuple):
    """The next text of a file, and for a file in a wide encoding the same bytes without it, in `plain`.

    Something may have written other encodings into such a file, and its first bytes may be another's: what the one
    reading garbles stands in the other.
    """

    text: bytes
    plain: bytes = b""


class TextReader:
    """Turns the bytes of one file, as they arrive, into text."""

    def __init__(self) -> None:
        self._head = b""
        self._wide: _WideDecoder | None = None
        self._narrow, self._plain = NarrowDecoder(), NarrowDecoder()
        self._is_told = False

    def feed(self, data: bytes, *, last: bool) -> Decoded:
        """Take the next bytes; give text as soon as the file's kind is known."""
        mark = 0
        if not self._is_told:
            self._head += data
            if len(self._head) < HEAD_BYTES and not last:
                return Decoded(b"")
            data, self._head = self._head, b""
            mark = self._begin(data[:HEAD_BYTES])
        if self._wide is None:
            return Decoded(self._narrow.decode(data, last=last))
        text = self._narrow.decode(self._wide.decode(data[mark:], last=last), last=last)
        return Decoded(text, self._plain.decode(data, last=last))

    def _begin(self, head: bytes) -> int:
        """Choose the decoder by the first bytes; return the length of the mark, which is no text."""
        self._is_told = True
        name = encoding_of(head)
        if not name:
            return 0
        self._wide = _WideDecoder(name)
        return next((len(mark) for mark, of in _MARKS if of == name and head.startswith(mark)), 0)
