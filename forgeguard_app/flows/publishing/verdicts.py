"""A report as it is stored, and the verdict of a run that could not be evaluated."""

from __future__ import annotations

from forgeguard_app.audit.check_kinds import CHECK_KINDS, Reads, kind_of
from forgeguard_app.audit.counts import Evaluation
from forgeguard_app.audit.kept_findings import first_within_bounds
from forgeguard_app.audit.masked_text import shown
from forgeguard_app.audit.model import CheckCode, CheckReport, Finding, Report, Result
from forgeguard_app.audit.plain_text import as_utf8, escaped, escaped_lines
from forgeguard_app.audit.report import detail, problem_findings, summary_markdown
from forgeguard_app.audit.secrets.masking import masked
from forgeguard_app.github.check_runs import MAX_TEXT_BYTES, cut
from forgeguard_app.store.audit_findings import StoredCheck, StoredFinding
from forgeguard_app.store.audits import Verdict
from forgeguard_app.store.states import RunStatus

MAX_DETAIL_BYTES = 4_000  # a paragraph of a page
_CONCLUSIONS = {Result.PASS: "success", Result.FAIL: "failure", Result.WARN: "neutral"}


def verdict_of(report: Report) -> Verdict:
    """Return the report as it is stored."""
    return Verdict(
        status=RunStatus.COMPLETED,
        overall_result=str(report.overall_result),
        base_sha=report.base,
        files_checked=report.files_checked,
        checks=[(_stored_check(check), _stored_findings(check)) for check in report.checks],
        configuration=report.configuration,
    )


def could_not_evaluate(reason: str, *, user_fixable: bool) -> Verdict:
    """Return an ERROR of all checks: never passing, and `action_required` where a person can fix it."""
    reason = shown(masked(reason))  # no digest of ours is in it
    conclusion = "action_required" if user_fixable else "failure"
    checks = [
        StoredCheck(
            str(code),
            CHECK_KINDS[code].name,
            "ERROR",
            conclusion,
            "Could not be evaluated",
            reason,
            reason,
            Evaluation.ERROR,
        )
        for code in CheckCode
    ]
    return Verdict(RunStatus.ERROR, "ERROR", None, 0, [(check, ()) for check in checks], error_detail=reason)


def cancelled_check(code: str, reason: str) -> StoredCheck:
    """Return the end of a check that was begun and is not wanted any more."""
    name = kind_of(code).name
    return StoredCheck(code, name, "ERROR", "cancelled", "Cancelled", reason, reason, Evaluation.ERROR)


def conclusion_of(check: CheckReport) -> str:
    """Return the conclusion for GitHub: WARN is neutral, which counts as passing; ERROR never does."""
    if check.skipped is not None:
        return "skipped"
    if check.result is Result.ERROR:
        return "action_required" if check.user_fixable else "failure"
    return _CONCLUSIONS[check.result]


def _stored_check(check: CheckReport) -> StoredCheck:
    return StoredCheck(
        check_code=str(check.code),
        check_name=CHECK_KINDS[check.code].name,
        result=str(check.result),
        conclusion=conclusion_of(check),
        title=escaped(check.title),
        summary=cut(summary_markdown(check), MAX_TEXT_BYTES),  # GitHub shows no more of it
        detail=cut(detail(check), MAX_DETAIL_BYTES),
        evaluation=check.evaluation,
        counts=check.counts,
        standing_count=_standing(check),
    )


def _standing(check: CheckReport) -> int | None:
    """Return the findings in the tree, for the trend; of a check that reads the range, the store alone knows them."""
    reads_tree = CHECK_KINDS[check.code].reads is Reads.TREE
    return check.counts.standing if check.evaluation is Evaluation.EVALUATED and reads_tree else None


def _stored_findings(check: CheckReport) -> list[StoredFinding]:
    problems = first_within_bounds(tuple(problem_findings(check)))
    return [_stored_finding(finding) for finding in (*problems, *check.findings)]


def _stored_finding(finding: Finding) -> StoredFinding:
    return StoredFinding(
        path=as_utf8(finding.path),  # GitHub finds the file by it; what shows it escapes it
        line=finding.line,
        end_line=max(finding.end_line, finding.line),
        column_number=finding.column,
        rule=escaped(finding.rule),
        message=escaped(finding.message),
        level=str(finding.level),
        is_new=finding.new,
        is_counted=finding.counted,
        commit_sha=finding.commit,
        fingerprint=finding.fingerprint,
        is_allowed=finding.allowed,
        is_verified=finding.verified,
        excerpt=escaped_lines(finding.excerpt.text) if finding.excerpt else None,
        excerpt_line=finding.excerpt.first_line if finding.excerpt else None,
    )
