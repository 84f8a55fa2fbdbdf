"""Tells random text from words where no name stands beside it: is a free-standing piece of text a word, or a value?

The scan for secrets knows a generic value by the name in front of it. A message that quotes a stranger's text has no
such name, so the text itself decides: the bits that it costs letter by letter, as identifiers are written, against the
bits of as many characters drawn at random from the same alphabet. Words cost less than random text, random text costs
more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

from forgeguard_app.audit.remembered import remembered

# The cost of each letter after the one before it ("^" begins a word), in half bits from "a" = 0. One row a letter
# before, one
# column a letter after, counted over the words in the identifiers of 9,000 Python modules.
_COSTS = {
    "^": "ijhijjjlionjjjlipihjkmlnqp",
    "a": "ojiipokrkungjhtjtgiflmonls",
    "b": "glkmhlophlpfmnhmriimhpqrkq",
    "c": "gollhnqhjvijmofnsjlhjqrtnv",
    "d": "hlljeknpfqqjmnimrkjlkopqnu",
    "e": "jnihlklqnuqikgnknfghpmnjns",
    "f": "hmkkhhnpetrinngmsikjjpqrnt",
    "g": "inmndoljhvrjmjjmughljqqrpq",
    "h": "fnnlfoqogvnmlnfntjlikqqsls",
    "i": "klijkljsqtqijehlskhhrlunxl",
    "j": "gmlkflnnipkmnlgkpogogomopt",
    "k": "imlkdllmgoojlkklqlhkknlsnr",
    "l": "gomkenpqftphongmunjjjorsju",
    "m": "fknmenprgupkknhgtojmkqqrot",
    "n": "ioihhkgpjsmmomimsnhglkqtpt",
    "o": "mljjpllqlrmiifkixgjjilkors",
    "p": "gpllgnokjvphoohjtgjikopskv",
    "q": "mlmlnlpqmsshnmpmkjikcmnqsq",
    "r": "gokkenlrgvmlklhmtkiilnqulw",
    "s": "koinfmoihunkmnjjonifipnrlu",
    "t": "hokmfmqifvqlmohlrhiklporkq",
    "u": "jikljlmtjvrhifniwghgrrtqus",
    "v": "fnlndmnpgvsmmnjmumklprornr",
    "w": "gmllgmnjfsnlmihmshilpqoors",
    "x": "jmilhjomhtqljnlgqmkennoklq",
    "y": "kljlillojspiiikfrkghonmonn",
    "z": "gommcmonhsommpimqnmlnporll",
}
_COST_OF = {(before, chr(97 + n)): (ord(c) - 97) / 2 for before, row in _COSTS.items() for n, c in enumerate(row)}
_BETWEEN_WORDS, _ONE_LETTER, _TWO_LETTERS, _DIGIT = 3.0, 3.0, 1.5, math.log2(10)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_JOINED = re.compile(r"[A-Za-z0-9]+(?:[-_+=~]+[A-Za-z0-9]+)*")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{20,}")
_LONG_LETTERS = re.compile(r"[A-Za-z0-9]{16}")
_DIGITS = re.compile(r"[0-9]")
_HASH = re.compile(r"[0-9a-f]{20,}|[0-9A-F]{20,}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX = re.compile(r"(?:[0-9a-f]+|[0-9A-F]+)\Z")
MIN_CHARS = 12
_WORD_CHARS, _MOST, _RELIABLE_CHARS = 4, 0.6, 24
_HASH_CHARS = 20  # shorter hexadecimal text abbreviates a commit or numbers a migration
_LETTERS_ONLY = 0.2  # what text without a digit must cost more, a character
# What a character must cost more than a random one, by the number of characters: short text is random by chance.
_LIMITS = ((24, -0.3), (20, -0.1), (16, 0.15), (MIN_CHARS, 0.6))
_JOINED_LIMIT, _PATH_LIMIT = 0.6, 0.8  # where words may stand in it
_NEIGHBOURS = "/.+=-_~"
_BESIDE_CHARS = 40  # of a piece beside random text, with what joins the two
_BEFORE = re.compile(r"[A-Za-z0-9]+[/+=_~-]+\Z")
_AFTER = re.compile(r"[/+=_~-]+[A-Za-z0-9]+=*")
_PADDING = re.compile(r"=*")


def random_spans(
    text: str, *, keep_hashes: bool = False, tick: Callable[[], object] = lambda: None
) -> list[tuple[int, int]]:
    """Return where random text stands, in order; with `keep_hashes`, hexadecimal text (commits, digests) is left
    alone. `tick` is called at every step and may raise.
    """
    if len(text) < MIN_CHARS:
        return []
    spans = [span for match in _JOINED.finditer(text) for span in _random_in(match, keep_hashes, tick)]
    if not keep_hashes:  # also where it is a part of a word
        spans += [match.span() for match in _ticked(_HASH, text, tick) if _is_random(match.group(), keep_hashes)]
    spans += [match.span() for match in _ticked(_BASE64, text, tick) if _is_base64(match.group())]
    growth = _Growth(text, tick)
    return _merged((growth.first(start), growth.last(end)) for start, end in spans)


def _ticked(kind: re.Pattern[str], text: str, tick: Callable[[], object]) -> Iterator[re.Match[str]]:
    for match in kind.finditer(text):
        tick()
        yield match


def _is_base64(text: str) -> bool:
    """Return whether text with a `/` is Base64 rather than a path."""
    mixed = all(re.search(kind, text) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    return "/" in text and mixed and _excess(text) > _PATH_LIMIT


def _random_in(match: re.Match[str], keep_hashes: bool, tick: Callable[[], object]) -> Iterator[tuple[int, int]]:
    """Yield the whole of a name such as `a-b_c` where it is random, else what is random between its words."""
    tick()
    joined = match.group()
    if len(joined) < MIN_CHARS or _UUID.search(joined):
        return
    if not _LONG_LETTERS.search(joined) and len(_DIGITS.findall(joined)) < 2 and not _is_long_and_mixed(joined):
        return
    pieces = list(_PIECE.finditer(joined))
    kept = {piece for piece in pieces if keep_hashes and _HASH.fullmatch(piece.group())}
    if (
        len(pieces) > 1
        and not kept
        and not any(_is_short_hash(piece.group()) for piece in pieces)
        and _is_random(joined, keep_hashes, _JOINED_LIMIT)
    ):
        yield match.span()
        return
    run: list[re.Match[str]] = []
    for piece in (*pieces, None):
        tick()
        if piece is not None and piece not in kept and not _is_wordy(piece.group()):
            run.append(piece)
            continue
        spans = [(run[0].start(), run[-1].end())] if run else []
        if spans and not _is_random(joined[slice(*spans[0])], keep_hashes):
            spans = [part.span() for part in run if _is_random(part.group(), keep_hashes)]
        yield from ((match.start() + start, match.start() + end) for start, end in spans)
        run = []


@remembered(16_384)
def _is_wordy(piece: str) -> bool:
    """Return whether most of a piece is words: `openjdk`, `v1alpha1beta2`; in a long one some are there by chance."""
    if len(piece) >= _RELIABLE_CHARS:
        return False
    words = [word for word in _WORD.findall(piece) if len(word) >= _WORD_CHARS and not word.isdigit()]
    return sum(len(word) for word in words if _excess(word) <= 0) >= _MOST * len(piece)


def _is_long_and_mixed(joined: str) -> bool:
    return len(joined) >= _RELIABLE_CHARS and not joined.islower() and not joined.isupper()


def _is_short_hash(piece: str) -> bool:
    return 6 <= len(piece) < _HASH_CHARS and bool(_HEX.match(piece)) and not piece.isdigit()


class _Growth:
    """Finds how far random text reaches with the short pieces beside it that belong to the same value, as in Base64
    with its `/` and `+`.

    Each place is left in one step to each side, so steps are remembered: many spans beside one another, each of which
    reaches over all others, take no longer than one.
    """

    def __init__(self, text: str, tick: Callable[[], object]) -> None:
        self._text, self._tick = text, tick
        self._firsts: dict[int, int] = {}
        self._lasts: dict[int, int] = {}

    def first(self, start: int) -> int:
        """Return where the value begins of which random text begins at `start`."""
        return self._walk(start, self._firsts, self._before, lambda at: at)

    def last(self, end: int) -> int:
        """Return where the value ends of which random text ends at `end`."""
        return self._walk(end, self._lasts, self._after, self._behind_padding)

    def _walk(self, at: int, known: dict[int, int], step: Callable[[int], int], finish: Callable[[int], int]) -> int:
        passed: list[int] = []
        while at not in known:
            self._tick()
            passed.append(at)
            to = step(at)
            if to == at:
                known[at] = finish(at)
                break
            at = to
        known.update(dict.fromkeys(passed, known[at]))
        return known[at]

    def _before(self, at: int) -> int:
        found = _BEFORE.search(self._text[max(at - _BESIDE_CHARS, 0) : at])
        return at - len(found.group()) if found and _odd(found.group()) else at

    def _after(self, at: int) -> int:
        found = _AFTER.match(self._text[at : at + _BESIDE_CHARS])
        return at + len(found.group()) if found and _odd(found.group()) else at

    def _behind_padding(self, at: int) -> int:
        found = _PADDING.match(self._text, at)
        return at if found is None else found.end()


def _odd(piece: str) -> bool:
    """Return whether a short piece beside random text is part of it rather than a word."""
    plain = piece.strip(_NEIGHBOURS)
    return len(plain) <= 3 or _excess(plain) > 0


@remembered(16_384)
def _is_random(text: str, keep_hashes: bool, limit: float | None = None) -> bool:
    plain = "".join(_PIECE.findall(text))
    size = len(plain)
    digits = sum(char.isdigit() for char in plain)
    if size < MIN_CHARS or digits == size or len(set(plain)) < 6:
        return False
    if _HEX.match(plain) and (keep_hashes or size < _HASH_CHARS):
        return False
    if limit is None:
        limit = next(bits for chars, bits in _LIMITS if size >= chars)
    if digits < 2:
        limit += _LETTERS_ONLY
    return not (size < 16 and digits < 2) and _excess(text) > limit


@remembered(16_384)
def _excess(text: str) -> float:
    """Return how many bits a character the text costs as words, beyond those of random text in its alphabet."""
    plain = "".join(_PIECE.findall(text))
    sizes = (
        26 * bool(re.search("[a-z]", plain)),
        26 * bool(re.search("[A-Z]", plain)),
        10 * bool(re.search("[0-9]", plain)),
    )
    alphabet = 16 if _HEX.match(plain) and len(plain) >= _HASH_CHARS else sum(sizes)
    return (_cost(text) - math.log2(alphabet) * len(plain)) / len(plain) if alphabet else 0.0


def _cost(text: str) -> float:
    bits = -_BETWEEN_WORDS
    for word in _WORD.findall(text):
        bits += _BETWEEN_WORDS + {1: _ONE_LETTER, 2: _TWO_LETTERS}.get(len(word), 0.0)
        if word.isdigit():
            bits += _DIGIT * len(word)
            continue
        lower = word.lower()
        bits += sum(_COST_OF[pair] for pair in zip("^" + lower, lower, strict=False))
    return bits


def _merged(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
