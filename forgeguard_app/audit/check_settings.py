"""The settings of checks in forgeguard.yml: one record each, which reading, comparing and describing ask."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any

from forgeguard_app.audit.documents import Node
from forgeguard_app.audit.globs import GlobError, check_glob
from forgeguard_app.audit.model import Gate, Level
from forgeguard_app.audit.reading import Reading

MAX_GLOBS = 500
_LEVELS = {"fail": Level.FAILURE, "warn": Level.WARNING}
_STRICTNESS = {Gate.NEW: 0, Gate.CHANGED: 1, Gate.ALL: 2}


class Entries(Enum):
    """The things that a setting lists; an entry for which the repository has nothing gets a remark."""

    GLOBS = "globs"
    MODULES = "modules"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a check; a field of the same name in `CheckSettings` and `CheckPolicy` holds its value.

    `read` returns the value of its node and notes what is wrong with it; None stands for no value. `loosened` says in
    words what the second of two values allows that the first did not, '' for nothing.
    """

    key: str
    read: Callable[[Reading, Node], Any]
    loosened: Callable[[Any, Any], str]
    entries: Entries | None = None


def read_gate(reading: Reading, node: Node) -> Gate | None:
    """Read which findings count."""
    word = reading.choice(node, "gate", list(Gate))
    return Gate(word) if word else None


def read_globs(reading: Reading, node: Node, key: str, *, single: bool = False) -> tuple[str, ...]:
    """Read path patterns, at most MAX_GLOBS; with `single`, one text alone will do."""
    globs = reading.texts(node, key, single=single)
    if len(globs) > MAX_GLOBS:
        reading.problem(node, f"{key} holds more than {MAX_GLOBS} patterns")
    for item in node.value if isinstance(node.value, list) else [node]:
        if isinstance(item.value, str):
            try:
                check_glob(item.value)
            except GlobError as error:
                reading.problem(item, str(error))
    return globs[:MAX_GLOBS]


def _read_level(reading: Reading, node: Node) -> Level | None:
    word = reading.choice(node, "level", _LEVELS)
    return _LEVELS[word] if word else None


def _read_provides(reading: Reading, node: Node) -> dict[str, tuple[str, ...]]:
    keys = reading.mapping(node, "provides")
    return {module: reading.texts(value, f"provides.{module}", single=True) for module, value in keys.items()}


def _when_less(word: Callable[[Any, Any], str], strictness: Callable[[Any], int]) -> Callable[[Any, Any], str]:
    return lambda base, head: word(base, head) if strictness(head) < strictness(base) else ""


def _when_added(noun: str) -> Callable[[Collection[str] | None, Collection[str] | None], str]:
    def loosened(base: Collection[str] | None, head: Collection[str] | None) -> str:
        added = len(set(head or ()) - set(base or ()))
        return f"{count_of(added, noun)} added" if added else ""

    return loosened


def _when_changed(key: str) -> Callable[[Any, Any], str]:
    return lambda base, head: f"{key} changed" if base != head else ""


def count_of(number: int, word: str) -> str:
    """Return the number with its noun."""
    return f"{number} {word}{'' if number == 1 else 's'}"


ENABLED = Setting(
    "enabled",
    lambda reading, node: reading.flag(node, "enabled"),
    _when_less(lambda base, head: "disabled", int),
)
GATE = Setting("gate", read_gate, _when_less(lambda base, head: f"gate {base} → {head}", _STRICTNESS.__getitem__))
LEVEL = Setting(
    "level", _read_level, _when_less(lambda base, head: "level fail → warn", lambda level: level is Level.FAILURE)
)
IGNORE = Setting(
    "ignore",
    lambda reading, node: read_globs(reading, node, "ignore"),
    _when_added("ignored path"),
    Entries.GLOBS,
)
COMMON = (ENABLED, GATE, LEVEL, IGNORE)  # of every check

BOUNDARIES = Setting(
    "boundaries",
    lambda reading, node: read_globs(reading, node, "boundaries", single=True),
    _when_changed("boundaries"),
)
MANIFESTS = Setting(
    "manifests",
    lambda reading, node: read_globs(reading, node, "manifests", single=True),
    _when_changed("manifests"),
    Entries.GLOBS,
)
PROVIDES = Setting("provides", _read_provides, _when_added("provided module"), Entries.MODULES)
IGNORE_MODULES = Setting(
    "ignore_modules",
    lambda reading, node: reading.texts(node, "ignore_modules"),
    _when_added("ignored module"),
    Entries.MODULES,
)
FAIL_ON = Setting(
    "fail_on",
    lambda reading, node: reading.choice(node, "fail_on", ["verified"]),
    _when_less(lambda base, head: "fail_on removed", bool),
)
