"""Takes credentials out of text that is about to be kept or shown: all that the scan would find, and what it is told of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from forgeguard_app.audit.secrets.scanner import AddedBlock, spans_of

MASK = b"[masked]"
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
