"""Finds credentials in added lines. What a value is never leaves this module but as its provider's fixed prefix."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from forgeguard_app.audit.secrets.allowlists import INLINE, NEXT_LINE, Exceptions
from forgeguard_app.audit.secrets.checksums import crc32_holds
from forgeguard_app.audit.secrets.generic_rules import PRIVATE_KEY
from forgeguard_app.audit.secrets.matching import RULES, Span, find_spans, kind_of
from forgeguard_app.audit.secrets.rule import SecretRule

__all__ = ["RULES", "AddedBlock", "Secret", "SecretScan", "SharedScan", "kind_of", "scan", "spans_of"]

PIECE_BYTES = 1 << 20
CONTEXT_BYTES = (
    3 * 4_096
)  # kept on both sides of a piece: more than any window, and any line that is looked at, reaches
LINE_BYTES = 4_000  # of a line, on each side of a value, that an exception can look at
BEFORE_BYTES = 1_000  # of the line before
BLOCK_BYTES = 1 << 16  # within which overlapping values are weighed against one another
MAX_SECRETS = 100_000  # kept of one scan
KEY_BYTES = 4_096  # of a private key, by which it is told from others
_KEY_LINE = re.compile(rb"[A-Za-z0-9+/=]{16,}")
_KEY_LINES = re.compile(rb"[A-Za-z0-9+/=]+(?:(?:\\[nr]|[^A-Za-z0-9=]){1,40}+[A-Za-z0-9+/=]{16,}+)*+")
_CONTINUATION = bytes(range(0x80, 0xC0))  # bytes of UTF-8 that begin no character


class AddedBlock(NamedTuple):
    """Lines that stand together and were added by one commit (None: not by a commit); `first_line` is 1-based.

    A block with `continues` goes on where the block before it ended, within a line or between two.
    """

    path: str
    commit: str | None
    first_line: int
    text: bytes
    continues: bool = False


@dataclass(frozen=True, slots=True)
class Secret:
    """One credential found; `digest_key` tells equal values apart within one scan and is never published.

    `end_column` is the one after the value, 0 where the value reaches over several lines.
    """

    rule: SecretRule
    path: str
    commit: str | None
    line: int
    column: int
    verified: bool
    digest_key: int
    end_column: int = 0


class _Candidate(NamedTuple):
    """A span with the place that its finding points to, and the text in which it was found.

    The text is shared by all that were found in it: copied for each value, a long line would take its size for each.
    """

    span: Span
    line: int
    column: int
    text: bytes
    origin: int  # the position of the text's first byte
    anchor: int  # where the finding points to, in the text

    @property
    def value(self) -> bytes:
        return self.text[self.span.start - self.origin : self.span.end - self.origin]

    @property
    def whole_value(self) -> bytes:
        """The value, of a private key with its other lines: keys of one kind begin alike."""
        if RULES[self.span.rule] is not PRIVATE_KEY:
            return self.value
        start = self.span.start - self.origin
        lines = _KEY_LINES.match(self.text, start, start + KEY_BYTES)
        return b"".join(_KEY_LINE.findall(lines[0])) if lines else self.value

    @property
    def text_of_line(self) -> bytes:
        high = self.anchor + LINE_BYTES
        stop = self.text.find(b"\n", self.anchor, high)
        return self.text[self._start_of_line : high if stop == -1 else stop]

    @property
    def line_before(self) -> bytes:
        start = self._start_of_line
        return self.text[max(start - BEFORE_BYTES, 0) : max(start - 1, 0)].rpartition(b"\n")[2]

    @property
    def _start_of_line(self) -> int:
        low = max(self.anchor - LINE_BYTES, 0)
        return max(low, self.text.rfind(b"\n", low, self.anchor) + 1)


class _TextPosition:
    """A position in a text with its line and column, moved along the text."""

    def __init__(self, line: int, column: int = 0) -> None:
        self.line, self.column = line, column

    def move(self, passed: bytes) -> None:
        """Count what was passed: line breaks, and the characters since the last one."""
        breaks = passed.count(b"\n")
        if breaks:
            self.line += breaks
            self.column = 0
            passed = passed[passed.rfind(b"\n") + 1 :]
        self.column += len(passed) if passed.isascii() else len(passed.translate(None, _CONTINUATION))


class _TextScan:
    """One text that arrives in pieces, in memory bounded by a piece."""

    def __init__(
        self,
        path: str,
        first_line: int,
        piece_bytes: int = PIECE_BYTES,
        tick: Callable[[], object] = lambda: None,
    ) -> None:
        self.path, self._piece_bytes, self._tick = path, piece_bytes, tick
        self._buffer = b""
        self._origin = 0  # the position of the buffer's first byte
        self._done = 0  # the position up to which keywords were looked for
        self._place = _TextPosition(first_line)  # of the buffer's first byte
        self._pending: dict[Span, _Candidate] = {}
        self._free = 0  # the position where the last span that was given ends

    def feed(self, data: bytes) -> Iterator[_Candidate]:
        """Take the next piece; give what can be decided by now, none over another."""
        self._buffer = self._buffer + data if self._buffer else data
        while self._origin + len(self._buffer) - self._done >= self._piece_bytes + CONTEXT_BYTES:
            self._look(self._done + self._piece_bytes)
            yield from self._decided(self._done - CONTEXT_BYTES)
            self._drop(self._done - CONTEXT_BYTES)

    def finish(self) -> Iterator[_Candidate]:
        """Give the rest, at the end of the text."""
        end = self._origin + len(self._buffer)
        self._look(end)
        yield from self._decided(end + 1)
        self._buffer = b""

    def _look(self, high: int) -> None:
        spans = find_spans(
            self._buffer, self._done - self._origin, high - self._origin, self.path, self._origin, self._tick
        )
        self._done = high
        if spans:
            new = [(self._anchor(span), span) for span in spans if span not in self._pending]
            self._take(sorted(new))

    def _anchor(self, span: Span) -> int:
        """Return the offset that the finding points to: a key's first line, else the value."""
        start = span.start - self._origin
        if RULES[span.rule] is not PRIVATE_KEY:
            return start
        return max(self._buffer.rfind(b"-----BEGIN", max(start - CONTEXT_BYTES, 0), start), 0)

    def _take(self, anchored: list[tuple[int, Span]]) -> None:
        text, origin = self._buffer, self._origin
        place, at = _TextPosition(self._place.line, self._place.column), 0
        for anchor, span in anchored:
            self._tick()
            place.move(text[at:anchor])
            at = anchor
            self._pending[span] = _Candidate(span, place.line, place.column + 1, text, origin, anchor)

    def _decided(self, before: int) -> Iterator[_Candidate]:
        """Give the candidates of all groups that are whole: spans that are found later begin at `before` or behind."""
        for group in _overlapping(self._pending) if self._pending else ():
            self._tick()
            if min(max(span.end for span in group), _end_of_block(group[0])) > before:
                break  # so is each later one
            for span in _apart([span for span in group if span.start >= self._free]):
                self._free = span.end
                yield self._pending[span]
            for span in group:
                del self._pending[span]

    def _drop(self, before: int) -> None:
        cut = before - self._origin
        while cut > 0 and 0x80 <= self._buffer[cut] < 0xC0:
            cut -= 1
        if cut > 0:
            self._place.move(self._buffer[:cut])
            self._buffer = self._buffer[cut:]
            self._origin += cut


def _overlapping(spans: Iterable[Span]) -> list[list[Span]]:
    """Group spans that overlap, directly or through others; groups and their spans in the order of the text.

    The spans of a group begin in one block: a text may be nothing but spans that overlap.
    """
    groups: list[list[Span]] = []
    end = -1
    for span in sorted(spans, key=lambda span: (span.start, span.end, span.rule)):
        if span.start >= end:
            groups.append([])
            end = -1
        groups[-1].append(span)
        end = min(max(end, span.end), _end_of_block(span))
    return groups


def _end_of_block(span: Span) -> int:
    """Return where the block ends in which the span begins."""
    return (span.start // BLOCK_BYTES + 1) * BLOCK_BYTES


def _apart(group: list[Span]) -> list[Span]:
    """Return one span for each place: of overlapping ones the rule that stands first in the table."""
    if len(group) == 1:
        return group
    kept: list[Span] = []  # in the order of the text
    for _, of_rule in groupby(sorted(group), key=lambda span: span.rule):
        new: list[Span] = []
        for span in of_rule:
            at = bisect_left(kept, span.start, key=lambda other: other.start)
            free = (at == 0 or kept[at - 1].end <= span.start) and (at == len(kept) or span.end <= kept[at].start)
            if free and (not new or new[-1].end <= span.start):
                new.append(span)
        kept = sorted((*kept, *new), key=lambda span: span.start)  # once a rule: a group may be a whole piece of text
    return kept


class SecretScan:
    """Collects the credentials of many blocks, in their order; a value met again under its path counts once.

    `tick` is called at every step and may raise, to end the scan.
    """

    def __init__(
        self,
        exceptions: Exceptions,
        tick: Callable[[], object] = lambda: None,
        piece_bytes: int = PIECE_BYTES,
        most: int = MAX_SECRETS,
    ) -> None:
        self._exceptions, self._tick, self._piece_bytes, self._most = exceptions, tick, piece_bytes, most
        self.found: list[Secret] = []
        self.left_out = 0  # how many more there were than `most`
        self._found_keys: set[tuple[str, str, int]] = set()
        self._block = AddedBlock("", None, 1, b"")
        self._text: _TextScan | None = None

    def add(self, block: AddedBlock) -> None:
        """Look through a block, or through the next piece of the block before it."""
        if self._text is None or not block.continues:
            self.finish()
            self._block = block
            self._text = _TextScan(block.path, block.first_line, self._piece_bytes, self._tick)
        for piece in _pieces(block.text, self._piece_bytes):
            self._tick()
            self._keep(self._text.feed(piece))

    def finish(self) -> None:
        """End the last block."""
        if self._text is not None:
            self._keep(self._text.finish())
        self._text = None

    def keep(self, secrets: Iterable[Secret]) -> None:
        """Add what another scan found, unless it was met already."""
        for secret in secrets:
            key = (secret.rule.id, secret.path, secret.digest_key)
            if key in self._found_keys:
                continue
            if len(self.found) >= self._most:
                self.left_out += 1
                continue
            self._found_keys.add(key)
            self.found.append(secret)

    def _keep(self, candidates: Iterable[_Candidate]) -> None:
        self.keep(_secrets(candidates, self._block, self._exceptions, self._tick))


class SharedScan:
    """Collects the credentials of one text that stands in several places, whose paths are of one kind: it is read once.

    `found` is by the number of the place; a value met again in one counts once. `tick` is called at every step and
    may raise.
    """

    def __init__(
        self, places: Sequence[AddedBlock], exceptions: Exceptions, tick: Callable[[], object], most: int = MAX_SECRETS
    ) -> None:
        self._places, self._exceptions, self._tick, self._most = places, exceptions, tick, most
        self._text = _TextScan(places[0].path, 1, tick=tick)
        self._found_keys: set[tuple[int, str, int]] = set()
        self.found: dict[int, list[Secret]] = {}
        self.left_out = 0  # how many more there were than `most`

    def add(self, text: bytes) -> None:
        """Look through the next part of the text."""
        for piece in _pieces(text, PIECE_BYTES):
            self._tick()
            self._keep(self._text.feed(piece))

    def finish(self) -> None:
        """End the text."""
        self._keep(self._text.finish())

    def _keep(self, candidates: Iterable[_Candidate]) -> None:
        new = list(candidates)
        for number, place in enumerate(self._places) if new else ():
            self._tick()
            for secret in _secrets(new, place, self._exceptions, self._tick):
                self._take(number, secret)

    def _take(self, number: int, secret: Secret) -> None:
        key = (number, secret.rule.id, secret.digest_key)
        if key in self._found_keys:
            return
        if len(self._found_keys) >= self._most:
            self.left_out += 1
            return
        self._found_keys.add(key)
        self.found.setdefault(number, []).append(secret)


def _secrets(
    candidates: Iterable[_Candidate], block: AddedBlock, exceptions: Exceptions, tick: Callable[[], object]
) -> Iterator[Secret]:
    """Yield the candidates that nothing excepts under the block's path and commit."""
    for candidate in candidates:
        tick()
        if not _excepted(candidate, block, exceptions):
            yield _secret(candidate, block)


def _excepted(candidate: _Candidate, block: AddedBlock, exceptions: Exceptions) -> bool:
    line = candidate.text_of_line
    if exceptions.inline and _marked(candidate):
        return True
    if not (exceptions.allowlists or exceptions.ignored or exceptions.disabled):
        return False
    shown = candidate.value.decode("utf-8", "replace")
    text = line.decode("utf-8", "replace")
    rule = RULES[candidate.span.rule].id
    return exceptions.cover(block.path, candidate.line, text, shown, block.commit, rule)


def _secret(candidate: _Candidate, block: AddedBlock) -> Secret:
    rule, value = RULES[candidate.span.rule], candidate.value
    verified = rule.checksum == "crc32" and crc32_holds(value.decode("utf-8", "replace")) is True
    line, column = candidate.line, candidate.column
    end = 0 if rule is PRIVATE_KEY else column + len(value.decode("utf-8", "replace"))
    return Secret(rule, block.path, block.commit, line, column, verified, hash(candidate.whole_value), end)


def _marked(candidate: _Candidate) -> bool:
    """Return whether a word on the line excepts the value, or on the line before one that has no room for a comment."""
    before = candidate.line_before
    if NEXT_LINE in before or any(word in candidate.text_of_line for word in INLINE):
        return True
    return RULES[candidate.span.rule] is PRIVATE_KEY and any(word in before for word in INLINE)


def scan(blocks: Iterable[AddedBlock], exceptions: Exceptions) -> list[Secret]:
    """Return the credentials in the blocks, in their order; a value met again under its path counts once."""
    search = SecretScan(exceptions)
    for block in blocks:
        search.add(block)
    search.finish()
    return search.found


def spans_of(block: AddedBlock, tick: Callable[[], object] = lambda: None) -> list[tuple[int, int]]:
    """Return where credentials stand in the block's text, whatever would except them; in order, none over another.

    `tick` is called at every step and may raise.
    """
    text = _TextScan(block.path, block.first_line, tick=tick)
    found = [match.span for piece in _pieces(block.text, PIECE_BYTES) for match in text.feed(piece)]
    found.extend(match.span for match in text.finish())
    return [(span.start, span.end) for span in found]


def _pieces(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size)) if len(text) > size else iter((text,))
