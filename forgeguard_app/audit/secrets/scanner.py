"""Finds credentials in added lines. What a value is never leaves this module but as its provider's fixed prefix."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import re2
from ahocorasick_rs import BytesAhoCorasick

from forgeguard_app.audit.secrets.allowlists import INLINE, Exceptions
from forgeguard_app.audit.secrets.checksums import crc32_holds
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
from forgeguard_app.audit.secrets.rule import Rule

RULES: tuple[Rule, ...] = (*PROVIDER_RULES, *GENERIC_RULES)
_BEFORE, _AFTER = 400, 2_400  # bytes around a keyword in a line too long to be looked at whole
_LONG_LINE = 4_000
_MAX_HITS = 20_000  # keyword hits looked at in one block
_HUMAN = re.compile(rb"[A-Za-z]+(?:[_\-./:][A-Za-z]+)*\d{0,4}\Z")
_RUN = re.compile(rb"(.)\1{11,}")
_SHORT_RUN = re.compile(rb"(.)\1{5,}")
_TEST_PATH = re.compile(
    r"(?:^|/)(?:tests?|testing|spec|specs|fixtures|testdata|examples?|docs?|mocks?)(?:/|$)|(?:^|/)test_|_test\.|\.md$|\.rst$"
)


class AddedBlock(NamedTuple):
    """Lines that stand together and were added by one commit (None: not by a commit); `first_line` is 1-based."""

    path: str
    commit: str | None
    first_line: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Secret:
    """One credential found; `digest_key` tells equal values apart within one scan and is never published."""

    rule: Rule
    path: str
    commit: str | None
    line: int
    column: int
    verified: bool
    digest_key: int


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
        self.rules_of = list(keywords.values())
        self.automaton: Any = BytesAhoCorasick(list(keywords))

    def hits(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Rule number and offset of each keyword hit."""
        found = self.automaton.find_matches_as_indexes(text.lower(), overlapping=True)
        for keyword, start, _ in found[:_MAX_HITS]:
            for number in self.rules_of[keyword]:
                yield number, start


@lru_cache(maxsize=1)
def _matcher() -> _Matcher:
    return _Matcher()


def scan(blocks: Iterable[AddedBlock], exceptions: Exceptions) -> list[Secret]:
    """The credentials in the blocks, in their order; a value met again under its path counts once."""
    found: list[Secret] = []
    seen: set[tuple[str, str, int]] = set()
    for block in blocks:
        for secret in _scan_block(block, exceptions):
            key = (secret.rule.id, secret.path, secret.digest_key)
            if key not in seen:
                seen.add(key)
                found.append(secret)
    return found


def spans_of(block: AddedBlock) -> list[tuple[int, int]]:
    """Where credentials stand in the block's text, whatever would except them; in order, none over another."""
    return [(start, end) for start, end, _ in _apart(_matches(block))]


def _scan_block(block: AddedBlock, exceptions: Exceptions) -> list[Secret]:
    return list(_chosen(block, _matches(block), exceptions))


def _matches(block: AddedBlock) -> list[tuple[int, int, int]]:
    """Rule number, start and end of everything that looks real."""
    matcher = _matcher()
    looked: set[tuple[int, int, int]] = set()
    spans: list[tuple[int, int, int]] = []
    for number, offset in matcher.hits(block.text):
        rule = RULES[number]
        if not _applies(rule, block.path):
            continue
        start, end = _window(block.text, offset, rule)
        if (number, start, end) in looked:
            continue
        looked.add((number, start, end))
        spans.extend((number, *span) for span in _confirmed(matcher.patterns[number], rule, block, start, end))
    return spans


def _applies(rule: Rule, path: str) -> bool:
    if rule not in (QUOTED, BARE):
        return True
    name = path.rpartition("/")[2].lower()
    if name.endswith(GENERATED_FILES):
        return False
    return rule is QUOTED or name.endswith(SETTING_FILES) or name.startswith((".env", "dockerfile"))


def _window(text: bytes, offset: int, rule: Rule) -> tuple[int, int]:
    start = text.rfind(b"\n", 0, offset) + 1
    if rule is PRIVATE_KEY:
        return max(start, offset - _BEFORE), min(len(text), offset + _AFTER)
    end = text.find(b"\n", offset)
    end = len(text) if end == -1 else end
    if end - start > _LONG_LINE:
        return max(start, offset - _BEFORE), min(end, offset + _AFTER)
    return start, end


def _confirmed(pattern: Any, rule: Rule, block: AddedBlock, start: int, end: int) -> Iterator[tuple[int, int]]:
    window = block.text[start:end]
    for match in pattern.finditer(window):
        group = 2 if rule in (QUOTED, BARE, ADDRESS) else min(1, pattern.groups)
        value = match.group(group)
        if not _looks_real(rule, value, match, block.path):
            continue
        yield start + match.start(group), start + match.end(group)


def _looks_real(rule: Rule, value: bytes, match: Any, path: str) -> bool:
    lower = value.lower()
    if _entropy(value) < rule.entropy or b"example" in lower or _RUN.search(value):
        return False
    if rule in (QUOTED, BARE):
        return _looks_random(value, lower, match.group(1).decode("utf-8", "replace"), path)
    if rule is ADDRESS:
        return _looks_like_password(match)
    return True


def _looks_random(value: bytes, lower: bytes, name: str, path: str) -> bool:
    """Whether a generic value is random text rather than a word, a name, an address or a placeholder."""
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


def _chosen(block: AddedBlock, spans: list[tuple[int, int, int]], exceptions: Exceptions) -> Iterator[Secret]:
    for start, end, number in _apart(spans):
        secret = _secret(block, RULES[number], start, end, exceptions)
        if secret is not None:
            yield secret


def _apart(spans: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Start, end and rule: one a place, of overlapping spans the rule that stands first in the table."""
    taken: list[tuple[int, int]] = []
    kept: list[tuple[int, int, int]] = []
    for number, start, end in sorted(set(spans)):
        if all(end <= other_start or start >= other_end for other_start, other_end in taken):
            taken.append((start, end))
            kept.append((start, end, number))
    return sorted(kept)


def _secret(block: AddedBlock, rule: Rule, start: int, end: int, exceptions: Exceptions) -> Secret | None:
    text = block.text
    anchor = text.rfind(b"-----BEGIN", 0, start) if rule is PRIVATE_KEY else start
    line_start = text.rfind(b"\n", 0, anchor) + 1
    line_end = text.find(b"\n", anchor)
    line = text[line_start : len(text) if line_end == -1 else line_end]
    if exceptions.inline and any(word in line for word in INLINE):
        return None
    number = block.first_line + text.count(b"\n", 0, anchor)
    value = text[start:end]
    shown = value.decode("utf-8", "replace")
    if exceptions.cover(block.path, number, line.decode("utf-8", "replace"), shown, block.commit):
        return None
    column = len(text[line_start:anchor].decode("utf-8", "replace")) + 1
    verified = rule.checksum == "crc32" and crc32_holds(shown) is True
    return Secret(rule, block.path, block.commit, number, column, verified, hash(value))
