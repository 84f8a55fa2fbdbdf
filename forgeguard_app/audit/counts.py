"""The counts of a check's findings and the outcome of an audit, computed once over everything that was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class FindingGroup(StrEnum):
    """The part of a check's findings that a finding belongs to; each finding belongs to exactly one."""

    PROBLEM = "problem"  # an error in a configuration file: nothing was evaluated because of it
    NEW = "new"
    EXISTING = "existing"
    ALLOWED = "allowed"
    NOTICE = "notice"  # never part of the result


class Evaluation(StrEnum):
    """The extent of a check's evaluation, and the reason where it evaluated nothing."""

    EVALUATED = "evaluated"
    NOTHING = "nothing"
    DISABLED = "disabled"
    ERROR = "error"


class OverallOutcome(StrEnum):
    """The outcome of a whole audit, more exact than its overall result."""

    PASSED = "passed"
    PARTLY = "partly"  # passed, but a check was disabled or had nothing to check
    WARNED = "warned"
    FAILED = "failed"
    ERROR = "error"
    NOTHING = "nothing"  # no check evaluated anything, at least one had nothing to check
    DISABLED = "disabled"


MAX_RULES = 500  # of a check whose findings are counted by rule


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of findings in each group of a check, before the number of stored findings is bounded.

    `counted` are those of `new` and `existing` that the gate lets through to the result.
    `verified` are the verified secrets that nobody allowed; they too are among `new` and `existing`.
    `rules` has the numbers by part and rule, those of the rules with the most findings.
    """

    problem: int = 0
    new: int = 0
    existing: int = 0
    allowed: int = 0
    notice: int = 0
    counted: int = 0
    verified: int = 0
    rules: Mapping[FindingGroup, Mapping[str, int]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Return the number of all findings of the check."""
        return self.problem + self.new + self.existing + self.allowed + self.notice

    @property
    def standing(self) -> int:
        """The findings that stand in the evaluated code and that nobody allowed."""
        return self.new + self.existing


@dataclass(frozen=True, slots=True)
class Countable:
    """The properties of a finding that decide where it is counted."""

    rule: str
    part: FindingGroup
    counted: bool
    verified: bool


def part_of(*, notice: bool, new: bool, allowed: bool) -> FindingGroup:
    """Return the part of a finding in the code."""
    if notice:
        return FindingGroup.NOTICE
    if allowed:
        return FindingGroup.ALLOWED
    return FindingGroup.NEW if new else FindingGroup.EXISTING


def count(findings: Iterable[Countable]) -> Counts:
    """Count the findings by part and rule."""
    numbers: dict[FindingGroup, dict[str, int]] = {part: {} for part in FindingGroup}
    counted = verified = 0
    for finding in findings:
        rules = numbers[finding.part]
        rules[finding.rule] = rules.get(finding.rule, 0) + 1
        if finding.part in (FindingGroup.NEW, FindingGroup.EXISTING):
            counted += finding.counted
            verified += finding.verified
    most = {part: dict(sorted(rules.items(), key=_most)[:MAX_RULES]) for part, rules in numbers.items() if rules}
    sums = {part.value: sum(rules.values()) for part, rules in numbers.items()}
    return Counts(**sums, counted=counted, verified=verified, rules=most)


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def outcome_of(checks: Iterable[tuple[str, Evaluation]]) -> OverallOutcome:
    """Return the outcome of checks with these results and evaluations."""
    found = list(checks)
    for result, outcome in (
        ("ERROR", OverallOutcome.ERROR),
        ("FAIL", OverallOutcome.FAILED),
        ("WARN", OverallOutcome.WARNED),
    ):
        if any(actual == result for actual, _ in found):
            return outcome
    evaluations = [evaluation for _, evaluation in found]
    if found and all(evaluation is Evaluation.DISABLED for evaluation in evaluations):
        return OverallOutcome.DISABLED
    if Evaluation.EVALUATED not in evaluations:
        return OverallOutcome.NOTHING
    return (
        OverallOutcome.PASSED
        if all(evaluation is Evaluation.EVALUATED for evaluation in evaluations)
        else OverallOutcome.PARTLY
    )
