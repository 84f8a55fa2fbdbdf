"""Bytes made from samples, by a seed: repeated, nested, cut, spliced and spoilt, as attackers and accidents make
them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

MAX_BYTES = 400_000
_NESTS = (
    b"[",
    b"{",
    b"(",
    b"[[",
    b'{"a":',
    b"- ",
    b"a.",
    b"a: ",
    b"a = {",
    b"&a [",
    b"*a ",
    b"not ",
    b"((",
    b"'",
    b'"',
    b"\\\n",
    b"!",
    b"**/",
)
_ODD = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\r",
    b"\x85",
    b"\x1b[0m",
    b"\xe2\x80\xae",
    b"1e999999999",
    b"-" * 50,
    b"%(x)s",
    b"${x}",
    b"\\u0000",
    b"9" * 5_000,
    b"a==1" + b".1" * 300,
    b"#",
    b";",
    b"\t",
)
_Step = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def _place(rng: random.Random, data: bytes) -> int:
    return rng.randint(0, len(data))


def _times(part: bytes, times: int) -> bytes:
    """Repeat the part, no further than counts."""
    return part * min(times, MAX_BYTES // max(len(part), 1) + 1)


def _cut(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    first, last = sorted((_place(rng, data), _place(rng, data)))
    return data[:first] + data[last:]


def _repeat(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    first = _place(rng, data)
    part = data[first : first + rng.choice((1, 2, 5, 20, 100, 1_000))]
    return data[:first] + _times(part, rng.choice((2, 10, 100, 3_000, 50_000))) + data[first:]


def _nest(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place = _place(rng, data)
    return data[:place] + _times(rng.choice(_NESTS), rng.choice((5, 200, 5_000, 60_000))) + data[place:]


def _oddity(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place = _place(rng, data)
    return data[:place] + _times(rng.choice(_ODD), rng.choice((1, 1, 3, 2_000))) + data[place:]


def _flip(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    spoilt = bytearray(data)
    for _number in range(rng.choice((1, 3, 30))):
        if spoilt:
            spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    return bytes(spoilt)


def _lines(rng: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    lines = data.splitlines(keepends=True) or [b"\n"]
    rng.shuffle(lines)
    return _times(b"".join(lines), rng.choice((1, 2, 500, 5_000)))


def _splice(rng: random.Random, data: bytes, samples: Sequence[bytes]) -> bytes:
    other = rng.choice(samples)
    return data[: _place(rng, data)] + other[_place(rng, other) :]


_STEPS: tuple[_Step, ...] = (_cut, _repeat, _nest, _oddity, _flip, _lines, _splice)


def mutate(seed: int, samples: Sequence[bytes]) -> bytes:
    """Return what follows from the seed: at most MAX_BYTES bytes."""
    rng = random.Random(seed)
    data = rng.choice(samples)
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        data = rng.choice(_STEPS)(rng, data, samples)[:MAX_BYTES]
    return data
