"""What a repository excepts from the secrets scan: words in the line, `.gitleaks.toml`, `.gitleaksignore`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.patterns import compile_pattern
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
MAX_TESTS = 1_000_000  # of a pattern on a path, to say which patterns match nothing
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
        """Whether it excepts the value found there."""
        tests: list[bool] = []
        if self.paths:
            tests.append(any(_found(pattern, path) for pattern in self.paths))
        if self.regexes:
            text = self._target(line, value)
            tests.append(any(_found(pattern, text) for pattern in self.regexes))
        if self.stopwords:
            tests.append(any(word.lower() in value.lower() for word in self.stopwords))
        if self.commits:
            tests.append(commit is not None and any(commit.startswith(start) for start in self.commits))
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
class Exceptions:
    """All that a repository excepts; `disabled` are rules by gitleaks' names, `inline` whether words in the line count.

    `remarks` say, each at its place, what of the two files is not honoured; `places` are the lines of ignored entries.
    """

    allowlists: tuple[Allowlist, ...] = ()
    ignored: frozenset[Ignored] = frozenset()
    disabled: tuple[str, ...] = ()
    inline: bool = True
    remarks: tuple[Problem, ...] = ()
    places: tuple[tuple[int, Ignored], ...] = ()
    pattern_places: tuple[tuple[int, str], ...] = ()

    def cover(self, path: str, number: int, line: str, value: str, commit: str | None, rule: str) -> bool:
        """Whether the value that the rule found there is excepted."""
        if any(_means(rule, name) for name in self.disabled):
            return True
        if any(entry.commit in ("", commit) and _means(rule, entry.rule) for entry in self._ignored_at(path, number)):
            return True
        return any(
            allowlist.covers(path, line, value, commit)
            for allowlist in self.allowlists
            if not allowlist.rules or any(_means(rule, name) for name in allowlist.rules)
        )

    def _ignored_at(self, path: str, number: int) -> Iterable[Ignored]:
        return self.ignored if not self.ignored else _by_place(self.ignored).get((path, number), ())

    def unmatched(self, paths: Iterable[str]) -> tuple[Problem, ...]:
        """Return a remark for each entry and path pattern that is for no file of the tree."""
        known = set(paths)
        found = [
            Problem(IGNORE_PATH, number, 1, "this entry ignores nothing: its file is not in the repository")
            for number, entry in self.places
            if not entry.commit and entry.path not in known
        ]
        if len(self.pattern_places) * len(known) <= MAX_TESTS:
            found += [
                Problem(CONFIG_PATH, number, 1, "this path pattern matches no file of the repository")
                for number, pattern in self.pattern_places
                if not any(_found(pattern, path) for path in known)
            ]
        return tuple(found)


@lru_cache(maxsize=8)
def _by_place(ignored: frozenset[Ignored]) -> Mapping[tuple[str, int], list[Ignored]]:
    places: dict[tuple[str, int], list[Ignored]] = {}
    for entry in ignored:
        places.setdefault((entry.path, entry.line), []).append(entry)
    return places


@lru_cache(maxsize=4_096)
def _means(rule: str, name: str) -> bool:
    return is_named(rule, name, _first_words())


@lru_cache(maxsize=1)
def _first_words() -> frozenset[str]:
    return frozenset(rule.id.partition("-")[0] for rule in PROVIDER_RULES)


def _found(pattern: str, text: str) -> bool:
    return compile_pattern(pattern).search(text.encode("utf-8", "replace")) is not None
