"""Texts made to keep masking busy: its work grows with the text, ends when it is told to, and a cut shows no value."""

from __future__ import annotations

import base64
import json
import random
import re
import string
from bisect import bisect_left
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.boundaries.parse import read_boundaries
from forgeguard_app.audit.excerpts import SourceLines
from forgeguard_app.audit.facts import Tree
from forgeguard_app.audit.masked_text import shown_lines
from forgeguard_app.audit.requirements.readers import read_manifest
from forgeguard_app.audit.requirements.references import references
from forgeguard_app.audit.secrets.allowlists import Exceptions
from forgeguard_app.audit.secrets.gitleaks_files import MAX_SAID, read_exceptions
from forgeguard_app.audit.secrets.masking import Masker, _masked_short, _replaced, forms_of, masked, quoted
from forgeguard_app.audit.secrets.matching import Span
from forgeguard_app.audit.secrets.random_text import _AFTER, _BEFORE, _BESIDE_CHARS, _Growth, _odd, random_spans
from forgeguard_app.audit.secrets.scanner import AddedBlock, SecretScan, _apart
from tests.support.in_memory import evaluate_in_memory
from tests.support.planted import drawn, plant, remains

LETTERS = string.ascii_letters + string.digits
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"
SOURCE = random.Random(1)
VALUES = [drawn(SOURCE, LETTERS, 36) for _ in range(97)]
RANDOM = SOURCE.randbytes(1_000_000)


def _repeated(piece: Callable[[str], str]) -> Callable[[int], str]:
    pieces = "".join(piece(value) for value in VALUES)
    return lambda size: (pieces * (size // len(pieces) + 1))[:size]


TEXTS: dict[str, Callable[[int], str]] = {
    "tokens on one line": _repeated(lambda value: f"gh{'p_'}{value} "),
    "tokens on lines": _repeated(lambda value: f"gh{'p_'}{value}\n"),
    "tokens without a space": _repeated(lambda value: f"gh{'p_'}{value}"),
    "tokens behind other letters": _repeated(lambda value: f"é gh{'p_'}{value} "),
    "a value in 20 characters": _repeated(lambda value: f"{value[:19]} "),
    "values that touch": _repeated(lambda value: f"{value[:19]}/"),
    "short pieces": _repeated(lambda value: f"{value[:3]}+"),
    "names": _repeated(lambda value: f"{value[:19]}-"),
    "padding": _repeated(lambda value: f"{value}{'=' * 300} "),
    "one letter": lambda size: "a" * size,
    "blanks": lambda size: " " * size,
    "quotes": _repeated(lambda value: f"'{value}'\""),
    "backslashes": lambda size: "\\" * size,
    "escapes": lambda size: "\\n\\x41\\u0041" * (size // 12),
    "Base64": lambda size: base64.b64encode(RANDOM[: size * 3 // 4]).decode(),
    "Base64 in lines": lambda size: base64.encodebytes(RANDOM[: size * 3 // 4]).decode(),
    "hexadecimal": lambda size: RANDOM[: size // 2].hex(),
    "JSON in JSON": _repeated(lambda value: json.dumps(json.dumps({"password": value}))),
    "percent-encoded": _repeated(lambda value: quote(f"password={value}&", safe="")),
    "addresses": _repeated(lambda value: f"https://user:{value}@host.corp/x "),
    "an address without an end": lambda size: "https://user:" + "a1B" * (size // 3),
    "schemes": lambda size: "a://a:" * (size // 6),
    "keys without an end": lambda size: f"{KEY}\n" * (size // 32),
    "a key without an end": lambda size: f"{KEY}\n" + base64.encodebytes(RANDOM[: size * 3 // 4]).decode(),
    "connection strings": _repeated(lambda value: f"postgres://u:{value}@db.corp:5432/x;Password={value};"),
    "assignments": _repeated(lambda value: f'password="{value}",'),
    "assignments without an end": lambda size: 'password="' * (size // 10),
    "words": lambda size: "plain words, and no value.\n" * (size // 27),
}


class _Sliced(str):
    """A text that counts the characters that are copied out of it."""

    copied = 0

    def __getitem__(self, key: Any) -> str:
        part = str.__getitem__(self, key)
        _Sliced.copied += len(part)
        return part


def _steps(work: Callable[[Callable[[], None]], object]) -> int:
    steps = 0

    def tick() -> None:
        nonlocal steps
        steps += 1

    work(tick)
    return steps


@pytest.mark.parametrize("kind", TEXTS)
def test_masking_and_searching_take_steps_as_the_text_is_long(kind: str) -> None:
    def search(text: str, tick: Callable[[], None]) -> None:
        scan = SecretScan(Exceptions(), tick)
        scan.add(AddedBlock("a.py", None, 1, text.encode()))
        scan.finish()

    def both(text: str) -> tuple[int, int]:
        return _steps(lambda tick: masked(text, tick=tick)), _steps(lambda tick: search(text, tick))

    small, large = both(TEXTS[kind](25_000)), both(TEXTS[kind](100_000))
    assert all(more <= 5 * few + 100 for few, more in zip(small, large, strict=True)), (small, large)


@pytest.mark.parametrize("kind", TEXTS)
def test_random_text_is_found_without_copying_the_text_again_and_again(kind: str) -> None:
    text = _Sliced(TEXTS[kind](200_000))
    _Sliced.copied = 0
    random_spans(text)
    assert _Sliced.copied <= 40 * len(text)


def test_what_is_masked_is_replaced_in_one_pass() -> None:
    text = _Sliced("ab " * 100_000)
    _Sliced.copied = 0
    spans = [(at, at + 2, "[masked]") for at in range(0, len(text), 3)]
    assert _replaced(text, 4, spans) == ("[masked] " * 100_000, 17)
    assert _Sliced.copied <= len(text)


@pytest.mark.parametrize("kind", TEXTS)
def test_a_long_text_is_masked_to_its_end(kind: str) -> None:
    text = TEXTS[kind](100_000)
    found = masked(text)
    assert not any(remains(value, found) for value in VALUES[:5])
    lines = Masker(["abcdefgh" * 4]).mask(text.encode().split(b"\n"))
    assert len(lines) == text.count("\n") + 1
    assert SourceLines("a.py", text.encode()).excerpt(1, 20) is not None


class _Over(Exception):
    """The time is over."""


@pytest.mark.parametrize("kind", [kind for kind in TEXTS if kind not in ("one letter", "blanks", "backslashes")])
def test_masking_ends_at_the_next_step_once_the_time_is_over(kind: str) -> None:
    text = TEXTS[kind](100_000)
    steps = 0

    def tick() -> None:
        nonlocal steps
        steps += 1
        if steps >= 3:
            raise _Over

    if _steps(lambda count: masked(text, tick=count)) < 3:
        return
    with pytest.raises(_Over):
        masked(text, tick=tick)
    assert steps == 3


@given(st.integers(0, 2**32), st.integers(0, 200), st.integers(0, 300))
def test_a_cut_text_is_the_beginning_of_the_masked_text_and_no_value_is_cut(seed: int, before: int, cut: int) -> None:
    value = plant(random.Random(seed))
    text = f"{'a word ' * (before // 7)}{value} and words {'behind it ' * 20}"
    found = masked(text, limit_chars=cut)
    assert masked(text).startswith(found)
    assert not remains(value, found)


def test_a_value_where_much_text_is_cut_is_not_shown_in_part() -> None:
    value = f"gh{'p_'}{VALUES[0]}"
    for before in range(49_950, 50_010, 3):
        text = f"{'a b ' * (before // 4)}{' ' * (before % 4)}{value} and {'more ' * 2_000}"
        assert not remains(value, shown_lines(text))
    for before in range(900, 1_010, 3):
        text = f"{' ' * before}{value}{' words' * 2_000}"
        assert not remains(value, quoted(text))
        assert not remains(value, masked(text, limit_chars=1_000))
    assert shown_lines("a b " * 20_000).endswith("…")
    assert quoted(" " * 40 + value * 100).endswith("…'")


def _grown_naively(text: str, span: tuple[int, int]) -> tuple[int, int]:
    start, end = span
    while (before := _BEFORE.search(text[max(start - _BESIDE_CHARS, 0) : start])) and _odd(before.group()):
        start -= len(before.group())
    while (after := _AFTER.match(text[end : end + _BESIDE_CHARS])) and _odd(after.group()):
        end += len(after.group())
    return start, end + len(text[end:]) - len(text[end:].lstrip("="))


@given(st.lists(st.sampled_from(["/", "=", "+", " ", "a", "Zq9", "words", "xK7", "=" * 50, VALUES[0]])), st.randoms())
def test_random_text_grows_as_each_piece_of_it_would_alone(pieces: list[str], source: random.Random) -> None:
    text = "".join(pieces)
    growth = _Growth(text, lambda: None)
    for _ in range(10):
        start = source.randint(0, len(text))
        end = source.randint(start, len(text))
        assert (growth.first(start), growth.last(end)) == _grown_naively(text, (start, end))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30), st.integers(1, 9)), min_size=1, max_size=30))
def test_of_overlapping_spans_the_first_rules_are_kept(given_spans: list[tuple[int, int, int]]) -> None:
    group = list({Span(rule, start, start + size) for rule, start, size in given_spans})
    kept: list[Span] = []
    for span in sorted(group):
        at = bisect_left(kept, span.start, key=lambda other: other.start)
        if (at == 0 or kept[at - 1].end <= span.start) and (at == len(kept) or span.end <= kept[at].start):
            kept.insert(at, span)
    assert _apart(group) == kept


@given(
    st.lists(st.text("ab\n ", min_size=8, max_size=30), max_size=5),
    st.lists(st.text("ab\n -", max_size=40), max_size=8),
)
def test_each_known_value_is_masked_in_its_longest_form(known: list[str], texts: list[str]) -> None:
    text = "|".join([*texts, *known, *texts]).encode()
    one_by_one = re.compile(b"|".join(map(re.escape, forms_of(known, each_line=True))) or b"(?!)")
    found = Masker(known)._known.find_matches_as_indexes(text)
    assert [(start, end) for _, start, end in found] == [match.span() for match in one_by_one.finditer(text)]


NAMES = [f"{VALUES[number % 97]}{number}" for number in range(3_000)]
RULES = "".join(f'[[rules]]\nid = "{name}"\nregex = "a"\n' for name in NAMES).encode()
INCLUDES = "".join(f"-r {name}.txt\n" for name in NAMES).encode()
VIOLATIONS = [{"layer": name, "file": "a.py", "pattern": "x", "reason": "y"} for name in NAMES]
READERS: dict[str, Callable[[Callable[[], None]], object]] = {
    "rules of gitleaks": lambda tick: read_exceptions(RULES, None, tick),
    "included files": lambda tick: references(
        [read_manifest("requirements.txt", INCLUDES)], Tree({"requirements.txt": "1"}), {"1": INCLUDES}, tick
    ),
    "known violations": lambda tick: read_boundaries(
        json.dumps({"layers": [{"name": "a", "glob": "**"}], "known_violations": VIOLATIONS}), "boundaries.json", tick
    ),
    "imports": lambda tick: evaluate_in_memory(
        {"a.py": "".join(f"import requests.m{name}\n" for name in NAMES), "requirements.txt": "requests\n"}, tick=tick
    ),
}


@pytest.mark.parametrize("kind", READERS)
def test_each_text_that_a_message_quotes_is_a_step_that_looks_at_the_clock(kind: str) -> None:
    assert _steps(READERS[kind]) >= len(NAMES)


def test_remarks_that_are_not_listed_are_not_made() -> None:
    masked_before = _masked_short.cache_info()
    exceptions, _ = read_exceptions(RULES, None)
    masked_after = _masked_short.cache_info()
    asked = masked_after.hits + masked_after.misses - masked_before.hits - masked_before.misses
    assert (len(exceptions.remarks), asked) == (MAX_SAID + 1, MAX_SAID)
