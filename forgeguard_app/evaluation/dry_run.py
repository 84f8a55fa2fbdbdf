"""Evaluates a changed configuration without committing it: the whole tree with it and without it, and the
difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from forgeguard_app.audit.check_kinds import CHECK_KINDS, Reads
from forgeguard_app.audit.described import describe_problems
from forgeguard_app.audit.model import CheckCode, CheckReport, Finding, Report
from forgeguard_app.audit.report import detail, finding_json
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.source import Source

# Secrets do not depend on a tree's rules: their settings are shown, their search is not repeated.
TRIED = tuple(code for code, kind in CHECK_KINDS.items() if kind.reads is Reads.TREE)
MOST_LISTED = 100


async def dry_run(evaluator: Evaluator, source: Source, request: Request, overlay: dict[str, bytes]) -> dict[str, Any]:
    """Plain values: each check as it is and as it would be, with the findings that come and go."""
    whole = replace(request, whole_tree=True, describe=True, secrets=False)
    today = await evaluator.evaluate(source, whole)
    then = await evaluator.evaluate(source, replace(whole, overlay=overlay))
    return {
        "checks": {str(code): _compared(_check(today, code), _check(then, code)) for code in TRIED},
        "configuration": then.configuration,
    }


def _check(report: Report, code: CheckCode) -> CheckReport:
    return next(check for check in report.checks if check.code is code)


def _compared(today: CheckReport, then: CheckReport) -> dict[str, Any]:
    come, go = _more(then.findings, today.findings), _more(today.findings, then.findings)
    return {
        "today": str(today.result),
        "then": str(then.result),
        "skipped": then.skipped,
        "detail": detail(then),
        "problems": describe_problems(then.problems),
        "number_today": today.counts.total,
        "number_then": then.counts.total,
        "come": [finding_json(finding) for finding in come[:MOST_LISTED]],
        "number_come": len(come),
        "go": [finding_json(finding) for finding in go[:MOST_LISTED]],
        "number_go": len(go),
    }


def _more(ours: Iterable[Finding], theirs: Iterable[Finding]) -> list[Finding]:
    """Return the findings that the one has beyond the other: alike are those of one rule at one place."""
    left = Counter(_place(their) for their in theirs)
    found: list[Finding] = []
    for finding in ours:
        if left[_place(finding)]:
            left[_place(finding)] -= 1
        else:
            found.append(finding)
    return found


def _place(finding: Finding) -> tuple[str, str, int, int]:
    return finding.rule, finding.path, finding.line, finding.column
