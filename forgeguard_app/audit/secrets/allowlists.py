"""What a repository excepts from the secrets scan: words in the line, `.gitleaks.toml`, `.gitleaksignore`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.patterns import PatternError, compile_pattern
from forgeguard_app.audit.toml_document import TooMuch, load_toml

CONFIG_PATH = ".gitleaks.toml"
IGNORE_PATH = ".gitleaksignore"
INLINE = (b"forgeguard:allow", b"gitleaks:allow")
MAX_ENTRIES = 5_000


@dataclass(frozen=True, slots=True)
class Allowlist:
    """One allowlist of gitleaks' configuration: any of its entries excepts a finding, or all kinds where `all_of`."""

    paths: tuple[str, ...] = ()
    regexes: tuple[str, ...] = ()
    target: str = "secret"
    stopwords: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    all_of: bool = False

    def covers(self, path: str, line: str, value: str, commit: str | None) -> bool:
        """Whether it excepts the value found there."""
        tests: list[bool] = []
        if self.paths:
            tests.append(any(_found(pattern, path) for pattern in self.paths))
        if self.regexes:
            tests.append(any(_found(pattern, line if self.target == "line" else value) for pattern in self.regexes))
        if self.stopwords:
            tests.append(any(word.lower() in value.lower() for word in self.stopwords))
        if self.commits:
            tests.append(commit is not None and any(commit.startswith(start) for start in self.commits))
        return bool(tests) and (all(tests) if self.all_of else any(tests))


@dataclass(frozen=True, slots=True)
class Exceptions:
    """All that a repository excepts. `ignored` holds commit ('' for any), path and line; `inline` whether words in the line count."""

    allowlists: tuple[Allowlist, ...] = ()
    ignored: frozenset[tuple[str, str, int]] = frozenset()
    inline: bool = True

    def cover(self, path: str, number: int, line: str, value: str, commit: str | None) -> bool:
        """Whether the value found there is excepted."""
        if ("", path, number) in self.ignored or (commit or "", path, number) in self.ignored:
            return True
        return any(allowlist.covers(path, line, value, commit) for allowlist in self.allowlists)


def _found(pattern: str, text: str) -> bool:
    return compile_pattern(pattern).search(text.encode("utf-8", "replace")) is not None


def read_exceptions(config: bytes | None, ignore: bytes | None) -> tuple[Exceptions, tuple[Problem, ...]]:
    """What the two files except, and what is wrong with them."""
    allowlists, problems = _read_config(config) if config is not None else ([], [])
    ignored = frozenset(_read_ignore(ignore)) if ignore is not None else frozenset()
    return Exceptions(tuple(allowlists), ignored), tuple(problems)


def _read_config(data: bytes) -> tuple[list[Allowlist], list[Problem]]:
    try:
        document = load_toml(data.decode("utf-8", "replace"))
    except TooMuch as error:
        return [], [Problem(CONFIG_PATH, error.line, 1, error.message)]
    except ValueError as error:
        return [], [Problem(CONFIG_PATH, 1, 1, f"not TOML: {str(error)[:200]}")]
    tables = [document.get("allowlist"), *_tables(document.get("allowlists"))]
    problems: list[Problem] = []
    found = [_allowlist(table, problems) for table in tables if isinstance(table, dict)]
    return found[:MAX_ENTRIES], problems


def _tables(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _allowlist(table: Mapping[str, Any], problems: list[Problem]) -> Allowlist:
    return Allowlist(
        paths=tuple(_usable(_texts(table.get("paths")), problems)),
        regexes=tuple(_usable(_texts(table.get("regexes")), problems)),
        target=str(table.get("regexTarget", "secret")),
        stopwords=tuple(_texts(table.get("stopwords"))),
        commits=tuple(_texts(table.get("commits"))),
        all_of=str(table.get("condition", "OR")).upper() == "AND",
    )


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str) and item][:MAX_ENTRIES] if isinstance(value, list) else []


def _usable(patterns: Iterable[str], problems: list[Problem]) -> Iterable[str]:
    for pattern in patterns:
        try:
            compile_pattern(pattern)
        except PatternError as error:
            problems.append(Problem(CONFIG_PATH, 1, 1, f"the pattern {pattern[:80]!r} cannot be used: {error}"))
        else:
            yield pattern


def _read_ignore(data: bytes) -> Iterable[tuple[str, str, int]]:
    """Entries `commit:path:rule:line` or `path:rule:line`; the rule's name is not compared, since ours differ."""
    for raw in data.decode("utf-8", "replace").splitlines()[:MAX_ENTRIES]:
        parts = raw.split("#", 1)[0].strip().split(":")
        if len(parts) < 3 or not parts[-1].isdigit():
            continue
        commit, path = ("", ":".join(parts[:-2])) if len(parts) == 3 else (parts[0], ":".join(parts[1:-2]))
        yield commit, path, int(parts[-1])
