"""Turns the audit of a build's work into stored results and into findings for the builder."""

from __future__ import annotations

from typing import Any

from forgeguard_app.audit.check_kinds import CHECK_KINDS
from forgeguard_app.audit.model import CheckReport, Level, Report, Result
from forgeguard_app.audit.report import finding_json, problem_findings


def summarize(report: Report) -> dict[str, Any]:
    """Return each check's result and number of findings, as they are stored."""
    return {
        str(check.code): {"result": str(check.result), "findings": len(check.counted) + len(check.problems)}
        for check in report.checks
    }


def list_failures(report: Report) -> list[dict[str, Any]]:
    """Return what does not pass: everything that fails, and every new secret, whatever level the settings give it."""
    found: list[dict[str, Any]] = []
    for check in report.checks:
        wrong = [
            *problem_findings(check),
            *(
                finding
                for finding in check.counted
                if finding.level is Level.FAILURE or CHECK_KINDS[check.code].finds_secrets
            ),
        ]
        found += [{"check": str(check.code), **finding_json(finding)} for finding in wrong]
        if check.result is Result.ERROR and not wrong:
            found.append({"check": str(check.code), "message": _error(check)})
    return found


def _error(check: CheckReport) -> str:
    return f"{check.title}. {' '.join(check.notes[:2])}".strip()
