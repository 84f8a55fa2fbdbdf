"""The lines around the new findings of a report."""

from __future__ import annotations

from dataclasses import replace

from forgeguard_app.audit.engine import Change
from forgeguard_app.audit.excerpts import excerpt_of
from forgeguard_app.audit.model import CheckCode, CheckReport, Finding, Report
from forgeguard_app.git.blobs import read_blobs
from forgeguard_app.judging.source import Source

MOST = 200  # findings of a check that get an excerpt; what a page shows first


async def with_excerpts(source: Source, change: Change, report: Report) -> Report:
    """The report, its new findings in changed files with their lines; those files were read already, so nothing is fetched."""
    wanted = {path for check in report.checks for path in _paths(check, change)}
    blobs = await read_blobs(source.repository, {change.head.blobs[path] for path in wanted})
    texts = {path: blobs.data[change.head.blobs[path]] for path in wanted if change.head.blobs[path] in blobs.data}
    checks = tuple(replace(check, findings=_found(check, texts)) for check in report.checks)
    return replace(report, checks=checks)


def _paths(check: CheckReport, change: Change) -> set[str]:
    if check.code is CheckCode.W1:
        return set()
    new = [finding.path for finding in check.findings if finding.new][:MOST]
    return {path for path in new if path in change.changed and path in change.head.blobs}


def _found(check: CheckReport, texts: dict[str, bytes]) -> tuple[Finding, ...]:
    if check.code is CheckCode.W1:
        return check.findings
    left, found = MOST, []
    for finding in check.findings:
        data = texts.get(finding.path) if finding.new and left else None
        if data is not None:
            left -= 1
            finding = replace(finding, excerpt=excerpt_of(finding.path, data, finding.line, finding.end_line))  # noqa: PLW2901
        found.append(finding)
    return tuple(found)
