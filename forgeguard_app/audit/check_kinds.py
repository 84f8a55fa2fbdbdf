"""The table of the checks: one record each, with everything that the rest of the code asks about a check.

What a check does stands in `audit/checks`, which reads configurations; a configuration asks this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum

from forgeguard_app.audit.check_settings import (
    BOUNDARIES,
    COMMON,
    FAIL_ON,
    IGNORE_MODULES,
    MANIFESTS,
    PROVIDES,
    Setting,
)
from forgeguard_app.audit.model import CheckCode, Level


class Reads(StrEnum):
    """The code that a check reads."""

    TREE = "tree"  # the files at head, compared with those of the base
    RANGE = "range"  # the lines that any commit of the range added


class ConfiguringFile(Enum):
    """The files, beside forgeguard.yml, that configure a check."""

    BOUNDARIES = "boundaries"
    EXCEPTIONS = "exceptions"


@dataclass(frozen=True, slots=True)
class CheckKind:
    """One check as configuration, reports and pages know it."""

    code: CheckCode
    name: str
    subject: str  # what it is about, in one word: the heading of its column
    question: str
    nouns: tuple[str, str]  # one finding and many of them
    settings: tuple[Setting, ...]  # its own in forgeguard.yml, beside those that every check has
    rule_kinds: tuple[str, ...]  # the parts of a rule's name that tell it as one of this check
    reads: Reads
    accepted_by: str  # what to commit so that a finding is accepted
    help_url: str
    recorded_under: str = ""  # the list of its configuring file into which we can write its findings; '' for none
    configured_by: ConfiguringFile | None = None
    default_level: Level = Level.FAILURE
    shares_ignore: bool = True  # `ignore` at the top of forgeguard.yml counts for it
    finds_secrets: bool = False  # no line of its findings is shown, and new ones are told to the owner
    existing_for_writers: bool = False  # existing findings are shown to those who may write to the repository


_KINDS = (
    CheckKind(
        CheckCode.A4,
        name="Boundary compliance",
        subject="Boundaries",
        question="does code in one layer reach for what its layer forbids?",
        nouns=("boundary violation", "boundary violations"),
        settings=(BOUNDARIES,),
        rule_kinds=("forbidden", "forbidden_imports", "may_import", "order", "exhaustive", "acyclic"),
        reads=Reads.TREE,
        recorded_under="known_violations",
        accepted_by="under `known_violations` in `boundaries.json`",
        help_url="https://en.wikipedia.org/wiki/Multitier_architecture",
        configured_by=ConfiguringFile.BOUNDARIES,
    ),
    CheckKind(
        CheckCode.A9,
        name="Dependency gate",
        subject="Dependencies",
        question="does it import what no manifest declares?",
        nouns=("dependency problem", "dependency problems"),
        settings=(IGNORE_MODULES, PROVIDES, MANIFESTS),
        rule_kinds=("undeclared", "development", "unknown", "guarded"),
        reads=Reads.TREE,
        accepted_by="declare the dependency, or name the module under `checks: A9: ignore_modules` in "
        "`.github/forgeguard.yml`",
        help_url="https://packaging.python.org/en/latest/guides/writing-pyproject-toml/",
    ),
    CheckKind(
        CheckCode.W1,
        name="Secrets scan",
        subject="Secrets",
        question="did any commit add a credential?",
        nouns=("possible secret", "possible secrets"),
        settings=(FAIL_ON,),
        rule_kinds=(),
        reads=Reads.RANGE,
        accepted_by="`forgeguard:allow` in the line",
        help_url="https://docs.github.com/en/code-security/secret-scanning/introduction/about-secret-scanning",
        configured_by=ConfiguringFile.EXCEPTIONS,
        default_level=Level.WARNING,
        shares_ignore=False,
        finds_secrets=True,
        existing_for_writers=True,
    ),
)
CHECK_KINDS: dict[CheckCode, CheckKind] = {kind.code: kind for kind in _KINDS}


def kind_of(code: str) -> CheckKind:
    """Return the check of a stored code."""
    return CHECK_KINDS[CheckCode(code)]


def kind_with(setting: Setting) -> CheckKind:
    """Return the check that has the setting in forgeguard.yml."""
    return next(kind for kind in _KINDS if setting in kind.settings)


def settings_of(code: CheckCode) -> tuple[Setting, ...]:
    """Return the settings of a check, those that every check has first."""
    return (*COMMON, *CHECK_KINDS[code].settings)


def list_codes_for_writers() -> list[str]:
    """Return the codes of the checks whose existing findings are hidden from those who may only read."""
    return [str(kind.code) for kind in _KINDS if kind.existing_for_writers]


def list_codes_of_range() -> list[str]:
    """Return the codes of the checks that read the range, not the tree."""
    return [str(kind.code) for kind in _KINDS if kind.reads is Reads.RANGE]


def secrets_kind() -> CheckKind:
    """Return the check that finds secrets."""
    return next(kind for kind in _KINDS if kind.finds_secrets)


def configured_by(file: ConfiguringFile) -> CheckCode:
    """Return the code of the check that the file configures."""
    return next(kind.code for kind in _KINDS if kind.configured_by is file)


def name_codes() -> str:
    """Return the codes of all checks for a sentence."""
    *leading, last = [str(kind.code) for kind in _KINDS]
    return f"{', '.join(leading)} and {last}"
