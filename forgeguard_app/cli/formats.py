"""A report as text, JSON, SARIF 2.1.0 or GitHub workflow commands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from forgeguard_app.audit.check_kinds import CHECK_KINDS
from forgeguard_app.audit.model import CheckReport, Finding, Level, Result
from forgeguard_app.audit.plain_text import escaped
from forgeguard_app.audit.report import detail, problem_findings, report_json
from forgeguard_app.cli.accept import how_to_accept
from forgeguard_app.cli.outcome import CommandOutcome
from forgeguard_app.cli.sarif import sarif_log

_MARKS = {Result.PASS: "✓", Result.WARN: "!", Result.FAIL: "✗", Result.ERROR: "✗"}
_COMMANDS = {Level.FAILURE: "error", Level.WARNING: "warning", Level.NOTICE: "notice"}
# In JSON text a line break is layout; what else acts on a terminal stands inside a string, where it can be escaped.
_COMMAND = re.compile(r"^(\s*)::|##\[")
_ACTING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _shown(check: CheckReport) -> Iterable[Finding]:
    yield from problem_findings(check)
    yield from check.counted


def text(outcome: CommandOutcome) -> str:
    """For people at a terminal."""
    report = outcome.report
    shared = _shared_notes(outcome)
    lines: list[str] = []
    if not outcome.quiet:
        lines += [f"Audited: {escaped(outcome.heading)}."] if outcome.heading else []
        lines += [f"Note: {escaped(note)}" for note in shared]
    for check in report.checks:
        if not outcome.quiet:
            lines.append(f"{_MARKS[check.result]} {_heading(check)} — {escaped(check.title)}")
            lines += [f"    Not read: {escaped(reason)}" for reason in check.incomplete]
            lines += [f"    {escaped(note)}" for note in check.notes if note not in shared]
        lines += _findings(check, quiet=outcome.quiet)
    return "\n".join(map(_no_command, [*lines, outcome.last_line()]))


def _no_command(line: str) -> str:
    """Return the line so that GitHub Actions, which reads what every step prints, takes it for no command.

    https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
    """
    return _COMMAND.sub(lambda found: f"{found[1]}\\::" if found[1] is not None else "##\\[", line)


def _heading(check: CheckReport) -> str:
    return f"{check.code} {CHECK_KINDS[check.code].name}: {check.result}"


def _shared_notes(outcome: CommandOutcome) -> list[str]:
    """Return the notes that all checks have, to be said once."""
    checks = outcome.report.checks
    if len(checks) < 2:
        return []
    return [note for note in dict.fromkeys(checks[0].notes) if all(note in check.notes for check in checks)]


def _findings(check: CheckReport, *, quiet: bool) -> list[str]:
    """Return one line a finding; with the first of each rule, how to accept it."""
    lines: list[str] = []
    listed_rules: set[str] = set()
    for finding in _shown(check):
        place = f"{escaped(finding.path)}:{finding.line}:{finding.column}"
        lines.append(f"  {place}: {finding.level} [{escaped(finding.rule)}] {escaped(finding.message)}")
        if not quiet and finding.rule not in listed_rules and (hint := how_to_accept(check.code, finding)):
            lines.append(f"      {escaped(hint)}")
        listed_rules.add(finding.rule)
    return lines


def as_json(outcome: CommandOutcome) -> str:
    """For scripts."""
    return _json(report_json(outcome.report, strict=outcome.strict))


def sarif(outcome: CommandOutcome) -> str:
    """SARIF 2.1.0, as code scanning reads it."""
    return _json(sarif_log(outcome))


def _json(value: Any) -> str:
    printed = json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace").decode()
    return _ACTING.sub(lambda match: f"\\u{ord(match.group()):04x}", printed)


def github(outcome: CommandOutcome) -> str:
    """Workflow commands, which GitHub Actions turns into annotations."""
    lines: list[str] = []
    for check in outcome.report.checks:
        for finding in _shown(check):
            end = max(finding.end_line, finding.line)
            place = f"file={_property(finding.path)},line={finding.line},endLine={end}"
            title = _property(f"{check.code} {finding.rule}")
            lines.append(f"::{_COMMANDS[finding.level]} {place},title={title}::{_data(finding.message)}")
        if not outcome.quiet:
            lines.append(_line(f"{_heading(check)} — {detail(check)}"))
            lines += [_line(f"{check.code} not read: {reason}") for reason in check.incomplete]
            lines += [_line(f"{check.code} note: {note}") for note in check.notes]
    return "\n".join([*lines, _line(outcome.last_line())])


def _line(value: str) -> str:
    """Return a line that is no command."""
    return _no_command(escaped(value))


def _data(value: str) -> str:
    return escaped(value).replace("%", "%25")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


FORMATS: dict[str, Callable[[CommandOutcome], str]] = {"text": text, "json": as_json, "sarif": sarif, "github": github}
