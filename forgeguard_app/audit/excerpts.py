"""The source lines around a finding, for its page. A line that may hold a secret is never among them."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from forgeguard_app.audit.file_text import text_of
from forgeguard_app.audit.model import Excerpt
from forgeguard_app.audit.secrets.masking import masked
from forgeguard_app.audit.secrets.scanner import AddedBlock, spans_of

AROUND = 3
MAX_LINES = 20
BEFORE = 120  # lines of the longest key
MAX_LINE_CHARS = 240
MAX_LINE_BYTES = 2_000  # of a line that are looked at; a value that begins in what is shown still has its shape
HIDDEN = "… (left out: this line may hold a secret)"


class SourceLines:
    """The lines of one file, found once for any number of excerpts; `tick` is called at every step and may raise."""

    def __init__(self, path: str, data: bytes, tick: Callable[[], object] = lambda: None) -> None:
        self._path, self._data, self._tick = path, text_of(data), tick
        data = self._data
        self._binary = b"\0" in data[:8_000]
        self._starts = array("q", [0])
        at = data.find(b"\n")
        while at != -1 and not self._binary:
            self._starts.append(at + 1)
            at = data.find(b"\n", at + 1)

    def excerpt(self, line: int, end_line: int) -> Excerpt | None:
        """Return the lines from a few before `line` to a few after `end_line`; None where the file has no such line."""
        if line > len(self._starts) or self._binary:
            return None
        first = max(line - AROUND, 1)
        last = min(max(end_line, line) + AROUND, len(self._starts), first + MAX_LINES - 1)
        # The whole neighbourhood is scanned: a key may begin long before the lines that are shown.
        start = max(first - BEFORE, 1)
        lines = [self._line(number) for number in range(start, min(last + MAX_LINES, len(self._starts)) + 1)]
        secret = _secret_lines(AddedBlock(self._path, None, start, b"\n".join(lines)), self._tick)
        shown = (
            HIDDEN if number in secret else _clean(lines[number - start], self._tick)
            for number in range(first, last + 1)
        )
        return Excerpt(first, "\n".join(shown))

    def _line(self, number: int) -> bytes:
        start = self._starts[number - 1]
        end = self._starts[number] - 1 if number < len(self._starts) else len(self._data)
        return self._data[start : min(end, start + MAX_LINE_BYTES)]


def excerpt_of(path: str, data: bytes, line: int, end_line: int) -> Excerpt | None:
    """Return one excerpt of a file."""
    return SourceLines(path, data).excerpt(line, end_line)


def _secret_lines(block: AddedBlock, tick: Callable[[], object]) -> set[int]:
    secret = _lines_of_spans(block, tick)
    inside = False
    for number, line in enumerate(block.text.split(b"\n"), block.first_line):
        inside = inside or (b"-----BEGIN" in line and b"PRIVATE KEY" in line)
        if inside:
            secret.add(number)
            inside = b"-----END" not in line
    return secret


def _lines_of_spans(block: AddedBlock, tick: Callable[[], object]) -> set[int]:
    """Return every line that holds a part of a credential, however often the same one stands there."""
    lines: set[int] = set()
    line, at = block.first_line, 0
    for start, end in spans_of(block, tick):
        first = line + block.text.count(b"\n", at, start)
        line, at = first + block.text.count(b"\n", start, end), end
        lines.update(range(first, line + 1))
    return lines


def _clean(raw: bytes, tick: Callable[[], object]) -> str:
    text = masked(raw.decode("utf-8", "replace").rstrip("\r"), tick=tick)
    plain = "".join(char if char.isprintable() or char == "\t" else "�" for char in text)
    return plain if len(plain) <= MAX_LINE_CHARS else plain[:MAX_LINE_CHARS] + "…"
