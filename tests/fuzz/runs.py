"""Bytes in which one piece is repeated: what makes an expression try each part of a run as its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

RUN_BYTES = 60_000
_PIECES = (b" ", b"\t", b'"', b'\\"', b"'", b"\\'", b"(", b"[", b"-", b"#", b"\\", b"a", b"=", b",", b";", b".", b"\n")
_BEGINS = (b"", b"[options]\na", b'x = "', b"x = '", b'x = """', b"x = '''")


def runs(samples: Sequence[bytes]) -> Iterator[bytes]:
    """Yield a run of each piece between a beginning and a character that ends it, alone and in the samples."""
    for piece in _PIECES:
        run = piece * (RUN_BYTES // len(piece))
        yield from (begin + run + b"b\n" for begin in _BEGINS)
        for sample in samples:
            middle = sample.find(b"\n", len(sample) // 2)
            yield sample[:middle] + run + b"!" + sample[middle:]
