"""The lines around a finding, and that no secret is ever among them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.excerpts import HIDDEN, MAX_LINE_CHARS, MAX_LINES, SourceLines, excerpt_of

TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"


def test_the_lines_around_are_given_with_their_number() -> None:
    data = b"\n".join(b"line %d" % number for number in range(1, 21))
    found = excerpt_of("a.py", data, 10, 10)
    assert found is not None
    assert (found.first_line, found.text.split("\n")) == (7, [f"line {number}" for number in range(7, 14)])
    first = excerpt_of("a.py", data, 1, 1)
    assert first is not None
    assert first.text.startswith("line 1\n")
    last = excerpt_of("a.py", data, 20, 20)
    assert last is not None
    assert last.text.endswith("line 20")
    assert excerpt_of("a.py", data, 21, 21) is None
    assert excerpt_of("a.bin", b"\0" + data, 1, 1) is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_lines_of_a_file_in_any_unicode_encoding_are_shown_as_text_and_their_secrets_hidden(encoding: str) -> None:
    data = f"import requests é\r\nT = '{TOKEN}'\r\nx = 1\r\n".encode(encoding)
    found = excerpt_of("a.cs", data, 1, 1)
    assert found is not None
    assert found.text.split("\n") == ["import requests é", HIDDEN, "x = 1", ""]


def test_a_line_with_a_secret_is_left_out_wherever_its_key_began() -> None:
    data = f"import requests\nT = '{TOKEN}'\nx = 1\n".encode()
    found = excerpt_of("a.py", data, 1, 1)
    assert found is not None
    assert found.text.split("\n") == ["import requests", HIDDEN, "x = 1", ""]
    body = [f"MIIE{'Q' * 50}{number:02d}" for number in range(8)]
    data = "\n".join(["a", KEY, *body, "-----END RSA " + "PRIVATE KEY-----", "import yaml", "b"]).encode()
    found = excerpt_of("a.py", data, 12, 12)
    assert found is not None
    assert "MIIE" not in found.text
    assert "import yaml" in found.text


def test_a_line_of_megabytes_is_looked_at_up_to_a_bound_and_its_secrets_stay_hidden() -> None:
    data = (f"T = '{TOKEN}'; " + "x = 1; " * 700_000 + "\n").encode() + b"import a\n" + b"y = 2; " * 700_000
    lines = SourceLines("a.py", data)
    found = [lines.excerpt(2, 2) for _ in range(200)]
    assert found[0] is not None
    assert found[0].text.split("\n")[:2] == [HIDDEN, "import a"]
    assert len(found[0].text) < 1_000
    assert set(found) == {excerpt_of("a.py", data, 2, 2)}


@given(st.binary(max_size=3_000), st.integers(1, 100), st.integers(1, 2_000))
def test_whatever_a_file_holds_its_excerpt_is_bounded_text(data: bytes, line: int, end_line: int) -> None:
    found = excerpt_of("a.py", data, line, end_line)
    if found is not None:
        lines = found.text.split("\n")
        assert len(lines) <= MAX_LINES
        assert all(len(text_line) <= MAX_LINE_CHARS + 1 and "\0" not in text_line for text_line in lines)
        assert found.first_line <= line
