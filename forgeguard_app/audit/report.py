"""A report in the forms that leave us: plain JSON values, and the Markdown of a check run's summary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from forgeguard_app.audit.check_kinds import CHECK_KINDS
from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.counts import Counts, FindingGroup
from forgeguard_app.audit.fingerprints import digest
from forgeguard_app.audit.model import CONFIGURATION_RULE, CheckReport, Finding, Level, Report, Result
from forgeguard_app.audit.plain_text import as_utf8, escaped, escaped_lines

VERSION = 1
MAX_SUMMARY_NOTES = 60
MAX_LISTED = 20


def clean(text: str) -> str:
    """Return the text as valid UTF-8 whose control characters are escaped, for everything that is stored or shown."""
    return escaped_lines(text)


def exit_status(report: Report, *, strict: bool = False) -> int:
    """Return what the report means to a script: 0 PASS or WARN (with `strict` WARN is 1), 1 FAIL, 2 ERROR."""
    if report.overall_result is Result.ERROR:
        return 2
    warned = any(check.result is Result.WARN for check in report.checks)
    return int(report.overall_result is Result.FAIL or (strict and warned))


def report_json(report: Report, *, strict: bool = False) -> dict[str, Any]:
    """Return the object that `forgeguard audit --format json` prints; its shape is fixed for scripts."""
    return {
        "version": VERSION,
        "base": report.base,
        "head": report.head,
        "overall_result": str(report.overall_result),
        "exit_status": exit_status(report, strict=strict),
        "files_checked": report.files_checked,
        "checks": [
            {
                "check_code": str(check.code),
                "check_name": CHECK_KINDS[check.code].name,
                "result": str(check.result),
                "detail": detail(check),
                "notes": [escaped(note) for note in check.notes],
                "incomplete": [escaped(reason) for reason in check.incomplete],
                "findings": [finding_json(finding) for finding in (*problem_findings(check), *check.findings)],
            }
            for check in report.checks
        ],
    }


def finding_json(finding: Finding) -> dict[str, Any]:
    """Return one finding for scripts."""
    return {
        "path": as_utf8(finding.path),  # JSON has escapes of its own, and a script opens the file
        "line": finding.line,
        "end_line": max(finding.end_line, finding.line),
        "column": finding.column,
        "rule": escaped(finding.rule),
        "message": escaped(finding.message),
        "level": str(finding.level),
        "new": finding.new,
        "commit": finding.commit,
        "fingerprint": finding.fingerprint,
    }


def problem_findings(check: CheckReport) -> Iterable[Finding]:
    """Return the problems of a check's configuration as findings at their places."""
    for problem in check.problems:
        yield Finding(
            path=problem.path,
            line=problem.line,
            end_line=problem.line,
            column=problem.column,
            rule=CONFIGURATION_RULE,
            message=problem.message,
            level=Level.FAILURE,
            new=True,
            counted=True,
            fingerprint=digest(check.code, CONFIGURATION_RULE, problem.path, problem.message),
        )


def detail(check: CheckReport) -> str:
    """Return one short paragraph for people: the title and the first lines of the summary."""
    notes = [note for note in (*check.incomplete, *check.notes)[:3] if note]
    return escaped(". ".join([check.title.rstrip("."), *(note.rstrip(".") for note in notes)]) + ".")


def summary_markdown(check: CheckReport) -> str:
    """Return the summary of a check run: what was not read, notes, counts by rule, then how to fix it."""
    lines = _first([f"- Not read: {_inline(reason)}" for reason in check.incomplete], MAX_SUMMARY_NOTES)
    lines += _first([f"- {_inline(note)}" for note in check.notes], MAX_SUMMARY_NOTES)
    if check.problems:
        problems = [f"- `{_code(p.path)}:{p.line}:{p.column}` {_inline(p.message)}" for p in check.problems]
        lines += ["", *_first(problems, MAX_LISTED)]
    counts = check.counts
    if counts.counted:
        lines += ["", "| Rule | New | Existing |", "|---|---|---|"]
        rows = [f"| `{_code(rule)}` | {new:,} | {old:,} |" for rule, new, old in _by_rule(counts)]
        lines += _first(rows, MAX_LISTED, "| … and {:,} more rules | | |")
    uncounted = ((counts.standing - counts.counted, "existing"), (counts.allowed, "allowed"))
    if amounts := " and ".join(f"{number:,} {word}" for number, word in uncounted if number):
        lines += ["", f"{amounts} finding(s) do not count towards the result and are not annotated."]
    record = CHECKS[check.code]
    if check.result is Result.FAIL and record.entry is not None:
        lines += [
            "",
            f"To accept a place for now, add it to `{record.kind.recorded_under}`:",
            "",
            "```json",
            *_first(_entries(record.entry, check.counted), MAX_LISTED, "… and {:,} more"),
            "```",
        ]
    return clean("\n".join(lines).strip() or check.title)


def _first(lines: list[str], most: int, more: str = "- … and {:,} more.") -> list[str]:
    """Return the first lines, and one that says how many were left out."""
    return lines if len(lines) <= most else [*lines[:most], more.format(len(lines) - most)]


def _by_rule(counts: Counts) -> list[tuple[str, int, int]]:
    new, old = counts.rules.get(FindingGroup.NEW, {}), counts.rules.get(FindingGroup.EXISTING, {})
    rows = [(rule, new.get(rule, 0), old.get(rule, 0)) for rule in new.keys() | old.keys()]
    return sorted(rows, key=lambda row: (-row[1], -row[2], row[0]))


def _entries(entry: Callable[[str, str], dict[str, str]], findings: Iterable[Finding]) -> list[str]:
    """Return the entries that accept the findings, each once."""
    found = [entry(finding.rule, as_utf8(finding.path)) for finding in findings]
    return list(dict.fromkeys(f"{json.dumps(place, ensure_ascii=False)}," for place in found))


def _inline(text: str) -> str:
    """Return a sentence in Markdown: no markup of a stranger's takes effect, no line is broken."""
    return " ".join(text.replace("<", "&lt;").replace("@", "@\u200b").replace("](", "]\u200b(").split())


def _code(text: str) -> str:
    return " ".join(text.replace("`", "ˋ").replace("|", "¦").split())
