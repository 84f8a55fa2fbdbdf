"""From facts and configuration to a report: the verdicts of all three checks, as one pure function."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace

from forgeguard_app.audit.checks import a4_boundaries, a9_dependencies, w1_secrets
from forgeguard_app.audit.configuration import EffectiveConfig
from forgeguard_app.audit.counts import Countable, Counts, FindingGroup, count
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.fingerprints import apply_gate, digest, mark_new
from forgeguard_app.audit.gate import leaving
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
from forgeguard_app.audit.scope import EVERYWHERE, Scope
from forgeguard_app.audit.secrets.allowlists import CONFIG_PATH
from forgeguard_app.audit.secrets.masking import quoted
from forgeguard_app.audit.secrets.scanner import Secret
from forgeguard_app.audit.unmatched import unmatched

MAX_FINDINGS = 5_000
MAX_PLACES = 10


@dataclass(frozen=True)
class Change:
    """A change to evaluate: two trees, the difference between them, and how to look at it.

    `base` is the tree new is counted against; with `whole_tree` there is none and every finding counts as new.
    `renames` maps a path at head to its path at base, `touched` a path to the line numbers the change added. `others`
    are the other parents of a merge that is about to be committed, each with its renames. `added` are the secrets in
    lines that the commits of the range added, `standing` those in files that the gate of W1 asks for. `remarks` are
    notes by check, `incomplete` sentences about what a bound kept from being read, `allowed` the fingerprints that
    somebody allowed. `scope` are the files that the report is about, `checks` the checks that run.
    """

    head_sha: str | None
    base_sha: str | None
    head: Tree
    base: Tree
    changed: Collection[str]
    renames: Mapping[str, str]
    touched: Mapping[str, Container[int]]
    added: tuple[Secret, ...] = ()
    standing: tuple[Secret, ...] = ()
    whole_tree: bool = False
    remarks: Mapping[CheckCode, tuple[str, ...]] = field(default_factory=dict)
    incomplete: Mapping[CheckCode, tuple[str, ...]] = field(default_factory=dict)
    allowed: Mapping[CheckCode, Collection[str]] = field(default_factory=dict)
    others: tuple[tuple[Tree, Mapping[str, str]], ...] = ()
    scope: Scope = EVERYWHERE
    checks: Collection[CheckCode] = tuple(CheckCode)


@dataclass(frozen=True, slots=True)
class _Verdict:
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    nothing: str = ""
    incomplete: tuple[str, ...] = ()
    remarks: tuple[Problem, ...] = ()
    unread: str = ""


def audit(change: Change, facts: Facts, judging: EffectiveConfig, memo: Memo) -> Report:
    """Return the report on the change under the given configuration, its texts masked."""
    verdicts: dict[CheckCode, Callable[[], _Verdict]] = {
        CheckCode.A4: lambda: _boundaries(change, facts, judging, memo),
        CheckCode.A9: lambda: _dependencies(change, facts, judging, memo),
        CheckCode.W1: lambda: _secrets(change, judging),
    }
    checks: list[CheckReport] = []
    remarks = unmatched(judging, change.head, facts, memo)
    for code, verdict in verdicts.items():
        if code not in change.checks:
            continue
        policy, problems = judging.policy[code], judging.problems.get(code, ())
        if problems:
            checks.append(_misconfigured(code, problems))
        elif not policy.enabled:
            checks.append(_disabled(code, policy))
        else:
            checks.append(_report(code, change, policy, verdict(), judging.notes.get(code, ()), remarks[code]))
    files = change.head.blobs if change.whole_tree else change.changed
    counted = sum(path in change.scope for path in files)
    return leaving(Report(change.base_sha, change.head_sha, counted, tuple(checks)))


def _boundaries(change: Change, facts: Facts, judging: EffectiveConfig, memo: Memo) -> _Verdict:
    policy = judging.policy[CheckCode.A4]
    rules = [file for file in judging.boundaries if file.layers]
    if not rules:
        return _Verdict(nothing="no boundaries.json" if not judging.boundaries else "boundaries.json has no layers")
    head = a4_boundaries.check(change.head, facts, rules, policy.ignore, policy.level, memo)
    base = (
        ()
        if change.whole_tree
        else a4_boundaries.check(change.base, facts, rules, policy.ignore, policy.level, memo).findings
    )
    others = [
        a4_boundaries.check(tree, facts, rules, policy.ignore, policy.level, memo).findings for tree, _ in change.others
    ]
    findings = _marked(CheckCode.A4, change, head.findings, base, others)
    incomplete = a4_boundaries.beyond(head, change.scope)
    return _Verdict(findings, notes=head.notes, incomplete=incomplete, remarks=head.remarks, unread=head.unread)


def _dependencies(change: Change, facts: Facts, judging: EffectiveConfig, memo: Memo) -> _Verdict:
    policy = judging.policy[CheckCode.A9]
    head = a9_dependencies.check(change.head, facts, policy, memo)
    base = (
        a9_dependencies.DependencySide()
        if change.whole_tree
        else a9_dependencies.check(change.base, facts, policy, memo)
    )
    notes = [] if change.whole_tree else a9_dependencies.changes(base, head)
    notes += a9_dependencies.newly_guarded(base, head)
    notes += a9_dependencies.unread((path for path in change.head.paths if path in change.scope), policy)
    others = [a9_dependencies.check(tree, facts, policy, memo).told for tree, _ in change.others]
    findings = _marked(CheckCode.A9, change, head.told, base.told, others)
    errors, elsewhere = _told_apart(head, change)
    incomplete = (*head.incomplete, *head.references.incomplete)
    return _Verdict(findings, errors, tuple(notes), head.nothing, incomplete, (*head.references.remarks, *elsewhere))


def _told_apart(
    head: a9_dependencies.DependencySide, change: Change
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return the problems of manifests that are errors, and those that are notices.

    An error is what the change added or touched, in a manifest that counts for evaluated code.
    """
    errors: list[Problem] = []
    elsewhere: list[Problem] = []
    for one in head.problems:
        touched = change.whole_tree or one.path in change.changed
        (errors if touched and one.path in head.governing else elsewhere).append(one)
    return tuple(errors), tuple(elsewhere)


def _marked(
    code: CheckCode,
    change: Change,
    head: Collection[Finding],
    base: Collection[Finding],
    others: Iterable[Collection[Finding]],
) -> tuple[Finding, ...]:
    """Mark what is new, then keep what lies in the scope."""
    beside = [(findings, renames) for findings, (_, renames) in zip(others, change.others, strict=True)]
    findings = mark_new(code, head, base, change.renames, change.touched, beside)
    return tuple(finding for finding in findings if finding.path in change.scope)


def _secrets(change: Change, judging: EffectiveConfig) -> _Verdict:
    findings = w1_secrets.check(change.added, change.standing, judging.policy[CheckCode.W1])
    disabled = ", ".join(quoted(name) for name in judging.exceptions.disabled[:MAX_PLACES])
    return _Verdict(
        findings, notes=(f"Rules that disabledRules in {CONFIG_PATH} turns off: {disabled}.",) if disabled else ()
    )


def _misconfigured(code: CheckCode, problems: tuple[Problem, ...]) -> CheckReport:
    files = ", ".join(dict.fromkeys(problem.path for problem in problems))
    title = f"{_number(len(problems), 'mistake')} in {files}"
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
    said = f"Disabled by {policy.disabled_by}"
    return CheckReport(code, Result.PASS, said, skipped=said)


def _report(
    code: CheckCode,
    change: Change,
    policy: CheckPolicy,
    verdict: _Verdict,
    notes: tuple[str, ...],
    remarks: tuple[Problem, ...],
) -> CheckReport:
    if verdict.problems:
        return replace(_misconfigured(code, verdict.problems), notes=("A manifest does not parse.", *notes))
    findings = apply_gate(verdict.findings, policy.gate, change.changed)
    if change.whole_tree:
        findings = tuple(replace(finding, new=True, counted=True) for finding in findings)
    findings = _without_allowed(findings, change.allowed.get(code, ()))
    notices = _notices(code, change, (*remarks, *verdict.remarks))
    notes = (*notes, *_of_notices(notices), *change.remarks.get(code, ()), *verdict.notes)
    incomplete = (*change.incomplete.get(code, ()), *verdict.incomplete)
    if verdict.nothing:
        result, title = _completed(Result.PASS, f"Nothing to check: {verdict.nothing}", incomplete)
        counts = count(Countable(one.rule, one.part, one.counted, one.verified) for one in notices)
        kept = _kept(notices)
        notes = (*notes, *_of_kept(counts, kept))
        return CheckReport(code, result, title, notes, incomplete, kept, nothing=verdict.nothing, counts=counts)
    findings = (*findings, *notices)
    counts = count(Countable(one.rule, one.part, one.counted, one.verified) for one in findings)
    kept = _kept(findings)
    notes = (*notes, *_of_kept(counts, kept))
    result, title = _completed(_result(findings), _title(code, counts, change, verdict.unread), incomplete)
    return CheckReport(code, result, title, notes, incomplete, kept, counts=counts)


def _notices(code: CheckCode, change: Change, remarks: tuple[Problem, ...]) -> tuple[Finding, ...]:
    """Return what the configuration names in vain as notices; they count where the change touches their file."""
    notices: list[Finding] = []
    for one in dict.fromkeys(one for one in remarks if one.path in change.scope):
        own = change.whole_tree or one.path in change.changed
        name = digest(code, NOTICE_RULE, one.path, one.message, str(one.line))
        notices.append(
            Finding(
                one.path,
                one.line,
                NOTICE_RULE,
                one.message,
                Level.NOTICE,
                end_line=one.line,
                column=one.column,
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
    places = ", ".join(f"{one.path}:{one.line} ({one.message})" for one in notices[:MAX_PLACES])
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
    if len(findings) <= MAX_FINDINGS:
        return findings
    worst = sorted(findings, key=lambda f: (not f.verified or f.allowed, not f.counted, SEVERITY[f.level], not f.new))
    return tuple(sorted(worst[:MAX_FINDINGS], key=lambda finding: finding.order))


def _of_kept(counts: Counts, kept: tuple[Finding, ...]) -> tuple[str, ...]:
    """Return a sentence where not all findings are kept."""
    more = counts.total > len(kept)
    return (f"{counts.total:,} findings in all; the worst {MAX_FINDINGS:,} are kept.",) if more else ()


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


_NOUNS = {
    CheckCode.A4: ("boundary violation", "boundary violations"),
    CheckCode.A9: ("dependency problem", "dependency problems"),
    CheckCode.W1: ("possible secret", "possible secrets"),
}


def _title(code: CheckCode, counts: Counts, change: Change, unread: str) -> str:
    """Name what counts, and beside it the parts of the findings; each figure is one of `counts` or a sum of them."""
    one, many = _NOUNS[code]
    mixed = counts.counted > counts.new
    if counts.counted:
        word = "" if mixed or change.whole_tree else "new "
        title = f"{counts.counted:,} {word}{one if counts.counted == 1 else many}"
    else:
        title = f"No {many}" if change.whole_tree else f"No new {many}"
    parts = ((counts.new if mixed else 0, "new"), (counts.existing, "existing"), (counts.allowed, "allowed"))
    beside = [f"{number:,} {word}" for number, word in parts if number]
    title = f"{title} ({', '.join(beside)})" if beside else title
    return f"{title}; imports of {unread} were not read" if unread else title


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
