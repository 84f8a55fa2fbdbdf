"""Texts of any size: scanned in pieces as in one, whatever is cut where, and in linear time."""

from __future__ import annotations

import random
import string
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgeguard_app.audit.secrets.allowlists import Exceptions
from forgeguard_app.audit.secrets.scanner import BLOCK_BYTES, AddedBlock, Secret, SecretScan, scan, spans_of

NO_EXCEPTIONS = Exceptions()
_LETTERS = string.ascii_letters + string.digits


def _value(seed: int, size: int) -> str:
    return "".join(random.Random(seed).choices(_LETTERS, k=size))


SAMPLES = [
    f'token = "ghp_{_value(1, 36)}"',
    f"AWS = 'AKIA{_value(2, 16).upper().translate(str.maketrans('0189', 'ABCD'))}'",
    f'api_key: "{_value(3, 24)}" # ünïcödé',
    f"postgresql://app:{_value(4, 14)}-9@db.internal/app",
    "-----BEGIN RSA PRIVATE " + f"KEY-----\n{_value(5, 64)}\n{_value(6, 64)}\n-----END",
    f"x = 1  # token = '{_value(7, 20)}' forgeguard:allow",
    f"eyJ{_value(8, 30)}.eyJ{_value(9, 60)}.{_value(10, 43)}",
    f"sk-ant-api03-{_value(11, 32)}-" + f"AKIA{_value(2, 16).upper().translate(str.maketrans('0189', 'ABCD'))}-" * 40,
]
FILLERS = ["key secret token password ", "x", "é", "\n", "\r\n", "\r", "private key ", "://", "日本語", "'\"", "eyJ"]
PIECE = 4_096


def texts() -> st.SearchStrategy[bytes]:
    part = st.sampled_from(SAMPLES) | st.tuples(st.sampled_from(FILLERS), st.integers(1, 1_500)).map(
        lambda item: item[0] * item[1]
    )
    return st.lists(part, min_size=1, max_size=12).map(lambda parts: "".join(parts).encode()) | st.lists(
        part, min_size=1, max_size=12
    ).map(lambda parts: "\n".join(parts).encode())


def scanned(text: bytes, cuts: list[int], piece_bytes: int) -> list[Secret]:
    search = SecretScan(NO_EXCEPTIONS, piece_bytes=piece_bytes)
    places = sorted({0, *(cut % (len(text) + 1) for cut in cuts)})
    for low, high in zip(places, [*places[1:], len(text)], strict=True):
        search.add(AddedBlock("deploy/.env", "c", 7, text[low:high], continues=low > 0))
    search.finish()
    return search.found


@settings(max_examples=60, deadline=None)
@given(texts(), st.lists(st.integers(0, 1 << 16), max_size=6))
def test_a_text_in_pieces_gives_the_findings_of_the_whole_text(text: bytes, cuts: list[int]) -> None:
    assert scanned(text, cuts, PIECE) == scan([AddedBlock("deploy/.env", "c", 7, text)], NO_EXCEPTIONS)


@pytest.mark.parametrize("offset", range(PIECE - 60, PIECE + 20, 7))
@pytest.mark.parametrize("sample", SAMPLES[:3] + SAMPLES[4:5])
def test_a_value_at_a_cut_is_found_once_and_in_its_line(sample: str, offset: int) -> None:
    text = ("word\n" * PIECE)[:offset] + "\n" + sample + "\nrest\n" * 3_000
    found = scanned(text.encode(), [], PIECE)
    assert [secret.line for secret in found] == [text[: text.index(sample)].count("\n") + 7]


@pytest.mark.parametrize("filler", ["key token secret password\n", "key token secret password ", "private key "])
def test_a_value_after_any_number_of_keywords_is_found(filler: str) -> None:
    text = filler * 8_000 + "\n" + SAMPLES[0]
    found = scan([AddedBlock("a.txt", None, 1, text.encode())], NO_EXCEPTIONS)
    assert [(secret.rule.id, secret.line) for secret in found] == [("github-personal-token", text.count("\n") + 1)]


def test_many_values_in_one_line_are_each_found_at_their_column() -> None:
    parts = [f'"ghp_{_value(seed, 36)}",' for seed in range(1_000)]
    found = scan([AddedBlock("a.json", None, 1, "".join(parts).encode())], NO_EXCEPTIONS)
    assert [secret.column for secret in found] == [2 + 43 * number for number in range(1_000)]


def test_more_values_than_are_kept_are_counted() -> None:
    lines = "".join(f"t = 'ghp_{number:06d}{_value(1, 30)}'\n" for number in range(1_001))
    search = SecretScan(NO_EXCEPTIONS, most=1_000)
    search.add(AddedBlock("a.py", None, 1, lines.encode()))
    search.finish()
    assert (len(search.found), search.left_out, search.found[-1].line) == (1_000, 1, 1_000)


def test_lines_that_end_with_a_carriage_return_alone_are_lines() -> None:
    text = f"A=1\rAPI_TOKEN={_value(3, 24)}\rB=2\r".encode()
    assert [secret.rule.id for secret in scan([AddedBlock("deploy/.env", None, 1, text)], NO_EXCEPTIONS)] == [
        "generic-setting"
    ]


def test_spans_of_a_long_text_stand_where_its_values_are() -> None:
    text = ("x" * 3_000_000 + f' "ghp_{_value(1, 36)}" ' + "y" * 500_000).encode()
    assert [text[start:end] for start, end in spans_of(AddedBlock("a", None, 1, text))] == [
        f"ghp_{_value(1, 36)}".encode()
    ]


# Each ends within the next one: a key without an end, which holds others, in every window of a line without blanks.
CHAIN = "-".join([f"sk-ant-api03-{_value(11, 32)}", *[SAMPLES[1][7:27]] * 9]).ljust(255, "q") + "-"


def test_values_that_all_overlap_take_memory_as_the_text_does() -> None:
    search = SecretScan(NO_EXCEPTIONS)
    tracemalloc.start()
    for number in range(5 * 1_024 // 16):
        search.add(AddedBlock("a.txt", None, 1, CHAIN.encode() * 16, continues=number > 0))
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    search.finish()
    assert len(search.found) == 1
    assert most_bytes < 40 << 20


@pytest.mark.parametrize("before", [0, 1, 100])
def test_no_span_lies_over_another_where_all_overlap(before: int) -> None:
    text = b"x " * before + CHAIN.encode() * (5 * BLOCK_BYTES // len(CHAIN))
    spans = spans_of(AddedBlock("a.txt", None, 1, text))
    assert len(spans) > 1_000
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
