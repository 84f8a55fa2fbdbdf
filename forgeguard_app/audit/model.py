"""The words of an audit: findings, problems, check results, reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from forgeguard_app.audit.counts import Counts, Evaluation, FindingGroup, part_of


class CheckCode(StrEnum):
    """The checks, by the code that configurations and the database use."""

    A4 = "A4"
    A9 = "A9"
    W1 = "W1"


CONFIGURATION_RULE = "configuration"  # the rule of a problem in a file that configures us
NOTICE_RULE = "configuration-notice"  # of what a configuration names in vain


class Level(StrEnum):
    """The severity of a finding; the names are those of GitHub's annotations."""

    FAILURE = "failure"
    WARNING = "warning"
    NOTICE = "notice"


SEVERITY: dict[Level, int] = {Level.FAILURE: 0, Level.WARNING: 1, Level.NOTICE: 2}


class Result(StrEnum):
    """The result of a check, or of a whole audit."""

    PASS = "PASS"  # noqa: S105  (a verdict, not a password)
    FAIL = "FAIL"
    WARN = "WARN"
    ERROR = "ERROR"


class Gate(StrEnum):
    """Which findings count: those the change introduces, those in touched files, or all of them."""

    NEW = "new"
    CHANGED = "changed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file that configures us: where it is (1-based) and how to fix it."""

    path: str
    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Source lines from `first_line` (1-based) on."""

    first_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation at one place.

    `subject` is the matched text or the imported module; with check, rule and path it makes the fingerprint that tells
    new from existing. It is never published: for a secret it is empty. Lines and columns are 1-based and columns count
    characters; `end_column` is the one after the last character, 0 where it is not known.
    """

    path: str
    line: int
    rule: str
    message: str
    level: Level
    subject: str = ""
    end_line: int = 0
    column: int = 1
    new: bool = False
    counted: bool = False
    allowed: bool = False
    commit: str | None = None
    fingerprint: str = ""
    excerpt: Excerpt | None = None
    verified: bool = False  # a secret whose provider's own checksum holds
    end_column: int = 0

    @property
    def part(self) -> FindingGroup:
        """The part of the check's findings that this one is counted in."""
        return part_of(notice=self.level is Level.NOTICE, new=self.new, allowed=self.allowed)

    @property
    def order(self) -> tuple[bool, int, str, int, int, str, str]:
        """Return the sort key of the stable order: verified secrets, failures, warnings, notices, each by place."""
        return (not self.verified, SEVERITY[self.level], self.path, self.line, self.column, self.rule, self.subject)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The verdict of one check.

    `notes` are sentences for the summary, most important first. `incomplete` lists what the check supports but did not
    read because of a bound, and why; such a check is at best WARN. `skipped` is the reason in words where the check is
    disabled, `nothing` the reason where there was nothing to check. `user_fixable` tells an ERROR that a person can fix
    from one of ours. `counts` are over all findings, of which `findings` may hold the first ones only.
    """

    code: CheckCode
    result: Result
    title: str
    notes: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    skipped: str | None = None
    nothing: str = ""
    user_fixable: bool = True
    counts: Counts = field(default_factory=Counts)

    @property
    def evaluation(self) -> Evaluation:
        """Return whether the check evaluated anything."""
        if self.result is Result.ERROR:
            return Evaluation.ERROR
        if self.skipped is not None:
            return Evaluation.DISABLED
        return Evaluation.NOTHING if self.nothing else Evaluation.EVALUATED

    @property
    def counted(self) -> tuple[Finding, ...]:
        """The findings that the gate lets through to the verdict."""
        return tuple(finding for finding in self.findings if finding.counted)


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict of one audit: all checks that ran, in the order of their codes."""

    base: str | None
    head: str | None
    files_checked: int
    checks: tuple[CheckReport, ...] = field(default=())
    # The configuration that applied, as plain values; None where nobody asked.
    configuration: Mapping[str, Any] | None = None

    @property
    def overall_result(self) -> Result:
        """ERROR over FAIL over PASS; WARN counts as PASS."""
        results = {check.result for check in self.checks}
        for result in (Result.ERROR, Result.FAIL):
            if result in results:
                return result
        return Result.PASS
