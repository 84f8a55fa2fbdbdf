"""Reads `.gitleaks.toml` and `.gitleaksignore`: what they except, what is wrong with them, what is not honoured."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from functools import partial
from itertools import accumulate
from typing import Any

from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.patterns import PatternBudget, PatternError
from forgeguard_app.audit.secrets.allowlists import CONFIG_PATH, IGNORE_PATH, Allowlist, Exceptions, Ignored, NamedRule
from forgeguard_app.audit.secrets.masking import quoted
from forgeguard_app.audit.toml_document import TooMuch, load_toml

MAX_ENTRIES = 5_000
MAX_STRICT = 200  # allowlists all of whose kinds must match; each is asked about every finding
MAX_KEYS = 200  # different keys whose lines are looked for
NEAR_CHARS = 20_000  # in which the next entry of a list is looked for
MAX_SAID = 1_000  # problems, and remarks
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")
_TOP = frozenset(("title", "description", "version", "minVersion", "extend", "allowlist", "allowlists", "rules"))
_EXTEND = frozenset(("useDefault", "path", "url", "disabledRules"))
_ALLOWLIST = frozenset(
    ("description", "id", "paths", "regexes", "regexTarget", "stopwords", "commits", "condition", "targetRules")
)
_ABOUT_RULE = frozenset(("id", "description", "allowlist", "allowlists", "tags"))
_RULE = _ABOUT_RULE | {
    "regex",
    "path",
    "secretGroup",
    "entropy",
    "keywords",
    "required",
    "skipReport",
    "validate",
    "filter",
}
_LISTS = ("paths", "regexes", "stopwords", "commits", "targetRules")
_TARGETS = ("secret", "match", "line")
_ENTRY = re.compile(r"(?:([0-9a-f]{7,64}):)?(.+):([^:\s]+):([0-9]{1,9})\Z")
_COMMENT = re.compile(r"(?<!\s)\s++#.*\Z")
_HOW = "write path:rule:line or commit:path:rule:line"


def read_exceptions(
    config: bytes | None, ignore: bytes | None, tick: Callable[[], object] = lambda: None
) -> tuple[Exceptions, tuple[Problem, ...]]:
    """Return what the two files except, and what is wrong with them. `tick` is called for each table, and may raise."""
    reader = _Config(tick)
    if config is not None:
        reader.read(config.decode("utf-8", "replace").removeprefix("\ufeff"))
    places, remarks = _read_ignore(ignore) if ignore is not None else ([], [])
    exceptions = Exceptions(
        allowlists=tuple(reader.allowlists),
        ignored=frozenset(entry for _, entry in places),
        disabled=tuple(reader.disabled),
        remarks=(*reader.remarks, *remarks),
        places=tuple(places),
        pattern_places=tuple(reader.pattern_places),
        named_rules=tuple(reader.named_rules),
    )
    return exceptions, tuple(reader.problems)


class _Config:
    """Reads one `.gitleaks.toml`; what has no meaning for us is remarked at its line, what is broken is a problem."""

    def __init__(self, tick: Callable[[], object]) -> None:
        self._tick = tick
        self.allowlists: list[Allowlist] = []
        self.disabled: list[str] = []
        self.problems: list[Problem] = []
        self.remarks: list[Problem] = []
        self.pattern_places: list[tuple[int, str]] = []
        self.named_rules: list[NamedRule] = []
        self._budget = PatternBudget()
        self._text = ""
        self._lines: list[str] = []
        self._starts: list[int] = []
        self._last = (0, 0)  # the line from which an entry was looked for, and where the last one stood
        self._found: dict[tuple[str, str], list[int]] = {}

    def read(self, text: str) -> None:
        self._text, self._lines = text, text.splitlines()
        self._starts = list(accumulate((len(line) for line in text.splitlines(keepends=True)), initial=0))
        try:
            document = load_toml(text)
        except TooMuch as error:
            self._problem(error.line, error.message)
            return
        except ValueError as error:
            self.problems.append(_syntax(str(error), len(self._lines)))
            return
        self._unknown(document, _TOP, "", 1)
        self._extend(document.get("extend"))
        self._single(document, "allowlist", 1)
        self._several(document, "allowlists", 1)
        for number, rule in enumerate(self._tables(document, "rules", 1)):
            self._rule(rule, self._header("rules", number))
        if len(self.allowlists) > MAX_ENTRIES:
            self._remark(1, f"allowlists after the first {MAX_ENTRIES:,} are not read")
            del self.allowlists[MAX_ENTRIES:]
        strict = [allowlist for allowlist in self.allowlists if allowlist.all_of]
        if len(strict) > MAX_STRICT:
            self._remark(1, f"allowlists with condition AND after the first {MAX_STRICT:,} are not read")
            left = set(map(id, strict[MAX_STRICT:]))
            self.allowlists = [allowlist for allowlist in self.allowlists if id(allowlist) not in left]

    def _extend(self, table: Any) -> None:
        if table is None:
            return
        line = self._header("extend", 0)
        if not isinstance(table, dict):
            self._problem(line, "extend must be a table")
            return
        self._unknown(table, _EXTEND, "extend", line)
        for key in ("path", "url"):
            if key in table:
                self._remark(self._line(key, line), f"extend.{key} is not honoured: the file it names is not read")
        self.disabled.extend(self._texts(table, "disabledRules", line))

    def _rule(self, rule: Mapping[str, Any], line: int) -> None:
        self._tick()
        self._unknown(rule, _RULE, "a rule", line)
        name = rule.get("id")
        if not isinstance(name, str) or not name:
            self._problem(line, "a rule has no id")
            return
        if own := sorted(rule.keys() & (_RULE - _ABOUT_RULE)):
            honoured = f"is not honoured ({', '.join(own)}): it finds nothing here"
            self._remark(line, lambda: f"the repository's own rule {quoted(name)} {honoured}")
        described = rule.get("description")
        self.named_rules.append(NamedRule(name, described if isinstance(described, str) else "", line, bool(own)))
        self._single(rule, "allowlist", line, (name,))
        self._several(rule, "allowlists", line, (name,))

    def _single(self, table: Mapping[str, Any], key: str, line: int, rules: tuple[str, ...] = ()) -> None:
        value = table.get(key)
        line = self._header(key, 0, line)
        if isinstance(value, dict):
            self._allowlist(value, line, rules)
        elif isinstance(value, list):
            self._several(table, key, line, rules)
        elif value is not None:
            self._problem(line, f"{key} must be a table")

    def _several(self, table: Mapping[str, Any], key: str, line: int, rules: tuple[str, ...] = ()) -> None:
        for number, entry in enumerate(self._tables(table, key, line)):
            self._allowlist(entry, self._header(key, number, line), rules)

    def _allowlist(self, table: Mapping[str, Any], line: int, rules: tuple[str, ...]) -> None:
        self._tick()
        self._unknown(table, _ALLOWLIST, "an allowlist", line)
        lists = {key: self._texts(table, key, line) for key in _LISTS}
        patterns = {key: self._usable(lists[key], self._line(key, line)) for key in ("paths", "regexes")}
        self.pattern_places.extend((place, pattern) for place, pattern in patterns["paths"])
        target = self._choice(table, "regexTarget", _TARGETS, "secret", line)
        condition = self._choice(table, "condition", ("OR", "AND", "||", "&&"), "OR", line)
        if not any(lists[key] for key in _LISTS if key != "targetRules"):
            self._remark(line, "this allowlist excepts nothing: it has no paths, regexes, stopwords or commits")
            return
        self.allowlists.append(
            Allowlist(
                paths=tuple(pattern for _, pattern in patterns["paths"]),
                regexes=tuple(pattern for _, pattern in patterns["regexes"]),
                target=target,
                stopwords=tuple(lists["stopwords"]),
                commits=tuple(lists["commits"]),
                all_of=condition in ("AND", "&&"),
                rules=rules or tuple(lists["targetRules"]),
            )
        )

    def _choice(self, table: Mapping[str, Any], key: str, choices: tuple[str, ...], default: str, line: int) -> str:
        value = table.get(key, default)
        for choice in choices:
            if isinstance(value, str) and value.lower() in (choice.lower(), ""):
                return choice
        self._problem(self._line(key, line), f"{key} must be one of {', '.join(choices)}")
        return default

    def _texts(self, table: Mapping[str, Any], key: str, line: int) -> list[str]:
        value = table.get(key)
        if value is None:
            return []
        at = self._line(key, line)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._problem(at, f"{key} must be a list of texts")
            return []
        if len(value) > MAX_ENTRIES:
            self._remark(
                at, f"{len(value) - MAX_ENTRIES:,} entries of {key} after the first {MAX_ENTRIES:,} are not read"
            )
        return [item for item in value[:MAX_ENTRIES] if item]

    def _tables(self, table: Mapping[str, Any], key: str, line: int) -> list[Mapping[str, Any]]:
        value = table.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._problem(self._header(key, 0, line), f"{key} must be tables: [[{key}]]")
            return []
        return value

    def _usable(self, patterns: list[str], line: int) -> list[tuple[int, str]]:
        """Return the patterns that can be used, each with its line."""
        usable: list[tuple[int, str]] = []
        for pattern in patterns:
            place = self._line_of(pattern, line)
            try:
                self._budget.check(pattern)
            except PatternError as error:
                self._problem(place, f"this pattern cannot be used: {error}")
            else:
                usable.append((place, pattern))
        return usable

    def _unknown(self, table: Mapping[str, Any], known: frozenset[str], what: str, line: int) -> None:
        for key in table:
            if key not in known:
                self._tick()
                self._remark(self._line(key, line), partial(_unknown_key, key, what))

    def _problem(self, line: int, message: str) -> None:
        if len(self.problems) == MAX_SAID:
            message = "there is more wrong below that is not listed"
        if len(self.problems) <= MAX_SAID:
            self.problems.append(Problem(CONFIG_PATH, line, 1, message))

    def _remark(self, line: int, message: str | Callable[[], str]) -> None:
        """Note what is not honoured; a message that quotes a text is made only where it is listed."""
        if len(self.remarks) == MAX_SAID:
            message = "there is more below that is not honoured and not listed"
        if len(self.remarks) <= MAX_SAID:
            self._tick()
            words = message if isinstance(message, str) else message()
            self.remarks.append(Problem(CONFIG_PATH, line, 1, words))

    def _header(self, key: str, number: int, after: int = 1) -> int:
        """Return the line of the n-th table of that name from a line on, that line itself where there is none."""
        found = self._places(("header", key), rf"\s*\[\[?\s*(?:[\w.]+\.)?{re.escape(key)}\s*\]|\s*{re.escape(key)}\s*=")
        at = bisect_left(found, after) + number
        return found[at] if at < len(found) else after

    def _line(self, key: str, after: int) -> int:
        """Return the first line from `after` on where the key is set or its table begins."""
        found = self._places(("key", key), rf".*?(?:(?<![^\s,{{.\"'\[])){re.escape(key)}[\"']?\s*(?:[=.\]]|$)")
        at = bisect_left(found, after)
        return found[at] if at < len(found) else after

    def _places(self, key: tuple[str, str], expression: str) -> list[int]:
        """Return the lines that the expression matches, found once for each key of a bounded number."""
        if key not in self._found:
            if len(self._found) >= MAX_KEYS:
                return []
            matcher = re.compile(expression)
            self._found[key] = [at for at, line in enumerate(self._lines, 1) if key[1] in line and matcher.match(line)]
        return self._found[key]

    def _line_of(self, entry: str, after: int) -> int:
        """Return the line of the next entry of the list that begins on a line; that line itself where it is not
        near.
        """
        line, last = self._last
        at = last if line == after else self._starts[min(after - 1, len(self._starts) - 1)]
        found = self._text.find(next(iter(entry.splitlines()), ""), at, at + NEAR_CHARS)
        self._last = (after, max(found, at))
        return after if found == -1 else bisect_right(self._starts, found)


def _unknown_key(key: str, what: str) -> str:
    where = f" in {what}" if what else ""
    return f"the key {quoted(key)}{where} is not known and was not honoured"


def _syntax(message: str, lines: int) -> Problem:
    place = _PLACE.search(message)
    line, column = (int(place[1]), int(place[2])) if place and place[1] else (max(lines, 1), 1)
    return Problem(CONFIG_PATH, line, column, f"not TOML: {_PLACE.sub('', message)[:200]}")


def _read_ignore(data: bytes) -> tuple[list[tuple[int, Ignored]], list[Problem]]:
    places: list[tuple[int, Ignored]] = []
    remarks: list[Problem] = []
    lines = data.decode("utf-8", "replace").removeprefix("\ufeff").splitlines()
    for number, raw in enumerate(lines[:MAX_ENTRIES], 1):
        line = _COMMENT.sub("", raw).strip()
        if not line or line.startswith("#"):
            continue
        entry = _ENTRY.match(line)
        if entry is None:
            remarks.append(Problem(IGNORE_PATH, number, 1, f"invalid entry, which ignores nothing: {_HOW}"))
            continue
        places.append((number, Ignored(entry[1] or "", entry[2], entry[3], int(entry[4]))))
    if len(lines) > MAX_ENTRIES:
        left = len(lines) - MAX_ENTRIES
        remarks.append(Problem(IGNORE_PATH, MAX_ENTRIES + 1, 1, f"{left:,} lines from here on are not read"))
    return places, remarks
