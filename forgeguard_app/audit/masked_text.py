"""Masks every text that leaves the engine: what looks like a secret is not shown, whatever check wrote it.

A check quotes what strangers wrote: names, patterns, keys, modules, paths. Any of them may be a credential that was
pasted into the wrong place. Errors that are kept or shown, and log lines, quote GitHub, git and settings in the same
way; they pass `shown` or `shown_lines`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from forgeguard_app.audit.model import CheckReport, Finding, Problem, Report
from forgeguard_app.audit.plain_text import escaped, escaped_lines
from forgeguard_app.audit.secrets.masking import masked

MAX_SHOWN_CHARS = 1_000
_MAX_READ_CHARS = 50_000  # of an error that a log line or a page repeats


def mask_report(report: Report) -> Report:
    """Return the report with every text masked. Positions, fingerprints and commits are ours and stay."""
    return replace(report, checks=tuple(_check(check) for check in report.checks))


def masked_path(path: str) -> str:
    """Return a path, a branch or another name for display; content hashes are parts of many of them and stay."""
    return masked(path, keep_hashes=True)


def shown(text: str, limit_chars: int = MAX_SHOWN_CHARS) -> str:
    """Return an error or a name as one line that may be kept, shown and logged.

    It is masked before it is cut: the rest of a value that was cut in the middle is not recognized any more.
    """
    return _cut(escaped(masked(text[:_MAX_READ_CHARS], keep_hashes=True)), limit_chars)


def shown_lines(text: str, limit_chars: int = _MAX_READ_CHARS) -> str:
    """Return a text with its line breaks as `shown` returns a line."""
    return _cut(escaped_lines(masked(text[:_MAX_READ_CHARS], keep_hashes=True)), limit_chars)


def _cut(text: str, limit_chars: int) -> str:
    return text if len(text) <= limit_chars else text[: limit_chars - 1] + "…"


def _check(check: CheckReport) -> CheckReport:
    return replace(
        check,
        title=masked(check.title),
        notes=tuple(masked(note) for note in check.notes),
        incomplete=tuple(masked(reason) for reason in check.incomplete),
        findings=tuple(_finding(finding) for finding in check.findings),
        problems=tuple(_problem(problem) for problem in check.problems),
        skipped=None if check.skipped is None else masked(check.skipped),
        nothing=masked(check.nothing),
        counts=replace(check.counts, rules={part: _rules(rules) for part, rules in check.counts.rules.items()}),
    )


def _rules(rules: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers by masked rule; rules that are equal once masked are counted together."""
    counted: dict[str, int] = {}
    for rule, number in rules.items():
        counted[masked(rule)] = counted.get(masked(rule), 0) + number
    return counted


def _finding(finding: Finding) -> Finding:
    path, rule, message = masked_path(finding.path), masked(finding.rule), masked(finding.message)
    if (path, rule, message) == (finding.path, finding.rule, finding.message):
        return finding
    return replace(finding, path=path, rule=rule, message=message)


def _problem(problem: Problem) -> Problem:
    return replace(problem, path=masked_path(problem.path), message=masked(problem.message))
