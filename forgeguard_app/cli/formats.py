"""A report as text, JSON, SARIF 2.1.0 or GitHub workflow commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from forgeguard_app import __version__
from forgeguard_app.audit.model import CheckReport, Finding, Level, Report, Result
from forgeguard_app.audit.report import clean, detail, problem_findings, report_json

_MARKS = {Result.PASS: "✓", Result.WARN: "!", Result.FAIL: "✗", Result.ERROR: "✗"}
_SARIF_LEVELS = {Level.FAILURE: "error", Level.WARNING: "warning", Level.NOTICE: "note"}
_COMMANDS = {Level.FAILURE: "error", Level.WARNING: "warning", Level.NOTICE: "notice"}


def _shown(check: CheckReport) -> Iterable[Finding]:
    yield from problem_findings(check)
    yield from check.counted


def text(report: Report) -> str:
    """For people at a terminal."""
    lines: list[str] = []
    for check in report.checks:
        lines.append(f"{_MARKS[check.result]} {check.code} {check.name}: {check.result} — {clean(check.title)}")
        lines.extend(f"    Not read: {clean(reason)}" for reason in check.incomplete)
        lines.extend(f"    {clean(note)}" for note in check.notes)
        for finding in _shown(check):
            place = f"{clean(finding.path)}:{finding.line}:{finding.column}"
            lines.append(f"  {place}: {finding.level} [{clean(finding.rule)}] {clean(finding.message)}")
    base = (report.base or "nothing")[:10]
    head = (report.head or "the index")[:10]
    lines.append(f"{report.overall_result}: {report.files_checked} file(s), {base}..{head}")
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """For scripts."""
    return json.dumps(report_json(report), ensure_ascii=False, indent=2)


def sarif(report: Report) -> str:
    """SARIF 2.1.0, as code scanning reads it."""
    rules: dict[str, dict[str, Any]] = {}
    results: list[dict[str, Any]] = []
    for check in report.checks:
        for finding in (*problem_findings(check), *check.findings):
            name = f"{check.code}/{clean(finding.rule)}"
            rules.setdefault(name, {"id": name, "shortDescription": {"text": f"{check.name}: {clean(finding.rule)}"}})
            region = {
                "startLine": finding.line,
                "startColumn": finding.column,
                "endLine": max(finding.end_line, finding.line),
            }
            results.append(
                {
                    "ruleId": name,
                    "level": _SARIF_LEVELS[finding.level],
                    "message": {"text": clean(finding.message)},
                    "locations": [
                        {"physicalLocation": {"artifactLocation": {"uri": _uri(finding.path)}, "region": region}}
                    ],
                    "partialFingerprints": {"forgeguard/v1": finding.fingerprint},
                    "baselineState": "new" if finding.new else "unchanged",
                }
            )
    driver = {"name": "ForgeGuard", "version": __version__, "rules": list(rules.values())}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2)


def _uri(path: str) -> str:
    safe = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/"
    raw = path.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in raw)


def github(report: Report) -> str:
    """Workflow commands, which GitHub Actions turns into annotations."""
    lines: list[str] = []
    for check in report.checks:
        for finding in _shown(check):
            place = f"file={_property(clean(finding.path))},line={finding.line},endLine={max(finding.end_line, finding.line)}"
            title = _property(f"{check.code} {clean(finding.rule)}")
            lines.append(f"::{_COMMANDS[finding.level]} {place},title={title}::{_data(clean(finding.message))}")
        lines.append(_data(f"{check.code} {check.name}: {check.result} — {detail(check)}"))
    return "\n".join(lines)


def _data(value: str) -> str:
    value = value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return value.removeprefix("::") if value.startswith("::") else value


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


FORMATS: dict[str, Callable[[Report], str]] = {"text": text, "json": as_json, "sarif": sarif, "github": github}
