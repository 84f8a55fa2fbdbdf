"""Exceptions of a repository from the secrets scan: words in the line, `.gitleaks.toml`, `.gitleaksignore`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.pattern_sets import PatternSet
from forgeguard_app.audit.remembered import remembered
from forgeguard_app.audit.secrets.provider_rules import PROVIDER_RULES
from forgeguard_app.audit.secrets.rule_names import is_named

CONFIG_PATH = ".gitleaks.toml"
IGNORE_PATH = ".gitleaksignore"
INLINE = (
    b"forgeguard:allow",
    b"gitleaks:allow",
    b"pragma: allowlist secret",
    b"trufflehog:ignore",
    b"kingfisher:ignore",
    b"ggignore",
)
NEXT_LINE = b"pragma: allowlist nextline secret"  # stands on the line before
_BEFORE_VALUE = 80  # characters before a value that a rule of gitleaks may take into its match


@dataclass(frozen=True, slots=True)
class Allowlist:
    """One allowlist of gitleaks' configuration: any of its entries excepts a finding, or all kinds where `all_of`.

    `rules` are the rules for which it counts, all where empty.
    """

    paths: tuple[str, ...] = ()
    regexes: tuple[str, ...] = ()
    target: str = "secret"
    stopwords: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    all_of: bool = False
    rules: tuple[str, ...] = ()

    def covers(self, path: str, line: str, value: str, commit: str | None) -> bool:
        """Return whether it excepts the value found there."""
        tests: list[bool] = []
        if self.paths:
            tests.append(_any_pattern(self.paths).any(_bytes(path)))
        if self.regexes:
            tests.append(_any_pattern(self.regexes).any(_bytes(self._target(line, value))))
        if self.stopwords:
            tests.append(_any_word(self.stopwords).any(_bytes(value.lower())))
        if self.commits:
            tests.append(commit is not None and commit.startswith(self.commits))
        return bool(tests) and (all(tests) if self.all_of else any(tests))

    def _target(self, line: str, value: str) -> str:
        if self.target == "line":
            return line
        at = line.find(value) if self.target == "match" else -1
        return value if at == -1 else line[max(at - _BEFORE_VALUE, 0) : at + len(value) + 1]


@dataclass(frozen=True, slots=True)
class Ignored:
    """One entry of `.gitleaksignore`: commit ('' for any), path, the rule's name at gitleaks, and line."""

    commit: str
    path: str
    rule: str
    line: int


@dataclass(frozen=True, slots=True)
class NamedRule:
    """A `[[rules]]` table of `.gitleaks.toml`; `own` where it describes a rule, and not exceptions of one alone."""

    name: str
    description: str
    line: int
    own: bool


@dataclass(frozen=True, slots=True)
class _OfRule:
    """The repository's exceptions that apply to one rule."""

    disabled: bool
    allowlists: tuple[Allowlist, ...]


@dataclass(frozen=True)
class Exceptions:
    """Exceptions of one repository; `disabled` are rules by gitleaks' names, `inline` whether words in the line count.

    `remarks` say, each at its place, what of the two files is not honoured; `places` are the lines of ignored entries.
    """

    allowlists: tuple[Allowlist, ...] = ()
    ignored: frozenset[Ignored] = frozenset()
    disabled: tuple[str, ...] = ()
    inline: bool = True
    remarks: tuple[Problem, ...] = ()
    places: tuple[tuple[int, Ignored], ...] = ()
    pattern_places: tuple[tuple[int, str], ...] = ()
    named_rules: tuple[NamedRule, ...] = ()

    def cover(self, path: str, number: int, line: str, value: str, commit: str | None, rule: str) -> bool:
        """Return whether the value that the rule found there is excepted."""
        counts = self._of_rule(rule)
        if counts.disabled:
            return True
        if any(entry.commit in ("", commit) and means(rule, entry.rule) for entry in self._ignored_at(path, number)):
            return True
        return any(allowlist.covers(path, line, value, commit) for allowlist in counts.allowlists)

    def counting(self, rule: str) -> tuple[Allowlist, ...]:
        """Return the allowlists that are asked about a finding of the rule."""
        return self._of_rule(rule).allowlists

    def names_path(self, path: str) -> bool:
        """Return whether an allowlist excepts something for the path."""
        return bool(self._paths) and _any_pattern(self._paths).any(_bytes(path))

    @cached_property
    def of_paths(self) -> Exceptions:
        """The exceptions that hold for a file as long as it has its path."""
        loose = [Allowlist(paths=a.paths, rules=a.rules) for a in self.allowlists if a.paths and not a.all_of]
        return Exceptions((*loose, *(a for a in self.allowlists if a.paths and a.all_of)), inline=False)

    @cached_property
    def _paths(self) -> tuple[str, ...]:
        return tuple(path for allowlist in self.allowlists for path in allowlist.paths)

    def _of_rule(self, rule: str) -> _OfRule:
        known = self._rules.get(rule)
        if known is None:
            counting = [
                allowlist
                for allowlist in self.allowlists
                if not allowlist.rules or any(means(rule, n) for n in allowlist.rules)
            ]
            disabled = any(means(rule, name) for name in self.disabled)
            known = self._rules[rule] = _OfRule(disabled, tuple(_joined(counting)))
        return known

    @cached_property
    def _rules(self) -> dict[str, _OfRule]:
        """The exceptions by rule, filled as rules find something."""
        return {}

    def _ignored_at(self, path: str, number: int) -> Iterable[Ignored]:
        return self.ignored if not self.ignored else _by_place(self.ignored).get((path, number), ())


def _joined(allowlists: list[Allowlist]) -> Iterator[Allowlist]:
    """Yield fewer allowlists that except the same. Those of which any entry counts are joined, and asked once."""
    loose = [allowlist for allowlist in allowlists if not allowlist.all_of]
    for target in dict.fromkeys(allowlist.target for allowlist in loose):
        if regexes := [regex for allowlist in loose if allowlist.target == target for regex in allowlist.regexes]:
            yield Allowlist(regexes=tuple(regexes), target=target)
    yield Allowlist(
        paths=tuple(path for allowlist in loose for path in allowlist.paths),
        stopwords=tuple(word for allowlist in loose for word in allowlist.stopwords),
        commits=tuple(commit for allowlist in loose for commit in allowlist.commits),
    )
    yield from (allowlist for allowlist in allowlists if allowlist.all_of)


@lru_cache(maxsize=64)
def _any_pattern(patterns: tuple[str, ...]) -> PatternSet:
    return PatternSet(patterns)


@lru_cache(maxsize=64)
def _any_word(words: tuple[str, ...]) -> PatternSet:
    return PatternSet([re.escape(word.lower()) for word in words], prefix="")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@lru_cache(maxsize=8)
def _by_place(ignored: frozenset[Ignored]) -> Mapping[tuple[str, int], list[Ignored]]:
    places: dict[tuple[str, int], list[Ignored]] = {}
    for entry in ignored:
        places.setdefault((entry.path, entry.line), []).append(entry)
    return places


@remembered(4_096)
def means(rule: str, name: str) -> bool:
    """Return whether a name in a file of gitleaks means our rule."""
    return is_named(rule, name, _first_words())


@lru_cache(maxsize=1)
def _first_words() -> frozenset[str]:
    return frozenset(rule.id.partition("-")[0] for rule in PROVIDER_RULES)
