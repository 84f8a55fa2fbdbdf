"""Finds matches of the rules in a text that arrives in pieces: keyword hits first, then each rule in a window around
them.

Every window depends on absolute positions alone: a line, or in long lines a cell of CELL_BYTES with its surroundings.
So cutting a text into pieces changes nothing, each window is looked at once for each rule, and the cost is linear in
the text however many keywords it holds.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import re2
from ahocorasick_rs import BytesAhoCorasick

from forgeguard_app.audit.secrets.generic_rules import (
    ADDRESS,
    BARE,
    GENERATED_FILES,
    GENERIC_RULES,
    HARMLESS_NAME_ENDINGS,
    PLACEHOLDER_PASSWORDS,
    PLACEHOLDER_WORDS,
    PRIVATE_KEY,
    QUOTED,
    SETTING_FILES,
)
from forgeguard_app.audit.secrets.provider_rules import PROVIDER_RULES
from forgeguard_app.audit.secrets.rule import SecretRule

RULES: tuple[SecretRule, ...] = (*PROVIDER_RULES, *GENERIC_RULES)
CELL_BYTES = 4_096
LONG_LINE_BYTES = 4_000  # a longer line is looked at in cells
BEFORE_BYTES, AFTER_BYTES = 400, 2_400  # what belongs to a cell beside it
BUNCH_BYTES = 8_192
_HUMAN = re.compile(rb"[A-Za-z]+(?:[_\-./:][A-Za-z]+)*\d{0,4}\Z")
_RUN = re.compile(rb"(.)\1{11,}")
_SHORT_RUN = re.compile(rb"(.)\1{5,}")
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_TEST_PATH = re.compile(
    r"(?:^|/)(?:tests?|testing|spec|specs|fixtures|testdata|examples?|docs?|mocks?)(?:/|$)|(?:^|/)test_|_test\.|\.md$|\.rst$"
)


class Span(NamedTuple):
    """A match of a rule: the number of the rule in RULES, and where the value stands."""

    rule: int
    start: int
    end: int


Window = tuple[int, int, int]  # where to look, from and to, and before where the matches begin that are accepted
_PRIVATE_KEY = RULES.index(PRIVATE_KEY)


class _Matcher:
    """The compiled rules behind their keywords."""

    def __init__(self) -> None:
        options = re2.Options()
        options.log_errors = False
        self.patterns: list[Any] = [re2.compile(b"(?m)" + rule.pattern.encode(), options) for rule in RULES]
        keywords: dict[bytes, list[int]] = {}
        for number, rule in enumerate(RULES):
            for keyword in rule.keywords:
                keywords.setdefault(keyword.encode(), []).append(number)
        self.groups = [_value_group(rule, pattern.groups) for rule, pattern in zip(RULES, self.patterns, strict=True)]
        self.rules_of = list(keywords.values())
        self.longest = max(map(len, keywords))
        self.automaton: Any = BytesAhoCorasick(list(keywords))


def _value_group(rule: SecretRule, groups: int) -> int:
    return 2 if rule in (QUOTED, BARE, ADDRESS) else min(1, groups)


@lru_cache(maxsize=1)
def _matcher() -> _Matcher:
    return _Matcher()


def find_spans(
    text: bytes, low: int, high: int, path: str, origin: int, tick: Callable[[], object] = lambda: None
) -> set[Span]:
    """Return everything in `text` that looks real and whose keyword ends in low..high.

    `origin` is the position of the text's first byte in the whole, of which every position counts. The text reaches
    as far to both sides of low..high as a window does, unless the whole ends there. `tick` is called for each
    keyword and window.
    """
    matcher = _matcher()
    first = max(low - matcher.longest + 1, 0)
    hits = matcher.automaton.find_matches_as_indexes(text[first:high].lower(), overlapping=True)
    if not hits:
        return set()
    view = _LONE_RETURN.sub(b"\n", text) if b"\r" in text else text
    rules = _applicable(*_generic_rules(path))
    looked_to = [-1] * len(RULES)  # hits come ordered by their ends: what was looked at is one stretch for each rule
    windows: dict[int, list[Window]] = {}
    line = (0, -1)
    for keyword, _, stop in hits:
        tick()
        at = first + stop - 1
        if at < low:
            continue
        for number in rules[keyword]:
            if at < looked_to[number]:
                continue
            if not line[0] <= at < line[1]:
                line = _line_around(view, at)
            window = _window(view, at, line, origin, whole_line=number != _PRIVATE_KEY)
            looked_to[number] = window[2]
            windows.setdefault(number, []).append(window)
    found = {
        span
        for number, group in windows.items()
        for window in _likely(matcher.patterns[number], view, group, tick)
        for span in _confirmed(matcher.patterns[number], number, view, path, window)
    }
    return {Span(number, origin + start, origin + end) for number, start, end in found}


def _likely(pattern: Any, text: bytes, windows: list[Window], tick: Callable[[], object]) -> Iterator[Window]:
    """Leave out windows of which many side by side hold no match together; so a text full of keywords costs little."""
    bunch: list[Window] = []
    for window in (*windows, None):
        tick()
        if bunch and (window is None or window[1] - bunch[0][0] > BUNCH_BYTES):
            if len(bunch) == 1 or pattern.search(text[bunch[0][0] : bunch[-1][1]]) is not None:
                yield from bunch
            bunch = []
        if window is not None:
            bunch.append(window)


def kind_of(path: str) -> tuple[bool, bool, bool]:
    """Return all that the rules look at of a path: a text gives the same under every path of one kind."""
    return *_generic_rules(path), _TEST_PATH.search(path) is not None


def _generic_rules(path: str) -> tuple[bool, bool]:
    """Return whether the rules for quoted and for bare assignments apply to the path."""
    name = path.rpartition("/")[2].lower()
    if name.endswith(GENERATED_FILES):
        return False, False
    return True, name.endswith(SETTING_FILES) or name.startswith((".env", "dockerfile"))


@lru_cache(maxsize=4)
def _applicable(quoted: bool, bare: bool) -> list[tuple[int, ...]]:
    """Return the numbers of the rules to look for, by keyword."""
    left_out = {rule for rule, applies in ((QUOTED, quoted), (BARE, bare)) if not applies}
    return [tuple(n for n in numbers if RULES[n] not in left_out) for numbers in _matcher().rules_of]


def _line_around(text: bytes, at: int) -> tuple[int, int]:
    """Return where the line begins and ends, each looked for no further than a long line reaches."""
    low, high = max(at - LONG_LINE_BYTES - 1, 0), min(at + LONG_LINE_BYTES + 1, len(text))
    start = text.rfind(b"\n", low, at)
    end = text.find(b"\n", at, high)
    return low if start == -1 else start + 1, high if end == -1 else end + 1


def _window(text: bytes, at: int, line: tuple[int, int], origin: int, *, whole_line: bool) -> Window:
    if whole_line and line[1] - line[0] <= LONG_LINE_BYTES:
        return line[0], line[1] - (text[line[1] - 1] == 10), line[1]
    cell = (origin + at) // CELL_BYTES * CELL_BYTES - origin
    start, end = max(cell - BEFORE_BYTES, 0), min(cell + CELL_BYTES + AFTER_BYTES, len(text))
    if whole_line:
        start, end = max(start, text.rfind(b"\n", start, at) + 1), _until(text, at, end)
    return start, end, min(cell + CELL_BYTES, end)


def _until(text: bytes, at: int, end: int) -> int:
    found = text.find(b"\n", at, end)
    return end if found == -1 else found


def _confirmed(pattern: Any, number: int, text: bytes, path: str, window: Window) -> Iterator[Span]:
    start, end, accepted = window
    rule = RULES[number]
    cut = start > 0 and text[start - 1] != 10  # the window begins within a line: so does a match at its beginning
    group = _matcher().groups[number]
    for match in pattern.finditer(text[start:end]):
        at = match.start()
        if start + at >= accepted or (cut and at == 0) or not _looks_real(rule, match.group(group), match, path):
            continue
        yield Span(number, start + match.start(group), start + match.end(group))


def _looks_real(rule: SecretRule, value: bytes, match: Any, path: str) -> bool:
    lower = value.lower()
    if _entropy(value) < rule.entropy or b"example" in lower or _RUN.search(value):
        return False
    if rule is QUOTED or rule is BARE:
        return _looks_random(value, lower, match.group(1).decode("utf-8", "replace"), path)
    if rule is ADDRESS:
        return _looks_like_password(match)
    return True


def _looks_random(value: bytes, lower: bytes, name: str, path: str) -> bool:
    """Return whether a generic value is random text rather than a word, a name, an address or a placeholder."""
    words = re.split(r"[_.\-]|(?<=[a-z])(?=[A-Z])", name)
    if words[-1].lower() in HARMLESS_NAME_ENDINGS or any(word.encode() in lower for word in PLACEHOLDER_WORDS):
        return False
    if (
        _SHORT_RUN.search(value)
        or b"://" in value
        or value.startswith((b"/", b"./", b"$", b"@", b"#"))
        or value.count(b"/") > 3
        or _HUMAN.match(value)
    ):
        return False
    if any(char in value for char in b"(){}[]<> ,;|\\"):
        return False
    digits = sum(48 <= char <= 57 for char in value)
    letters = sum(65 <= (char & ~32) <= 90 for char in value)
    if digits < 2 or letters < 2:
        return False
    longest = max((len(part) for part in re.split(rb"[_\-./:]", value)), default=0)
    if longest < 10 and not any(char in value for char in b"!@#$%^&*+="):
        return False
    return not (_TEST_PATH.search(path) and _entropy(value) < 4.0)


def _looks_like_password(match: Any) -> bool:
    user, password, host = (match.group(n).decode("utf-8", "replace").lower() for n in (1, 2, 3))
    if password in PLACEHOLDER_PASSWORDS or password == user or any(word in password for word in PLACEHOLDER_WORDS):
        return False
    if host in ("localhost", "127.0.0.1", "0.0.0.0", "::1", "host", "hostname") or host.endswith(  # noqa: S104
        ("example.com", "example.org", "example.net", ".example", ".test", ".invalid", ".localhost")
    ):
        return False
    return not (password.isalpha() and len(password) < 12)


def _entropy(value: bytes) -> float:
    if not value:
        return 0.0
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())
