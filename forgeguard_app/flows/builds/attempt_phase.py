"""One attempt at a phase: the builder runs, its files become a commit, and the project's contracts decide on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from forgeguard_app.audit.report import clean
from forgeguard_app.audit.secrets.masking import forms_of
from forgeguard_app.builders.builder_processes import sweep
from forgeguard_app.builders.confinement import Sandbox
from forgeguard_app.builders.given_values import find_given
from forgeguard_app.builders.process import BuilderRun, Ended, RunOutcome, run_builder
from forgeguard_app.builders.take_out import Unsound, take_out
from forgeguard_app.builders.workspace import Workspace, environment_of, hand_over
from forgeguard_app.errors import UserError
from forgeguard_app.evaluation.request import ProjectBoundaries, Request
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.flows.builds.attempt_faults import FAULTS, describe_fault, loop_of
from forgeguard_app.flows.builds.build_log import BuildLog
from forgeguard_app.flows.builds.build_review import Unreviewable, list_unapproved
from forgeguard_app.flows.builds.build_verdict import list_failures, summarize
from forgeguard_app.flows.context.owner_policy import owner_settings
from forgeguard_app.flows.context.worker_context import Builder, WorkerContext
from forgeguard_app.git.branches import (
    check_out,
    commit_files,
    commit_work_tree,
    hidden_sources,
    list_ignored,
    list_kept,
)
from forgeguard_app.git.build_repository import drop_unused, get_files_size, has_same_tree, list_paths
from forgeguard_app.git.changes import list_changed, list_links_out
from forgeguard_app.git.command import GitRepository
from forgeguard_app.git.range import has_commit
from forgeguard_app.projects.answers import read_state
from forgeguard_app.projects.build_plan import Phase
from forgeguard_app.projects.contract_types import FILES, ContractType
from forgeguard_app.projects.output import says_nothing_needed
from forgeguard_app.projects.prompt import write_prompt
from forgeguard_app.projects.skeleton import Chosen, lay
from forgeguard_app.store.build_changes import Review
from forgeguard_app.store.build_holds import hold_phase
from forgeguard_app.store.build_logs import list_last_lines
from forgeguard_app.store.builds import Build, Loop, set_loop
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.installations import Installation
from forgeguard_app.store.projects import Project
from forgeguard_app.threads import in_thread

MOST_FINDINGS = 200
STOP_S = 10.0
SHOWN_FINDINGS = 20
SHOWN_IGNORED = 5
LAST_LINES = 5
SHOWN_PRINTED = 300
WORKFLOWS = ".github/workflows/"
WantsEnd = Callable[[], Awaitable[bool]]
Findings = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class PhaseWork:
    """The input of an attempt: `base` is where the build began, `start` the last phase's commit."""

    build: Build
    project: Project
    installation: Installation
    phase: Phase
    plan: Sequence[Phase]
    repository: GitRepository
    ours: Workspace
    base: str
    start: str
    builder: Builder

    def again(self, failure: PhaseFailed) -> PhaseWork:
        """Return the work of the next attempt, with the failure's findings."""
        tried = failure.tried or self.build.tried_sha
        return replace(
            self,
            build=replace(
                self.build, findings=failure.findings, loop_count=failure.loops, tried_sha=tried, review_sha=None
            ),
        )


@dataclass(frozen=True, slots=True)
class PhasePassed:
    """The attempt passed; `commit` is None where nothing was changed."""

    commit: str | None
    audit: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class ApprovalNeeded:
    """The attempt passed its audit, and a person is to approve some of its changes first."""

    review: Review


@dataclass(frozen=True, slots=True)
class PhaseFailed:
    """An attempt that did not pass: the findings for the builder, and how many attempts failed in a row."""

    reason: str
    findings: Findings
    loops: int
    tried: str | None = None


async def attempt_phase(
    context: WorkerContext, work: PhaseWork, log: BuildLog, wants_end: WantsEnd
) -> PhasePassed | ApprovalNeeded | PhaseFailed | None:
    """Make one attempt, or go on with what a person approved; None where somebody cancelled it.

    Raises:
        RetryLater: a transient fault.
    """
    kept = {work.base, work.start, *filter(None, (work.build.tried_sha, work.build.review_sha))}
    await drop_unused(work.repository, [sha for sha in kept if await has_commit(work.repository, sha)])
    if work.build.review_sha is not None:
        if await has_commit(work.repository, work.build.review_sha):
            return await _decided(context, work, log, work.build.review_sha)
        await log.say("The phase's work is on another machine, so it is built again; what was approved stays so.")
    try:
        commit, reason = await (_by_command if work.builder.command else _by_hand)(context, work, log, wants_end)
    except FAULTS as error:
        commit, reason = None, await describe_fault(error, "committed", work.ours.folder)
    if reason == _CANCELLED:
        return None
    if reason:
        return await _failed(context, work, log, reason, loop_of(reason, commit))
    if commit is None:
        await log.say("Nothing was changed in this phase.")
        return PhasePassed(None, None)
    return await _decided(context, work, log, commit)


async def _decided(
    context: WorkerContext, work: PhaseWork, log: BuildLog, commit: str
) -> PhasePassed | ApprovalNeeded | PhaseFailed:
    try:
        return await _evaluated(context, work, log, commit)
    except FAULTS as error:
        reason = await describe_fault(error, "evaluated", work.ours.folder)
    return await _failed(context, work, log, reason, loop_of(reason))


_CANCELLED = "cancelled"
_REASONS = {
    Ended.TOO_LONG: "The builder took longer than a phase may take.",
    Ended.TOO_MUCH_OUTPUT: "The builder printed more than a phase may print.",
    Ended.TOO_LARGE: "The builder's files take more room, or lie in deeper folders, than those of a checkout may.",
    Ended.CANCELLED: _CANCELLED,
}


async def _by_hand(
    context: WorkerContext, work: PhaseWork, log: BuildLog, wants_end: WantsEnd
) -> tuple[str | None, str]:
    """Return the built-in builder: what it lays down follows from the contracts alone."""
    if await wants_end():
        return None, _CANCELLED
    answers = read_state(work.project.questionnaire_state)
    existing = await list_paths(work.repository, work.start)
    chosen = Chosen(answers.text("stack.kind"), answers.items("stack.dependencies"), existing)
    laid = await in_thread(lay, work.project.name, work.build.contracts, work.phase, chosen)
    files = laid.files
    if laid.left_out:
        await log.say(laid.left_out, "warn", "builder")
    if work.installation.permissions.get("workflows") != "write" and any(path.startswith(WORKFLOWS) for path in files):
        files = {path: text for path, text in files.items() if not path.startswith(WORKFLOWS)}
        await log.say("The App was not granted workflows: write, so CI is left out.", "warn", "builder")
    wanted = {path: text.encode() for path, text in files.items()}
    if await wants_end():
        return None, _CANCELLED
    commit = await commit_files(work.repository, work.start, wanted, _message(work)) if wanted else None
    if commit is not None and await has_same_tree(work.repository, work.start, commit):
        commit = None
    await log.hear([f"Laid {path}".encode() for path in wanted])
    return commit, ""


async def _by_command(
    context: WorkerContext, work: PhaseWork, log: BuildLog, wants_end: WantsEnd
) -> tuple[str | None, str]:
    """Return the operator's command, in a checkout of its own."""
    build, phase = work.build, work.phase
    async with work.ours.room(work.builder.bounds.checkout_bytes) as room:
        if room.wall.note:
            await log.say(room.wall.note, "warn")
        # The last attempt's files are there again; on another machine it begins from the last phase, with the findings.
        tried = work.build.tried_sha
        known = tried is not None and await has_commit(work.repository, tried)
        await _fill(work, room, tried if known and tried else work.start)
        texts = {FILES[ContractType(kind)]: text for kind, text in build.contracts.items()}
        described = {
            "number": phase.number,
            "name": phase.name,
            "objective": phase.objective,
            "deliverables": phase.deliverables,
            "exit_criteria": phase.exit_criteria,
            "attempt": build.loop_count + 1,
        }
        await asyncio.to_thread(hand_over, room, texts, build.findings, described)
        await asyncio.to_thread(room.take_over)
        await sweep(room, str(build.id))
        directive = build.contracts.get(ContractType.BUILDER_DIRECTIVE, "")
        prompt = write_prompt(work.project.name, directive, phase, len(work.plan), build.findings)
        run = BuilderRun(
            list(work.builder.command),
            environment_of(room, work.builder.environment),
            prompt,
            str(build.id),
            work.builder.bounds,
        )
        needless = False

        async def hear(lines: list[bytes]) -> None:
            nonlocal needless
            needless = needless or any(map(says_nothing_needed, lines))
            await log.hear(lines)

        outcome = await run_builder(room, run, hear, wants_end)
        if outcome.ended in (Ended.CANCELLED, Ended.TOO_LARGE):
            return None, _REASONS[outcome.ended]
        commit, reason = await _taken(context, work, room, log)
    if status := _not_well(outcome):
        return commit, " ".join(filter(None, (status, reason)))
    is_idle = commit is None and not reason and not needless
    return (None, await _unchanged(context, work, log)) if is_idle else (commit, reason)


async def _fill(work: PhaseWork, room: Sandbox, commit: str) -> None:
    """Write the commit's files into the checkout.

    Raises:
        UserError: they take more room than a checkout may.
    """
    most_bytes = work.builder.bounds.checkout_bytes
    if await get_files_size(work.repository, commit) > most_bytes:
        raise UserError(
            f"The repository's files take more than the {most_bytes >> 20} MiB that a builder's checkout may take,"
            " so nothing can be built in it."
        )
    await check_out(work.repository, commit, room.work)


async def _unchanged(context: WorkerContext, work: PhaseWork, log: BuildLog) -> str:
    """Say that the builder did nothing, with the last that it printed, as it is kept."""
    await log.say("The builder ended with status 0 and changed nothing.", "warn")
    async with context.pool.acquire() as connection:
        lines = await list_last_lines(connection, work.build.id, None, LAST_LINES + 1)
    printed = " / ".join(line.message for line in lines if line.source == "builder")[:SHOWN_PRINTED]
    return (
        f"The builder ended with status 0 and changed "
        f"nothing.{f' The last that it printed: {printed}.' if printed else ''} "
        'Where a phase needs no change, print why: {"message": "…", "nothing_needed": true}.'
    )


async def _taken(context: WorkerContext, work: PhaseWork, room: Sandbox, log: BuildLog) -> tuple[str | None, str]:
    """Make a commit of what the builder left; the reason why not, where it holds what no commit of ours may hold."""
    folder = work.ours.taken
    try:
        repositories = await _taken_out(room, folder, work.builder.bounds.checkout_bytes)
    except Unsound as error:
        return None, clean(str(error))  # it may quote a name that is no UTF-8
    ignored = await list_ignored(work.repository, work.start, folder)
    if ignored:
        names = ", ".join(clean(path)[:200] for path in ignored[:SHOWN_IGNORED])
        more = f" and {len(ignored) - SHOWN_IGNORED} more" if len(ignored) > SHOWN_IGNORED else ""
        await log.say(f"Left out, as .gitignore or what tools leave behind: {len(ignored)} file(s): {names}{more}")
    if hidden := await hidden_sources(work.repository, work.base, folder, ignored):
        return None, f".gitignore hides {len(hidden)} source file(s) from the audit, such as {clean(hidden[0])[:200]}."
    if inner := await _counted(work, folder, repositories):
        return None, (
            f"{clean(inner)[:200]} is a repository of its own, whose history would be lost. Remove "
            f"{clean(inner)[:200]}/.git."
        )
    commit = await commit_work_tree(work.repository, work.start, folder, _message(work))
    if commit is None:
        return None, ""
    if links := await list_links_out(work.repository, work.start, commit):
        words = "is a link that leads out of the repository, or up after a name (a/../b). Remove it."
        return None, f"{clean(links[0])[:200]} {words}"
    changed = await list_changed(work.repository, work.start, commit)
    forms = forms_of(work.builder.environment.values())
    if leak := await asyncio.to_thread(find_given, folder, changed, forms):
        return None, f"{clean(leak)[:200]} holds a value of the builder's environment, so nothing is pushed. Remove it."
    return commit, ""


async def _taken_out(room: Sandbox, folder: Path, most_bytes: int) -> list[str]:
    """Copy the builder's files; where the worker stops meanwhile, nothing copies any more when this ends."""
    stop = Event()
    task = asyncio.ensure_future(asyncio.to_thread(take_out, room, folder, most_bytes, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task}, timeout=STOP_S)
        raise


async def _counted(work: PhaseWork, folder: Path, repositories: Sequence[str]) -> str | None:
    """Return the first of these folders whose files a commit would hold."""
    if not repositories:
        return None
    kept = await list_kept(work.repository, work.start, folder)
    return next(
        (repository for repository in repositories if any(path.startswith(f"{repository}/") for path in kept)), None
    )


def _not_well(outcome: RunOutcome) -> str:
    if outcome.ended is not Ended.EXITED:
        return _REASONS[outcome.ended]
    if outcome.status:
        how = f"with status {outcome.status}" if outcome.status > 0 else f"by signal {-outcome.status}"
        return f"The builder ended {how}, which says that it is not done."
    return ""


def _message(work: PhaseWork) -> str:
    return f"{work.phase.title}\n\n{work.phase.objective}\n\nBuilt by ForgeGuard, build {work.build.id}.\n"


async def _evaluated(
    context: WorkerContext, work: PhaseWork, log: BuildLog, commit: str
) -> PhasePassed | ApprovalNeeded | PhaseFailed:
    """By the project's contracts and the settings with which the build began: the branch has no say in it."""
    request = Request(
        commit,
        work.start,
        target=work.base,
        owner=owner_settings(work.installation),
        contract=ProjectBoundaries(work.build.contracts[ContractType.BOUNDARIES], alone=True),
    )
    report = await context.evaluator.evaluate(LocalSource(work.repository), request)
    audit, findings = summarize(report), list_failures(report)
    results = ", ".join(f"{code} {check['result']}" for code, check in audit.items())
    await log.say(f"{commit[:10]}: {results}", "info" if not findings else "warn", "audit")
    for finding in findings[:SHOWN_FINDINGS]:
        await log.say(
            f"{finding['check']} {finding.get('path', '')}:{finding.get('line', 1)} {finding['message']}",
            "warn",
            "audit",
        )
    if not findings:
        return await _approved(context, work, log, commit, audit)
    reason = f"{len(findings)} finding(s): {findings[0]['message']}"
    return await _failed(context, work, log, reason, Loop(findings[:MOST_FINDINGS], audit, commit))


async def _approved(
    context: WorkerContext, work: PhaseWork, log: BuildLog, commit: str, audit: Mapping[str, Any]
) -> PhasePassed | ApprovalNeeded | PhaseFailed:
    """Ask a person about what a command's builder changed and nobody approved.

    What the built-in builder laid down is ours; work that a person was asked about is a command's, whichever builder
    continues it.
    """
    if not work.builder.command and commit != work.build.review_sha:
        return PhasePassed(commit, audit)
    try:
        owner = owner_settings(work.installation)
        changes = await list_unapproved(context, work.build, work.repository, work.start, commit, owner)
    except Unreviewable as error:
        reason = clean(str(error))
        return await _failed(
            context, work, log, reason, Loop([{"check": "approval", "message": reason}], audit, commit)
        )
    if not changes:
        return PhasePassed(commit, audit)
    names = ", ".join(change.path[:200] for change in changes[:SHOWN_FINDINGS])
    more = f" and {len(changes) - SHOWN_FINDINGS} more" if len(changes) > SHOWN_FINDINGS else ""
    await log.say(
        f"A person's approval is needed, on the build's page, since these decide verdicts or run in CI: {names}{more}.",
        "warn",
        "audit",
    )
    return ApprovalNeeded(Review(commit, audit, changes))


async def _failed(context: WorkerContext, work: PhaseWork, log: BuildLog, reason: str, loop: Loop) -> PhaseFailed:
    if loop.audit is None or loop.findings[0]["check"] == "approval":
        await log.say(reason, "error")
    async with context.pool.acquire() as connection, connection.transaction():
        await hold_phase(connection, work.build.id, work.phase.number)
        loops = await set_loop(connection, work.build.id, work.phase.number, loop)
        await notify_change(connection, work.build.id)
    return PhaseFailed(reason, loop.findings, loops, loop.tried_sha)
