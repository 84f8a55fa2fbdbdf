"""The shape of a check: the change that it evaluates, its outcome, and the record that the table of checks holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field

from forgeguard_app.audit.check_kinds import CheckKind
from forgeguard_app.audit.configuration import Configuration, EffectiveConfig
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.memo import Memo
from forgeguard_app.audit.model import CheckCode, Finding, Problem
from forgeguard_app.audit.scope import EVERYWHERE, Scope
from forgeguard_app.audit.secrets.scanner import Secret


@dataclass(frozen=True)
class Change:
    """A change to evaluate: two trees, the difference between them, and how to look at it."""

    head_sha: str | None
    base_sha: str | None
    head: Tree
    base: Tree  # the tree that new is counted against
    changed: Collection[str]  # paths at head
    renames: Mapping[str, str]  # a path at head to its path at base
    touched: Mapping[str, Container[int]]  # a path to the line numbers that the change added
    added: tuple[Secret, ...] = ()  # in lines that the commits of the range added
    standing: tuple[Secret, ...] = ()  # in the files that the gate for secrets asks for
    whole_tree: bool = False  # there is no base, and every finding counts as new
    notes: Mapping[CheckCode, tuple[str, ...]] = field(default_factory=dict)  # sentences for the summary
    incomplete: Mapping[CheckCode, tuple[str, ...]] = field(default_factory=dict)  # what a bound kept from being read
    allowed: Mapping[CheckCode, Collection[str]] = field(default_factory=dict)  # fingerprints that somebody allowed
    other_parents: tuple[tuple[Tree, Mapping[str, str]], ...] = ()  # of a merge to be committed, with their renames
    scope: Scope = EVERYWHERE  # the files that the report is about
    checks: Collection[CheckCode] = tuple(CheckCode)  # the checks that run


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """The findings of one check, before the gate, and what its report says beside them.

    `problems` are errors in files that the check reads, and make it an ERROR. `nothing` is the reason where there was
    nothing to check. `remarks` become notices. `unread` ends the title: what was not read of what the check is about.
    """

    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    nothing: str = ""
    incomplete: tuple[str, ...] = ()
    remarks: tuple[Problem, ...] = ()
    unread: str = ""


Selection = Callable[[Sequence[str], Tree, EffectiveConfig, Memo], list[str]]


def reads_none(paths: Sequence[str], head: Tree, config: EffectiveConfig, memo: Memo) -> list[str]:
    """Select nothing."""
    return []


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """One check: what it is, and what it does.

    `about` explains it to people. `contents` and `imports` select, of some files, those whose contents or imports the
    check reads, so that a report can say what it missed; `reads_none` where it reads no files. `own_rules` explains the
    rules that a repository's own files give, by the names that findings carry; None where a repository gives none.
    `entry` returns what accepts a rule's findings in a file, for the list of `kind.recorded_under`; None where there is
    no such list.
    """

    kind: CheckKind
    about: str
    evaluate: Callable[[Change, Facts, EffectiveConfig, Memo], CheckOutcome]
    how_to_accept: Callable[[Finding], str]
    explain_rule: Callable[[Sequence[str]], str | None]  # by the parts of its name; None for a rule of another check
    rule_names: tuple[str, ...]
    help_address: Callable[[str], str]
    contents: Selection
    imports: Selection
    own_rules: Callable[[Configuration], dict[str, str]] | None = None
    entry: Callable[[str, str], dict[str, str]] | None = None  # of a rule's name and a path
