"""A search in pieces finds what a search of the whole finds, and no call of re2 is given more than a bounded amount."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.boundaries.parse import read_boundaries
from forgeguard_app.audit.boundaries.pattern_search import find_all_matches
from forgeguard_app.audit.bounded_search import MAX_WORK, BoundedSearch, is_found
from forgeguard_app.audit.globs import glob_regex
from forgeguard_app.audit.line_patterns import stays_in_line
from forgeguard_app.audit.pattern_sets import GlobSet, PatternSet
from forgeguard_app.audit.patterns import MAX_PATTERN_PROGRAM, PatternError, compile_bytes, compile_pattern
from forgeguard_app.audit.secrets.gitleaks_files import read_exceptions
from forgeguard_app.git.listing import MAX_PATH_BYTES

_ATOMS = (
    r"a b ab . ^ $ \b \B \A \z \s \S \d \D \w \W [ab] [^a] [^a\n] [^\S\n] [\n-z] [ -~] [\t] []a] [^]\n] [[:space:]] "
    r"[[:alpha:]] [\x00-\x20] \x0a \x{61} \012 \Qa.\E \pL \PL \pC \C é [é-ü] (?:a|) \n \t \( \(?s"
).split(" ")
ATOMS = st.sampled_from([*_ATOMS, " ", "\n"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "+?", "{2}", "{1,3}?"])).map(
            lambda p: f"(?:{p[0]}){p[1]}"
        ),
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(st.sampled_from(["(?s:", "(?i:", "(?-s:", "(?s-i:", "(", "(?P<n>", "(?U:", "(?-m:"]), inner).map(
            lambda p: f"{p[0]}{p[1]})"
        ),
        inner.map(lambda p: f"(?s){p}"),
    ),
    max_leaves=6,
)
TEXTS = st.lists(st.sampled_from(["a", "b", "ab", "\n", "\r\n", " ", "é", "a.", "]", "\t", "(s"]), max_size=40).map(
    "".join
)


class Narrow:
    """A compiled pattern that has room for some bytes in each call; the calls and their lengths are kept."""

    def __init__(self, compiled: Any, room: int) -> None:
        self._compiled = compiled
        self.programsize = MAX_WORK // room
        self.calls: list[int] = []

    def search(self, text: bytes, start: int = 0, end: int | None = None) -> Any:
        self.calls.append((len(text) if end is None else end) - start)
        return self._compiled.search(text, start, end)

    def finditer(self, text: bytes, start: int, end: int) -> Any:
        self.calls.append(end - start)
        return self._compiled.finditer(text, start, end)


def compiled_or_none(pattern: str) -> Any:
    try:
        return compile_bytes(f"(?m){pattern}")
    except PatternError:
        return None


def all_spans(compiled: Any, text: bytes) -> list[tuple[int, int]]:
    return [match.span() for match in compiled.finditer(text) if match.start() < match.end()]


@given(PATTERNS, TEXTS, st.integers(2, 30))
def test_a_search_in_pieces_finds_what_a_search_of_the_whole_finds(pattern: str, text: str, room: int) -> None:
    compiled, data = compiled_or_none(pattern), text.encode()
    if compiled is None:
        return
    narrow = Narrow(compiled, room)
    search = BoundedSearch(narrow, by_line=stays_in_line(pattern))
    spans = list(search.spans(data))
    if not search.partly:
        assert spans == all_spans(compiled, data)
    assert all(first < last for first, last in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    found = is_found(narrow, data, by_line=stays_in_line(pattern))
    assert found in (None, compiled.search(data) is not None)
    assert max(narrow.calls, default=0) <= room


@given(PATTERNS, TEXTS)
def test_no_match_of_a_pattern_that_stays_in_a_line_holds_a_line_break(pattern: str, text: str) -> None:
    compiled = compiled_or_none(pattern)
    if compiled is None or not stays_in_line(pattern):
        return
    data = text.encode()
    assert not [data[first:last] for first, last in all_spans(compiled, data) if b"\n" in data[first:last]]


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bSELECT\b.*\bFROM\b",
        r"print\(?s",
        r"[^\n]*x",
        r"[\w.-]+@[^\s]+",
        r"(?i)console\.log",
        r"[ \t]+$",
        r"\Qa\sb\E",
    ],
)
def test_usual_patterns_of_one_line_are_searched_line_by_line(pattern: str) -> None:
    assert stays_in_line(pattern)


@pytest.mark.parametrize("pattern", [r"a\s+b", "[^x]", "(?s)a.*b", "(?is:a.)", "a\nb", r"\x0a", r"\12", r"\C", r"\W"])
def test_patterns_that_may_cross_lines_are_not(pattern: str) -> None:
    assert not stays_in_line(pattern)


@given(TEXTS, st.integers(8, 30))
def test_short_matches_are_found_wherever_pieces_of_a_long_text_end(text: str, room: int) -> None:
    data = text.encode()
    compiled = compile_bytes(r"(?m)a\s?b")  # at most four bytes
    search = BoundedSearch(Narrow(compiled, room), by_line=False)
    assert list(search.spans(data)) == all_spans(compiled, data)
    assert search.partly == (len(data) > room)


def test_a_large_pattern_is_searched_in_pieces_between_which_the_time_is_looked_at() -> None:
    steps: list[None] = []
    pattern = "a" + "[ab]{900}" * 9 + "c"
    text = b"x a b y\n" * 20_000
    assert find_all_matches(text, frozenset([pattern]), lambda: steps.append(None)).found == {}
    pieces = len(text) * int(compile_pattern(pattern).programsize) / MAX_WORK
    assert len(steps) >= pieces > 30


def test_a_pattern_that_crosses_lines_and_is_too_large_for_its_text_is_said_and_its_short_matches_are_found() -> None:
    pattern = "|".join(rf"{word}\s[ab]{{900}}" for word in ("key", *"cdefghi"))
    text = b"key\n" + b"a" * 900 + b"\n" + b"x\n" * 50_000 + b"key " + b"b" * 900
    (matches,) = find_all_matches(text, frozenset([pattern])).found.values()
    assert matches.partly
    assert [(match.line, match.end_line) for match in matches.found] == [(1, 2), (50_003, 50_003)]
    none = find_all_matches(b"x\n" * 50_000, frozenset([pattern])).found
    assert [(found.found, found.partly) for found in none.values()] == [((), True)]


def test_one_pattern_too_large_is_refused_on_its_line_with_what_to_do() -> None:
    fits, large = "a" + "[ab]{900}" * 9 + "c", "a" + "[ab]{900}" * 10 + "c"
    huge = "a" + "[ab]{900}" * 200 + "c"
    layer = {"name": "l", "glob": "**", "forbidden": [{"pattern": p, "reason": "r"} for p in (fits, large, huge)]}
    boundaries, problems = read_boundaries(json.dumps({"layers": [layer]}), "boundaries.json")
    assert [rule.pattern for rule in boundaries.layers[0].forbidden] == [fits]
    assert len(problems) == 2
    assert all("too large" in problem.message and "smaller numbers" in problem.message for problem in problems)
    _, wrong = read_exceptions(f"[allowlist]\nregexes = ['{large}']\n".encode(), None)
    assert [problem.line for problem in wrong] == [2]
    assert int(compile_pattern(fits).programsize) <= MAX_PATTERN_PROGRAM


def test_the_largest_glob_and_the_longest_path_that_is_read_take_bounded_work() -> None:
    largest = max(int(compile_bytes(f"(?s){glob_regex(char * 1_000)}").programsize) for char in "?aé𐀀")
    assert largest * MAX_PATH_BYTES <= 4 * MAX_WORK
    globs = GlobSet(["*" + "?" * 990, "*.py"])
    assert globs.matching("x" * (MAX_PATH_BYTES - 3) + ".py") == [0, 1]


def test_patterns_that_are_slow_to_read_are_bounded_together() -> None:
    classes = r"\PL" * 600
    forbidden = [{"pattern": f"x{number}(?i:{classes}){{0}}", "reason": "r"} for number in range(20)]
    layer = {"name": "l", "glob": "**", "forbidden": forbidden}
    boundaries, problems = read_boundaries(json.dumps({"layers": [layer]}), "boundaries.json")
    assert len(boundaries.layers[0].forbidden) < 6
    assert "take all the room" in problems[-1].message


def test_patterns_of_an_allowlist_are_not_asked_together_about_a_text_that_is_too_long_for_that() -> None:
    sizes: list[int] = []

    def compile_counted(expression: str) -> Any:
        compiled = compile_bytes(expression)

        class Counted:
            programsize = compiled.programsize

            def search(self, text: bytes, start: int = 0, end: int | None = None) -> Any:
                sizes.append(((len(text) if end is None else end) - start) * self.programsize)
                return compiled.search(text, start, end)

        return Counted()

    patterns = [f"^{number}(?s:.){{800}}$" for number in range(40)]
    many = PatternSet(patterns, compile_joined=compile_counted)
    line = b"x" * 4_000
    assert many.matching(line) == []
    assert many.matching(b"7" + b"x" * 800) == [7]
    assert max(sizes) <= MAX_WORK
