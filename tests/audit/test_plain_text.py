import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.plain_text import escaped, escaped_lines, without_links

ACTING = {*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("app/x.py", "app/x.py"),
        ("Größe/日本.py", "Größe/日本.py"),
        ("a\x1b[31mred.py", "a\\x1b[31mred.py"),
        ("b\nPASS.py", "b\\nPASS.py"),
        ("a\r\tb\x00\x7f\x85", "a\\r\\tb\\x00\\x7f\\x85"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("a\u2028b\u2066c", "a\\u2028b\\u2066c"),
        ("raw\udcff.py", "raw\\xff.py"),
        ("lone\ud800", "lone\\ud800"),
    ],
)
def test_characters_that_act_are_shown_as_escapes(given: str, shown: str) -> None:
    assert escaped(given) == shown


@given(st.text())
def test_no_acting_character_is_left_and_the_text_can_be_stored(text: str) -> None:
    assert not {ord(char) for char in escaped(text)} & ACTING
    assert not {ord(char) for char in escaped_lines(text)} & (ACTING - {9, 10})
    escaped(text).encode()


def test_lines_stay_lines() -> None:
    assert escaped_lines("a\tb\r\nc\x1b") == "a\tb\\r\nc\\x1b"


def test_an_address_becomes_no_link() -> None:
    assert without_links("See https://x.example, WWW.x.example") == "See https:\u200b//x.example, WWW\u200b.x.example"
    assert without_links("Shop: www, http") == "Shop: www, http"
