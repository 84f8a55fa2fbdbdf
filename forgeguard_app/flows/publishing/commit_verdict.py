"""The verdict on a commit: of each check the worst result over all targets that the commit is evaluated for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from forgeguard_app.audit.masked_text import shown
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.github.check_runs import cut
from forgeguard_app.store.audit_findings import StoredCheck, list_checks
from forgeguard_app.store.audits import AuditRun, find_run
from forgeguard_app.store.commit_targets import MAX_TARGETS, AuditTarget, CommitTargets, find_commit_targets
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.repos import Repo

ROOM_FOR_MORE = 56_000  # bytes of a summary that gets sentences added
MAX_NAME_CHARS = 80  # of a branch in a sentence
_WORST_FIRST = ("failure", "action_required", "cancelled", "neutral", "success", "skipped")
_PASSING = ("neutral", "success", "skipped")
_WORDS = {
    "failure": "failed",
    "action_required": "could not be evaluated",
    "cancelled": "was cancelled",
    "neutral": "passed with warnings",
    "success": "passed",
    "skipped": "is disabled",
}


@dataclass(frozen=True, slots=True)
class TargetCheck:
    """One check of a commit for one target, with the audit run that it is from."""

    target: AuditTarget
    run: AuditRun
    check: StoredCheck


@dataclass(frozen=True, slots=True)
class CommitVerdict:
    """The verdict that GitHub is to show on a commit.

    `checks` holds the worst of each check. `is_waiting` says that a verdict which counts is still to come, `is_counted`
    that the run which asks is among those that count, `is_newest` that no newer one among them waits to be published.
    `older` are those whose verdicts are said with this one.
    """

    checks: Sequence[TargetCheck]
    is_waiting: bool = False
    is_counted: bool = True
    is_newest: bool = True
    older: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Publish:
    """Write these checks, and with them the verdicts of the runs `older`, which are published by that."""

    checks: Sequence[TargetCheck]
    older: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class CompleteOnly:
    """Bring these checks to an end, which GitHub shows as begun, and create none."""

    checks: Sequence[TargetCheck]


@dataclass(frozen=True, slots=True)
class Wait:
    """Write nothing yet: the end of another run publishes the verdict on the commit."""


Decision = Publish | CompleteOnly | Wait


def decide(verdict: CommitVerdict, begun: Collection[str]) -> Decision:
    """Return what a finished run does about the verdict on its commit; `begun` are the checks that it may have begun.

    GitHub lets the newest check run hold. So an older run creates none, and its verdict is published with that of a
    newer one.
    """
    if verdict.is_newest:
        return Wait() if verdict.is_waiting else Publish(verdict.checks, verdict.older)
    if verdict.is_waiting if begun else verdict.is_counted:
        return Wait()
    return CompleteOnly([worst for worst in verdict.checks if worst.check.check_code in begun])


def worst_of(checks: Sequence[TargetCheck]) -> TargetCheck:
    """Return the check with the worst conclusion, the newest of equals."""
    return min(checks, key=lambda each: (_WORST_FIRST.index(each.check.conclusion), -each.run.created_at.timestamp()))


async def read_commit_verdict(
    connection: Connection, context: WorkerContext, run: AuditRun, repo: Repo
) -> CommitVerdict:
    """Return the verdict on the run's commit; that of its newest run where none of its targets is present any more."""
    targets = await find_commit_targets(connection, run.repo_id, run.commit_sha)
    present = targets.list_present() or list(targets.runs[:1])
    is_counted = run.id in {other.id for other in present}
    newer = [other for other in present if (other.created_at, other.id) > (run.created_at, run.id)]
    is_newest = is_counted and all(other.is_published for other in newer)
    if any(other.is_unfinished for other in present):
        return CommitVerdict([], is_waiting=True, is_counted=is_counted, is_newest=is_newest)
    by_code: dict[str, list[TargetCheck]] = {}
    for other in present:
        found = run if other.id == run.id else await find_run(connection, other.id)
        for check in await list_checks(connection, other.id) if found else ():
            by_code.setdefault(check.check_code, []).append(TargetCheck(other.target, found or run, check))
    worst = [_completed(context, repo, targets, checks) for _, checks in sorted(by_code.items())]
    older = tuple(other.id for other in present if other.id != run.id and not other.is_published)
    return CommitVerdict(worst, is_counted=is_counted, is_newest=is_newest, older=older)


def _completed(
    context: WorkerContext, repo: Repo, targets: CommitTargets, checks: Sequence[TargetCheck]
) -> TargetCheck:
    """Return the worst of the checks with a sentence on the others; it passes only where nothing was left out."""
    worst = worst_of(checks)
    check, missing = worst.check, targets.list_missing()
    sentences = [_others(context, repo, checks)] if len(checks) > 1 else []
    if missing:
        names = ", ".join(_name(repo, target) for target in missing[:5])
        sentences.append(
            f"This commit is the head of pull requests onto more than {MAX_TARGETS} branches, of which at most "
            f"{MAX_TARGETS} are evaluated. Not evaluated: {len(missing)}, among them {names}. Close some of them."
        )
        if check.conclusion in _PASSING:
            check = replace(check, conclusion="action_required", title="Not evaluated for every target")
    if not sentences:
        return worst
    summary = "\n\n".join([cut(check.summary or check.title, ROOM_FOR_MORE), *sentences])
    return replace(worst, check=replace(check, summary=summary))


def _others(context: WorkerContext, repo: Repo, checks: Sequence[TargetCheck]) -> str:
    lines = [
        f"- {_name(repo, other.target)} [{_WORDS[other.check.conclusion]}]({context.audit_link(other.run, repo)})"
        for other in checks
    ]
    return "\n".join([f"This commit is evaluated for {len(checks)} targets, and the worst result counts:", "", *lines])


def _name(repo: Repo, target: AuditTarget) -> str:
    """Return the target in Markdown; a branch's name comes from strangers."""
    name = shown((target.branch or repo.default_branch).removeprefix(":").replace("`", "ˋ"), MAX_NAME_CHARS)
    if target.branch is None:
        return f"`{name}` itself"
    if target.is_merge_group:
        return f"the merge group `{name}`"
    return f"a pull request onto `{name}` from a fork" if target.fork else f"`{name}`"
