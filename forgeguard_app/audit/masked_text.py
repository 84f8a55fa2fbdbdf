"""Masks every text that leaves the engine: what looks like a secret is not shown, whatever check wrote it.

A check quotes what strangers wrote: names, patterns, keys, modules, paths. Any of them may be a credential that was
pasted into the wrong place. Errors that are kept or shown, and log lines, quote GitHub, git and settings in the same
way; they pass `shown` or `shown_lines`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from forgeguard_app.audit.model import CheckReport, Finding, Problem, Report
from forgeguard_app.audit.plain_text import escaped, escaped_lines
from forgeguard_app.audit.secrets.masking import masked

MAX_SHOWN_CHARS = 1_000
_MAX_READ_CHARS = 50_000  # of an error that a log line or a page repeats
_READ_FOR_SHOWN = 10  # characters that are read for each that is shown: masked, they may be fewer


def mask_report(report: Report, tick: Callable[[], object] = lambda: None) -> Report:
    """Return the report with every text masked. Positions, fingerprints and commits are ours and stay.

    `tick` is called at every step and may raise.
    """
    masking = _ReportMasking(tick)
    return replace(report, checks=tuple(masking.check(check) for check in report.checks))


def masked_path(path: str, limit_chars: int | None = None) -> str:
    """Return a path, a branch or another name for display; content hashes are parts of many of them and stay.

    With `limit_chars`, only what stands in its first so many characters is returned.
    """
    return masked(path, keep_hashes=True, limit_chars=limit_chars)


def shown(text: str, limit_chars: int = MAX_SHOWN_CHARS) -> str:
    """Return an error or a name as one line that may be kept, shown and logged.

    It is masked before it is cut: the rest of a value that was cut in the middle is not recognized any more.
    """
    return _cut(escaped(_beginning(text, limit_chars)), limit_chars)


def shown_lines(text: str, limit_chars: int = _MAX_READ_CHARS) -> str:
    """Return a text with its line breaks as `shown` returns a line."""
    return _cut(escaped_lines(_beginning(text, limit_chars)), limit_chars)


def _beginning(text: str, limit_chars: int) -> str:
    """Return the masked beginning of a text, more than is shown of it; it says where the text goes on."""
    read = min(_READ_FOR_SHOWN * limit_chars, _MAX_READ_CHARS)
    found = masked(text, keep_hashes=True, limit_chars=read)
    return found if len(text) <= read else f"{found}…"


def _cut(text: str, limit_chars: int) -> str:
    return text if len(text) <= limit_chars else text[: limit_chars - 1] + "…"


class _ReportMasking:
    """Masks the texts of one report."""

    def __init__(self, tick: Callable[[], object]) -> None:
        self._tick = tick

    def check(self, check: CheckReport) -> CheckReport:
        counts = replace(check.counts, rules={part: self._rules(rules) for part, rules in check.counts.rules.items()})
        return replace(
            check,
            title=self._text(check.title),
            notes=tuple(self._text(note) for note in check.notes),
            incomplete=tuple(self._text(reason) for reason in check.incomplete),
            findings=tuple(self._finding(finding) for finding in check.findings),
            problems=tuple(self._problem(problem) for problem in check.problems),
            skipped=None if check.skipped is None else self._text(check.skipped),
            nothing=self._text(check.nothing),
            counts=counts,
        )

    def _text(self, text: str) -> str:
        self._tick()
        return masked(text, tick=self._tick)

    def _path(self, path: str) -> str:
        return masked(path, keep_hashes=True, tick=self._tick)

    def _rules(self, rules: Mapping[str, int]) -> dict[str, int]:
        """Return the numbers by masked rule; rules that are equal once masked are counted together."""
        counted: dict[str, int] = {}
        for rule, number in rules.items():
            shown_rule = self._text(rule)
            counted[shown_rule] = counted.get(shown_rule, 0) + number
        return counted

    def _finding(self, finding: Finding) -> Finding:
        path, rule, message = self._path(finding.path), self._text(finding.rule), self._text(finding.message)
        if (path, rule, message) == (finding.path, finding.rule, finding.message):
            return finding
        return replace(finding, path=path, rule=rule, message=message)

    def _problem(self, problem: Problem) -> Problem:
        return replace(problem, path=self._path(problem.path), message=self._text(problem.message))
