"""From facts and configuration to a report: the verdicts of all checks, as one pure function."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from forgeguard_app.audit.check import Change, CheckOutcome
from forgeguard_app.audit.check_kinds import CHECK_KINDS
from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.configuration import EffectiveConfig
from forgeguard_app.audit.counts import Countable, Counts, FindingGroup, count
from forgeguard_app.audit.facts import Facts
from forgeguard_app.audit.fingerprints import apply_gate, digest
from forgeguard_app.audit.kept_findings import first_within_bounds
from forgeguard_app.audit.masked_text import mask_report
from forgeguard_app.audit.memo import Memo
from forgeguard_app.audit.model import (
    CONFIGURATION_RULE,
    NOTICE_RULE,
    SEVERITY,
    CheckCode,
    CheckReport,
    Finding,
    Level,
    Problem,
    Report,
    Result,
)
from forgeguard_app.audit.policy import CheckPolicy
from forgeguard_app.audit.unmatched import unmatched

MAX_PLACES = 10


def audit(change: Change, facts: Facts, config: EffectiveConfig, memo: Memo) -> Report:
    """Return the report on the change under the given configuration, its texts masked."""
    checks: list[CheckReport] = []
    remarks = unmatched(config, change.head, facts, memo)
    for code, check in CHECKS.items():
        if code not in change.checks:
            continue
        policy, problems = config.policy[code], config.problems.get(code, ())
        if problems:
            checks.append(_misconfigured(code, problems))
        elif not policy.enabled:
            checks.append(_disabled(code, policy))
        else:
            outcome = check.evaluate(change, facts, config, memo)
            checks.append(_report(code, change, policy, outcome, config.notes.get(code, ()), remarks[code]))
    files = change.head.blobs if change.whole_tree else change.changed
    counted = sum(path in change.scope for path in files)
    return mask_report(Report(change.base_sha, change.head_sha, counted, tuple(checks)), facts.tick)


def _misconfigured(code: CheckCode, problems: tuple[Problem, ...]) -> CheckReport:
    files = ", ".join(dict.fromkeys(problem.path for problem in problems))
    title = f"{_number(len(problems), 'error')} in {files}"
    counts = Counts(problem=len(problems), rules={FindingGroup.PROBLEM: {CONFIGURATION_RULE: len(problems)}})
    return CheckReport(
        code,
        Result.ERROR,
        title,
        notes=("Nothing is evaluated until this is fixed.",),
        problems=problems,
        counts=counts,
    )


def _disabled(code: CheckCode, policy: CheckPolicy) -> CheckReport:
    reason = f"Disabled by {policy.disabled_by}"
    return CheckReport(code, Result.PASS, reason, skipped=reason)


def _report(
    code: CheckCode,
    change: Change,
    policy: CheckPolicy,
    outcome: CheckOutcome,
    notes: tuple[str, ...],
    remarks: tuple[Problem, ...],
) -> CheckReport:
    if outcome.problems:
        return replace(_misconfigured(code, outcome.problems), notes=(*outcome.notes, *notes))
    findings = apply_gate(outcome.findings, policy.gate, change.changed)
    if change.whole_tree:
        findings = tuple(replace(finding, new=True, counted=True) for finding in findings)
    findings = _without_allowed(findings, change.allowed.get(code, ()))
    notices = _notices(code, change, (*remarks, *outcome.remarks))
    notes = (*notes, *_of_notices(notices), *change.notes.get(code, ()), *outcome.notes)
    incomplete = (*change.incomplete.get(code, ()), *outcome.incomplete)
    if outcome.nothing:
        result, title = _completed(Result.PASS, f"Nothing to check: {outcome.nothing}", incomplete)
        counts = count(Countable(notice.rule, notice.part, notice.counted, notice.verified) for notice in notices)
        kept = _kept(notices)
        notes = (*notes, *_of_kept(counts, kept))
        return CheckReport(code, result, title, notes, incomplete, kept, nothing=outcome.nothing, counts=counts)
    findings = (*findings, *notices)
    counts = count(Countable(finding.rule, finding.part, finding.counted, finding.verified) for finding in findings)
    kept = _kept(findings)
    notes = (*notes, *_of_kept(counts, kept))
    result, title = _completed(_result(findings), _title(code, counts, change, outcome.unread), incomplete)
    return CheckReport(code, result, title, notes, incomplete, kept, counts=counts)


def _notices(code: CheckCode, change: Change, remarks: tuple[Problem, ...]) -> tuple[Finding, ...]:
    """Return what the configuration names in vain as notices; they count where the change touches their file."""
    notices: list[Finding] = []
    for remark in dict.fromkeys(remark for remark in remarks if remark.path in change.scope):
        own = change.whole_tree or remark.path in change.changed
        name = digest(code, NOTICE_RULE, remark.path, remark.message, str(remark.line))
        notices.append(
            Finding(
                remark.path,
                remark.line,
                NOTICE_RULE,
                remark.message,
                Level.NOTICE,
                end_line=remark.line,
                column=remark.column,
                new=own,
                counted=own,
                fingerprint=name,
            )
        )
    return tuple(sorted(notices, key=lambda finding: finding.order))


def _of_notices(notices: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return a sentence for the summary, which says on every push what only a change of the file annotates."""
    if not notices:
        return ()
    places = ", ".join(f"{notice.path}:{notice.line} ({notice.message})" for notice in notices[:MAX_PLACES])
    more = f" and {len(notices) - MAX_PLACES:,} more" if len(notices) > MAX_PLACES else ""
    count = f"{len(notices):,} entr{'y' if len(notices) == 1 else 'ies'}"
    return (f"{count} of the configuration without effect or not honoured: {places}{more}.",)


def _completed(result: Result, title: str, incomplete: tuple[str, ...]) -> tuple[Result, str]:
    """Return the result and title of a check: where something was left out, at best WARN, and the title says so."""
    if not incomplete:
        return result, title
    return Result.WARN if result is Result.PASS else result, f"{title}; incomplete, not everything was read"


def _kept(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that are stored, in their stable order: verified secrets first, then what counts."""
    if len(first_within_bounds(findings)) == len(findings):
        return findings
    worst = sorted(findings, key=lambda f: (not f.verified or f.allowed, not f.counted, SEVERITY[f.level], not f.new))
    return tuple(sorted(first_within_bounds(worst), key=lambda finding: finding.order))


def _of_kept(counts: Counts, kept: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return a sentence where not all findings are kept."""
    more = counts.total > len(kept)
    return (f"{counts.total:,} findings in all; the worst {len(kept):,} are kept.",) if more else ()


def _without_allowed(findings: tuple[Finding, ...], allowed: Collection[str]) -> tuple[Finding, ...]:
    """Mark findings that somebody allowed: they are kept, and do not count."""
    if not allowed:
        return findings
    return tuple(
        replace(finding, counted=False, allowed=True) if finding.counted and finding.fingerprint in allowed else finding
        for finding in findings
    )


def _result(findings: tuple[Finding, ...]) -> Result:
    levels = {finding.level for finding in findings if finding.counted}
    if Level.FAILURE in levels:
        return Result.FAIL
    return Result.WARN if Level.WARNING in levels else Result.PASS


def _title(code: CheckCode, counts: Counts, change: Change, unread: str) -> str:
    """Return a title: what counts, and beside it the parts of the findings. Each figure is from `counts`, or a sum."""
    singular, plural = CHECK_KINDS[code].nouns
    mixed = counts.counted > counts.new
    if counts.counted:
        word = "" if mixed or change.whole_tree else "new "
        title = f"{counts.counted:,} {word}{singular if counts.counted == 1 else plural}"
    else:
        title = f"No {plural}" if change.whole_tree else f"No new {plural}"
    parts = ((counts.new if mixed else 0, "new"), (counts.existing, "existing"), (counts.allowed, "allowed"))
    beside = [f"{number:,} {word}" for number, word in parts if number]
    title = f"{title} ({', '.join(beside)})" if beside else title
    return f"{title}; {unread}" if unread else title


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
