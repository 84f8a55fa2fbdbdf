"""A report as the command line hands it out: with the exit status, and what it means."""

from __future__ import annotations

from dataclasses import dataclass

from forgeguard_app.audit.model import Report, Result
from forgeguard_app.audit.report import exit_status

STATUSES = {0: "PASS", 1: "FAIL", 2: "ERROR"}


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """`strict` tells whether a warning fails; `heading` is what was audited, in words.

    `repository_uri` is where the repository comes from, without credentials.
    """

    report: Report
    strict: bool = False
    staged: bool = False
    quiet: bool = False
    heading: str = ""
    repository_uri: str | None = None

    @property
    def exit_status(self) -> int:
        """0 PASS or WARN (1 where warnings fail), 1 FAIL, 2 ERROR."""
        return exit_status(self.report, strict=self.strict)

    def last_line(self) -> str:
        """Return the line that states the result which the exit status means, and why."""
        report = self.report
        warned = ", ".join(self._codes(Result.WARN))
        word = STATUSES[self.exit_status]
        if warned and self.exit_status == 0:
            word = f"PASS with warnings ({warned})"
        elif warned and report.overall_result is Result.PASS:
            word = f"FAIL because of warnings ({warned}; --no-strict lets them pass)"
        incomplete = ", ".join(check.code for check in report.checks if check.incomplete)
        left = f"; incomplete: {incomplete}" if incomplete else ""
        base = (report.base or "nothing")[:10]
        head = (report.head or ("the index" if self.staged else "the folder"))[:10]
        return f"{word}: {report.files_checked} file(s), {base}..{head}{left}"

    def _codes(self, result: Result) -> list[str]:
        return [str(check.code) for check in self.report.checks if check.result is result]
