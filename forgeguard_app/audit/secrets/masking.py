"""Takes credentials out of text that is about to be kept or shown: all that the scan would find, and what it is told
of.
"""

from __future__ import annotations

import base64
import html
import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from ahocorasick_rs import BytesAhoCorasick, MatchKind

from forgeguard_app.audit.remembered import MAX_KEPT_CHARS
from forgeguard_app.audit.secrets.provider_rules import PROVIDER_RULES
from forgeguard_app.audit.secrets.random_text import MIN_CHARS, random_spans
from forgeguard_app.audit.secrets.scanner import AddedBlock, spans_of

MASK = b"[masked]"
_MASK = MASK.decode()
_USER = re.compile(r"(?<=://)[^\s/@'\"<>]+(?=@)")
_ESCAPES = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|[nrt'\"])")
_ORDINARY_USERS = frozenset(("git", "user", "username", "hg", "svn"))
_MAX_QUOTED = 80  # characters of a stranger's text in a message
_MAX_READ_QUOTED = 1_000  # of the text that are looked at for them: masked, they may be fewer
# Of a text behind a cut that are looked at: as many as a value's shape may need to be told. The windows of the scan
# reach no further.
_BEHIND_CUT_CHARS = 4_096
_CONTINUATION = bytes(range(0x80, 0xC0))  # bytes of UTF-8 that begin no character
_BEGIN, _END = b"-----BEGIN", b"-----END"
_PATH = "output.txt"
_MAX_LAST_BYTES = 1_000
_MAX_VALUE_LINES = 200  # of a known value that are masked by themselves
_LEAST_BYTES = 8  # of a value's beginning that is held back
_MAX_OPEN_BYTES = 4_096  # from the output's end in which such a beginning is looked for
_PREFIXES = sorted({rule.prefix for rule in PROVIDER_RULES if rule.prefix})
# `figures` is no token, `fig1` may be the beginning of one.
_WORDLIKE = [prefix for prefix in _PREFIXES if len(prefix) < 4 and prefix.isalpha()]
_TELLING = [prefix for prefix in _PREFIXES if prefix not in _WORDLIKE]
# A token's characters to the end, after what its provider puts before each.
_OPEN_TOKEN = re.compile(
    rb"(?<![A-Za-z0-9_])(?:(?:%s)|(?:%s)(?=[\w.+/=-]{0,400}\d))[\w.+/=-]{0,400}\Z"
    % tuple("|".join(map(re.escape, prefixes)).encode() for prefixes in (_TELLING, _WORDLIKE))
)
# Line ends, what stands for a control character (U+FFFD), and characters without a width.
_BREAKS = re.compile(rb"\n|\xef\xbf\xbd|\xc2\xad|\xe2\x80[\x8b-\x8f]|\xe2\x81\xa0|\xef\xbb\xbf")


class Masker:
    """Masks one stream of lines; a private key that goes over many of them is masked to its end.

    A value that goes over a line's end, or has characters in it that show nothing, is masked as well.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._forms = forms_of(list(known), each_line=True)
        # An expression of all forms would try each of them at each byte.
        self._known: Any = BytesAhoCorasick(self._forms, matchkind=MatchKind.LeftmostLongest)
        self._in_key = False
        self._last = b""  # the end of the line before, on which a value may have begun

    def mask(self, lines: Sequence[bytes]) -> list[bytes]:
        """Return the lines without their credentials, as many as were given."""
        kept = [self._without_key(line) for line in lines]
        text = b"\n".join([self._last, *kept])
        self._last = b"\n".join([self._last, *kept])[-_MAX_LAST_BYTES:].rpartition(b"\n")[2]
        parts, at = [], 0
        for start, end in _united([*self._spans(text), *self._spans_over_breaks(text)]):
            # A line stays a line, so that there are as many as before.
            parts += [text[at:start], MASK, b"\n" * text.count(b"\n", start, end)]
            at = end
        return b"".join([*parts, text[at:]]).split(b"\n")[1:]

    def count_open(self, lines: Sequence[bytes]) -> int:
        """Return how many of the last lines hold the beginning of a value that the next lines may complete.

        Masked without them, that beginning would be kept: these lines are masked together with the next ones.
        """
        parts: list[bytes] = []  # from the last line backwards, without what breaks a value
        looked_at = 0
        for line in reversed(lines):
            parts.append(_BREAKS.sub(b"", line[-_MAX_OPEN_BYTES:]))
            looked_at += len(line) + 1
            if looked_at >= _MAX_OPEN_BYTES:
                break
        left = self._open_bytes(b"".join(reversed(parts))[-_MAX_OPEN_BYTES:])
        count = 0
        while left > 0:
            left -= len(parts[count])
            count += 1
        return count

    def _open_bytes(self, text: bytes) -> int:
        """Return how many bytes at the end begin a value that is not whole."""
        longest = 0
        for form in self._forms:
            at = text.find(form[:_LEAST_BYTES], max(len(text) - len(form) + 1, 0))
            while at != -1 and not form.startswith(text[at:]):
                at = text.find(form[:_LEAST_BYTES], at + 1)
            longest = max(longest, len(text) - at if at != -1 else 0)
        token = _OPEN_TOKEN.search(text)
        size = len(text) - token.start() if token else 0
        if size < _LEAST_BYTES or any(end == len(text) for _, end in self._spans(text)):
            return longest
        return max(longest, size)

    def _spans(self, text: bytes) -> list[tuple[int, int]]:
        known = [(start, end) for _, start, end in self._known.find_matches_as_indexes(text)]
        return known + spans_of(AddedBlock(_PATH, None, 1, text))

    def _spans_over_breaks(self, text: bytes) -> list[tuple[int, int]]:
        """Return the spans of the values that are whole only without what breaks the text."""
        breaks = [match.span() for match in _BREAKS.finditer(text)]
        places: list[int] = []  # of the breaks, in the text without them
        removed = [0]
        for start, end in breaks:
            places.append(start - removed[-1])
            removed.append(removed[-1] + end - start)
        over = []
        for start, end in self._spans(_BREAKS.sub(b"", text)):
            first = bisect_right(places, start)
            last = bisect_left(places, end)
            if first < last:
                over.append((start + removed[first], end + removed[last]))
        return over

    def _without_key(self, line: bytes) -> bytes:
        if self._in_key:
            self._in_key = _END not in line
            return MASK
        if _BEGIN in line and b"PRIVATE KEY" in line:
            self._in_key = _END not in line
            return line[: line.index(_BEGIN)] + MASK
        return line


def forms_of(known: Collection[str], *, each_line: bool = False) -> list[bytes]:
    """Return the values as programs write them, the longest form first; values of fewer than 8 characters are left
    out.

    With `each_line`, each of the first 200 lines of a value of several lines is a value as well.
    """
    values = set(known)
    if each_line:
        values |= {line.strip() for value in known for line in value.splitlines()[:_MAX_VALUE_LINES]}
    forms = {form for value in values if len(value) >= 8 for form in _forms(value)}
    return sorted(forms, key=len, reverse=True)


def _forms(value: str) -> list[bytes]:
    """Return a value as programs print it: as it is, quoted for JSON, an address or HTML, in hexadecimal or base64."""
    raw = value.encode()
    texts = [value, *_html_forms(value), json.dumps(value)[1:-1], quote(value, safe=""), raw.hex(), raw.hex().upper()]
    for offset in range(3):  # what stands before it shifts base64; the characters at its ends depend on the neighbours
        whole = base64.b64encode(b"\0" * offset + raw).rstrip(b"=").decode()
        inner = whole[(0, 2, 3)[offset] : len(whole) - (1 if (offset + len(raw)) % 3 else 0)]
        texts += [inner, inner.translate(str.maketrans("+/", "-_"))]
    return [text.encode() for text in texts]


def _html_forms(value: str) -> list[str]:
    """Return the value as programs escape it for HTML and XML; they write quotes in several ways, or leave them."""
    bare = html.escape(value, quote=False)
    quotes = [("&quot;", "&#x27;"), ("&quot;", "&#39;"), ("&#34;", "&#39;"), ("&quot;", "&apos;"), ("&quot;", "'")]
    return [bare, *(bare.replace('"', double).replace("'", single) for double, single in quotes)]


def _united(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans in order, those that overlap as one."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if united and start < united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def masked(
    text: str,
    *,
    keep_hashes: bool = False,
    limit_chars: int | None = None,
    tick: Callable[[], object] = lambda: None,
) -> str:
    """Return the text without what a scan for secrets finds in it, without passwords in addresses and random text.

    `keep_hashes` leaves commits and digests readable, for text that holds ours: logs, paths, branches, source lines.
    With `limit_chars`, only what stands in the first so many characters of the text is returned, and hardly more is
    read; a value that the cut goes through is masked whole, so that no part of it is left.
    The time is linear in the text. `tick` is called at every step on a long text and may raise.
    """
    cut = len(text) if limit_chars is None else min(limit_chars, len(text))
    if len(text) < MIN_CHARS and "://" not in text:
        return text[:cut]
    text = text[: cut + _BEHIND_CUT_CHARS]
    if len(text) <= MAX_KEPT_CHARS:
        return _masked_short(text, cut, keep_hashes)
    return _masked(text, cut, keep_hashes, tick)


@lru_cache(maxsize=32_768)
def _masked_short(text: str, cut: int, keep_hashes: bool) -> str:
    return _masked(text, cut, keep_hashes, lambda: None)


def _masked(text: str, cut: int, keep_hashes: bool, tick: Callable[[], object]) -> str:
    """Return what stands in the first `cut` characters."""
    text, cut = _replaced(text, cut, _users(text, tick))
    text, cut = _replaced(text, cut, ((*span, _MASK) for span in _secret_spans(text, tick)))
    random = random_spans(_ESCAPES.sub(_blank, text), keep_hashes=keep_hashes, tick=tick)
    text, cut = _replaced(text, cut, ((*span, _MASK) for span in random))
    return text[:cut]


def quoted(text: str) -> str:
    """Return a stranger's text in quotes for a message: masked before it is cut, on one line."""
    shown = masked(text, limit_chars=_MAX_READ_QUOTED)
    whole = len(shown) <= _MAX_QUOTED and len(text) <= _MAX_READ_QUOTED
    return repr(shown if whole else shown[: _MAX_QUOTED - 1] + "…")


def _users(text: str, tick: Callable[[], object]) -> Iterator[tuple[int, int, str]]:
    """Yield where addresses name users, and what is shown of them."""
    for match in _USER.finditer(text):
        tick()
        yield *match.span(), _without_password(match)


def _without_password(match: re.Match[str]) -> str:
    user, colon, _ = match.group().partition(":")
    if colon:
        return f"{masked(user)}:{_MASK}"
    return user if user in _ORDINARY_USERS else _MASK


def _secret_spans(text: str, tick: Callable[[], object]) -> list[tuple[int, int]]:
    """Return where the scan finds secrets, counted in characters."""
    plain = _ESCAPES.sub(_blank, text)
    # Lone surrogates stand for bytes of file names.
    data = plain.encode("utf-8", "surrogatepass")
    spans = spans_of(AddedBlock(_PATH, None, 1, data), tick)
    if len(data) == len(text):
        return spans
    found: list[tuple[int, int]] = []
    at = chars = 0  # what was counted so far
    for start, end in spans:
        first = chars + _chars(data[at:start])
        at, chars = end, first + _chars(data[start:end])
        found.append((first, chars))
    return found


def _chars(data: bytes) -> int:
    return len(data.translate(None, _CONTINUATION))


def _blank(match: re.Match[str]) -> str:
    """Return as many spaces: the letter of an escape such as `\\n` is no part of the value after it."""
    return " " * len(match.group())


def _replaced(text: str, cut: int, spans: Iterable[tuple[int, int, str]]) -> tuple[str, int]:
    """Return the text with something else in each span, and where the place `cut` is in it: behind what replaces a
    span that it lies in.

    The spans are in order, none over another.
    """
    parts: list[str] = []
    at, moved = 0, cut
    for start, end, new in spans:
        parts += (text[at:start], new)
        at = end
        if start < cut:
            moved += len(new) - (min(end, cut) - start)
    return "".join((*parts, text[at:])), moved
