"""The lines around the new findings of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from forgeguard_app.audit.check import Change
from forgeguard_app.audit.check_kinds import CHECK_KINDS
from forgeguard_app.audit.excerpts import SourceLines
from forgeguard_app.audit.model import CheckReport, Report
from forgeguard_app.evaluation.source import Source
from forgeguard_app.git.blobs import read_blobs
from forgeguard_app.threads import in_thread

MOST = 200  # findings of a check that get an excerpt; what a page shows first
MAX_BYTES = 512 << 10  # of a check's excerpts; those of most checks take a tenth of it
MAX_READ_BYTES = 64 << 20  # of the files with these findings; beyond it findings are shown without their lines


async def with_excerpts(
    source: Source, change: Change, report: Report, tick: Callable[[], object] = lambda: None
) -> Report:
    """Return the report, its new findings in changed files with their lines; those files were read already, so nothing
    is fetched.
    """
    wanted = {path for check in report.checks for path in _paths(check, change)}
    names = [change.head.blobs[path] for path in sorted(wanted)]
    blobs = await read_blobs(source.repository, names, max_kept_bytes=MAX_READ_BYTES)
    texts = {path: blobs.data[change.head.blobs[path]] for path in wanted if change.head.blobs[path] in blobs.data}
    checks = [await in_thread(_with_lines, check, texts, tick) for check in report.checks]
    return replace(report, checks=tuple(checks))


def _paths(check: CheckReport, change: Change) -> set[str]:
    if CHECK_KINDS[check.code].finds_secrets:
        return set()
    new = [finding.path for finding in check.findings if finding.new][:MOST]
    return {path for path in new if path in change.changed and path in change.head.blobs}


def _with_lines(check: CheckReport, texts: Mapping[str, bytes], tick: Callable[[], object]) -> CheckReport:
    if CHECK_KINDS[check.code].finds_secrets:
        return check
    left, left_bytes, found = MOST, MAX_BYTES, []
    lines: dict[str, SourceLines] = {}
    for finding in check.findings:
        if finding.new and left and left_bytes > 0 and finding.path in texts:
            tick()
            left -= 1
            if finding.path not in lines:
                lines[finding.path] = SourceLines(finding.path, texts[finding.path], tick)
            excerpt = lines[finding.path].excerpt(finding.line, finding.end_line)
            left_bytes -= len(excerpt.text.encode()) if excerpt else 0
            finding = replace(finding, excerpt=excerpt)  # noqa: PLW2901
        found.append(finding)
    return replace(check, findings=tuple(found))
