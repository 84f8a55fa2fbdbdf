"""Works through a build: a builder changes the files, the audit evaluates them, and what passes is pushed.

The builder's files are committed by us and evaluated by the project's contracts. Work that does not pass is returned
with its findings; three failures in a row end the build. A worker that dies leaves the last pushed phase, from which
any other continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

import structlog

from forgeguard_app.builders.confinement import NO_WAY, Confinement, available
from forgeguard_app.builders.workspace import Workspace, open_workspace, place_for, remove_workspace
from forgeguard_app.errors import RetryLater, UserError, as_transient
from forgeguard_app.flows.builds.attempt_phase import ApprovalNeeded, PhasePassed, PhaseWork, attempt_phase
from forgeguard_app.flows.builds.build_log import BuildLog
from forgeguard_app.flows.builds.build_pull_request import list_deciding, pull_request_body
from forgeguard_app.flows.builds.end_build import end_build
from forgeguard_app.flows.builds.start_build import enqueue_build, not_granted
from forgeguard_app.flows.context.owner_policy import owner_settings
from forgeguard_app.flows.context.visibility_lag import retry_until_visible
from forgeguard_app.flows.context.worker_context import Builder, WorkerContext
from forgeguard_app.flows.proposals.open_pull_request import WantedPullRequest, ensure_pull_request
from forgeguard_app.git.branches import BranchDeleted, BranchMoved
from forgeguard_app.git.build_repository import open_build_repository, push_phase
from forgeguard_app.git.mirror import CommitGone, Remote, RepositoryGone, read_default_head
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.events import good_ref
from forgeguard_app.github.tokens import BUILD, InstallationUnavailable
from forgeguard_app.projects.build_plan import Phase, read_plan
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.store.build_changes import set_review
from forgeguard_app.store.build_holds import PhaseLost, hold_phase
from forgeguard_app.store.build_phases import list_phases
from forgeguard_app.store.build_shares import is_over_share
from forgeguard_app.store.builds import (
    Build,
    begin_phase,
    find_build,
    find_status,
    is_cancelled,
    is_withdrawn,
    list_accounts,
    release_phase,
    set_base,
    set_builder,
    set_passed,
    set_phase_done,
)
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.installations import Installation, find_installation
from forgeguard_app.store.pool import DATABASE_ERRORS
from forgeguard_app.store.projects import Project, find_project
from forgeguard_app.store.repos import Repo, find_repo
from forgeguard_app.store.states import BuildStatus

MAX_DEATHS = 3
MAX_INTERRUPTIONS = 25  # of one phase: where PostgreSQL dies with the worker each time, nobody can tell what killed it
MAX_LOOPS = 3
LONGEST = timedelta(days=2)
FILE_FAILED = (
    "A file or folder of the build failed on the worker's machine: {}. The operator finds it in the worker's log."
)
WITHDRAWN = "The App is not active on the project's repository any more: ForgeGuard was uninstalled or suspended there."
NOT_SERVED = "The operator's builder is not for this account, so the built-in builder builds."
_T = TypeVar("_T")
AT_ONCE = 2  # builds of one worker, so that audits find room beside them
log = structlog.get_logger()


async def advance_build(context: WorkerContext, build_id: UUID) -> None:
    """Work at the present phase, or end the build where there is none; one worker at a time.

    The next phase is another job.

    Raises:
        RetryLater: a transient fault; the phase is tried again.
    """
    if len(context.building) >= AT_ONCE:
        raise RetryLater("this worker builds enough already", delay_s=2.0)
    if context.building:
        async with context.pool.acquire() as connection:
            if await is_over_share(connection, build_id, list(context.building)):
                raise RetryLater("somebody else's build comes first", delay_s=2.0)
    context.building.add(build_id)
    try:
        async with context.locks.only_one(f"build/{build_id}") as held:
            goes_on = held and await _advance(context, build_id)
        if goes_on:  # each phase is a job of its own, with its own deadline, and others come between
            async with context.pool.acquire() as connection:
                await enqueue_build(connection, build_id)
        elif held:
            await _go_on_if_approved(context, build_id)
    finally:
        context.building.discard(build_id)


async def _go_on_if_approved(context: WorkerContext, build_id: UUID) -> None:
    """See that an approval that came before we let the build go is not lost: its own job found us still there."""
    async with context.pool.acquire() as connection:
        if await find_status(connection, build_id) == BuildStatus.RUNNING:
            raise RetryLater("the build was approved", delay_s=0.5)


@dataclass(frozen=True)
class _BuildPlace:
    """A build with its project, repository, installation and builder."""

    build: Build
    project: Project
    repo: Repo
    installation: Installation
    builder: Builder


async def _advance(context: WorkerContext, build_id: UUID) -> bool:
    """Do the next phase or end the build, and return whether more is to be done."""
    async with context.pool.acquire() as connection, connection.transaction():
        if context.stopping.is_set():
            raise RetryLater("the worker is told to stop", delay_s=context.timings.retry_s)
        build = await begin_phase(connection, build_id)
        if build is None:
            return False
        serves = context.builder.serves(await list_accounts(connection, build_id))
        builder = context.builder if serves else Builder()
        await set_builder(connection, build_id, builder.name)
        await notify_change(connection, build_id)
    build_log = BuildLog(context, build_id)
    try:
        if not serves and build.phase_number == 0:
            await build_log.say(NOT_SERVED)
        return await _phase(context, build, builder, build_log)
    except asyncio.CancelledError:
        await asyncio.shield(_hand_back(context, build_id))
        raise
    except (RetryLater, *DATABASE_ERRORS):
        await _hand_back(context, build_id)
        raise
    except OSError as error:
        if transient := as_transient(error):
            await _hand_back(context, build_id)
            raise transient from error
        log.error("build.file_failed", error=type(error).__name__, exc_info=True)
        await _fail(context, build, build_log, FILE_FAILED.format(error.strerror or type(error).__name__))
    except (UserError, BranchMoved, RepositoryGone, CommitGone, RequestRejected) as error:
        await _fail(context, build, build_log, _reason(error))
    except PhaseLost:
        log.warning("build.lost", phase=build.phase_number)
    return False


async def _fail(context: WorkerContext, build: Build, build_log: BuildLog, reason: str) -> None:
    """End the build as failed, unless it is another worker's by now: the fault may be that one's work."""
    try:
        async with context.pool.acquire() as connection, connection.transaction():
            await hold_phase(connection, build.id, build.phase_number)
    except PhaseLost:
        log.warning("build.lost", phase=build.phase_number, reason=reason)
        return
    await _end(context, build, build_log, BuildStatus.FAILED, reason)


async def _hand_back(context: WorkerContext, build_id: UUID) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        await release_phase(connection, build_id)


def _reason(error: Exception) -> str:
    match error:
        case UserError():
            return str(error)
        case BranchDeleted():
            return "The build's branch was deleted in the repository while it was built, so the build ends."
        case BranchMoved():
            return "Somebody else pushed to the build's branch, so it is left to them."
        case InstallationUnavailable() | RepositoryGone():
            return "ForgeGuard may not read or write this repository any more."
        case CommitGone():
            return "The commit on which the build goes on is not in the repository any more."
        case _:
            return f"GitHub refused: {error}"


async def _phase(context: WorkerContext, build: Build, builder: Builder, build_log: BuildLog) -> bool:
    place = await _place(context, build, builder)
    if await _wants_end(context, build.id):
        await _refuse_withdrawn(context, build.id)
        await _end(context, build, build_log, BuildStatus.CANCELLED, "Cancelled.")
        return False
    if build.deaths >= MAX_DEATHS:
        raise UserError(
            f"A worker began {build.phase} {MAX_DEATHS} times and died each time, so it is not tried again."
        )
    if build.interruptions >= MAX_INTERRUPTIONS:
        raise UserError(f"{build.phase} was interrupted {MAX_INTERRUPTIONS} times, so it is not tried again.")
    if build.started_at is not None and datetime.now(UTC) - build.started_at - build.waited > LONGEST:
        raise UserError(f"The build came to no end within {LONGEST.days} days.")
    plan, _ = read_plan(build.contracts[ContractType.PHASES])
    if build.phase_number >= len(plan):
        await _finish(context, place, build_log)
        return False
    kind = available(unconfined=builder.unconfined)
    if kind is None and builder.command:
        raise UserError(NO_WAY)
    home = await asyncio.to_thread(place_for, context.home)
    ours = open_workspace(home, str(build.id), kind or Confinement.UNCONFINED, builder.network, builder.folders)
    return await _work(context, place, plan, ours, build_log)


async def _place(context: WorkerContext, build: Build, builder: Builder) -> _BuildPlace:
    """Return the build's surroundings as they are now: a repository that was unlinked or withdrawn meanwhile ends the
    build.

    Raises:
        UserError: something is not there any more.
    """
    async with context.pool.acquire() as connection:
        project = await find_project(connection, build.project_id)
        repo = await find_repo(connection, build.repo_id) if build.repo_id else None
        installation = await find_installation(connection, repo.installation_id if repo else None)
    if project is None or repo is None or project.repo_id != repo.id:
        raise UserError("The project's repository was unlinked, or left ForgeGuard, while the build was under way.")
    if (reason := not_granted(installation)) or installation is None:
        raise UserError(reason or "The App is not active on the project's repository.")
    return _BuildPlace(build, project, repo, installation, builder)


async def _reach(context: WorkerContext, place: _BuildPlace, work: Callable[[Remote], Awaitable[_T]]) -> _T:
    """Return the work's answer, given the repository's remote with a token that may write."""
    access = context.access(place.installation, place.repo, _permissions(place.installation))
    return await retry_until_visible(context, access, work)


def _permissions(installation: Installation) -> dict[str, str]:
    may_workflows = installation.permissions.get("workflows") == "write"
    return BUILD | ({"workflows": "write"} if may_workflows else {})


async def _work(
    context: WorkerContext, place: _BuildPlace, plan: list[Phase], ours: Workspace, build_log: BuildLog
) -> bool:
    build = place.build
    phase = plan[build.phase_number]
    base = build.base_sha or await _begin(context, place, build_log)
    start = build.head_sha or base
    again = f", again after {build.loop_count} failed attempt(s)" if build.loop_count else ""
    await build_log.say(f"{phase.title} of {len(plan)}{again}.")
    commits = dict.fromkeys((base, start))
    opening = partial(open_build_repository, ours.repository, commits=commits, max_bytes=context.mirror_max_bytes)
    repository = await _reach(context, place, opening)
    whose = (build, place.project, place.installation)
    work = PhaseWork(*whose, phase, plan, repository, ours, base, start, place.builder)
    while True:
        done = await attempt_phase(context, work, build_log, lambda: _wants_end(context, build.id))
        if done is None:
            await _refuse_withdrawn(context, build.id)
            await _end(context, build, build_log, BuildStatus.CANCELLED, "Cancelled.")
            return False
        if isinstance(done, PhasePassed):
            break
        if isinstance(done, ApprovalNeeded):
            return await _ask(context, build.id, phase.number, done)
        if done.loops >= MAX_LOOPS:
            raise UserError(f"{phase.title} did not pass {MAX_LOOPS} times in a row. The last time: {done.reason}")
        await build_log.say(f"Returned to the builder: {done.reason}", "warn")
        work = work.again(done)
    await _passed(context, place, work, done, build_log)
    return True


async def _ask(context: WorkerContext, build_id: UUID, number: int, asked: ApprovalNeeded) -> bool:
    """Let the build wait for a person, in no slot; whether it goes on at once, since somebody cancels it."""
    async with context.pool.acquire() as connection, connection.transaction():
        await hold_phase(connection, build_id, number)
        waits = await set_review(connection, build_id, number, asked.review)
        await notify_change(connection, build_id)
    log.info("build.waits", phase=number)
    return not waits


async def _refuse_withdrawn(context: WorkerContext, build_id: UUID) -> None:
    """Tell an end that nobody asked for from a cancelled build.

    Raises:
        UserError: the App is not active there any more, so that the builder was ended.
    """
    async with context.pool.acquire() as connection:
        if not await is_cancelled(connection, build_id) and await is_withdrawn(connection, build_id):
            raise UserError(WITHDRAWN)


async def _passed(
    context: WorkerContext, place: _BuildPlace, work: PhaseWork, done: PhasePassed, build_log: BuildLog
) -> None:
    build, number, plan = place.build, work.phase.number, work.plan
    if done.commit is not None:
        commit = done.commit
        async with context.pool.acquire() as connection, connection.transaction():
            await hold_phase(connection, build.id, number)
            await set_passed(connection, build.id, commit)
        # The token may be an hour old by now.
        await _reach(
            context,
            place,
            lambda remote: push_phase(work.repository, remote, commit, build.branch or "", build.head_sha, work.base),
        )
        await build_log.say(f"Pushed {commit[:10]} to {build.branch}.")
    following = plan[number + 1].title if number + 1 < len(plan) else None
    async with context.pool.acquire() as connection, connection.transaction():
        await hold_phase(connection, build.id, number)
        await set_phase_done(connection, build.id, number, done.commit, done.audit, following)
        await notify_change(connection, build.id)
    log.info("build.phase_done", phase=number)


async def _begin(context: WorkerContext, place: _BuildPlace, build_log: BuildLog) -> str:
    head = await _reach(context, place, read_default_head)
    if head is None or not good_ref(head.branch):
        raise UserError("The repository has no commit on its default branch yet: make a first one, if only a README.")
    async with context.pool.acquire() as connection, connection.transaction():
        await hold_phase(connection, place.build.id, place.build.phase_number)
        await set_base(connection, place.build.id, head.branch, head.sha)
    await build_log.say(f"Begins at {head.sha[:10]} of {head.branch}.")
    return head.sha


async def _finish(context: WorkerContext, place: _BuildPlace, build_log: BuildLog) -> None:
    build = place.build
    if build.head_sha is None:
        await _end(context, build, build_log, BuildStatus.COMPLETED, "Every phase passed; nothing had to be changed.")
        return
    async with context.pool.acquire() as connection:
        phases = await list_phases(connection, build.id)
        fresh = await find_build(connection, build.id)
    introduction = (
        f"Built by ForgeGuard from the contracts of the project {place.project.name}: "
        f"{context.address}/builds/{build.id}"
    )
    body = pull_request_body(introduction, phases, await _deciding(context, place, build.head_sha))
    base_branch = fresh.base_branch if fresh and fresh.base_branch else place.repo.default_branch
    wanted = WantedPullRequest(
        build.branch or "", build.head_sha, base_branch, f"Build {place.project.name}"[:200], body, ()
    )
    access = context.access(place.installation, place.repo, _permissions(place.installation))
    url = await ensure_pull_request(context, access, wanted)
    await _end(context, build, build_log, BuildStatus.COMPLETED, None, url)


async def _deciding(context: WorkerContext, place: _BuildPlace, head: str) -> list[str] | None:
    """Return the files to review that the build changed; None where they cannot be listed.

    Whichever builder worked at its end: another one may have worked at earlier phases.
    """
    base = place.build.base_sha
    if base is None:
        return []
    home = await asyncio.to_thread(place_for, context.home)
    ours = open_workspace(home, str(place.build.id), Confinement.UNCONFINED)
    try:
        opening = partial(open_build_repository, ours.repository, commits=(base, head))
        repository = await _reach(context, place, opening)
    except CommitGone:
        return None
    return await list_deciding(repository, base, head, owner_settings(place.installation))


async def _end(
    context: WorkerContext,
    build: Build,
    build_log: BuildLog,
    status: BuildStatus,
    detail: str | None,
    pull_url: str | None = None,
) -> None:
    level = {BuildStatus.COMPLETED: "info", BuildStatus.CANCELLED: "warn"}.get(status, "error")
    await build_log.say(detail or f"Every phase passed. Pull request: {pull_url}", level)
    async with context.pool.acquire() as connection, connection.transaction():
        await end_build(connection, build, status, detail, pull_url)
    try:
        await remove_workspace(await asyncio.to_thread(place_for, context.home), str(build.id))
    except (OSError, UserError) as error:  # the hourly tidying tries again
        log.error("build.place_left", error=type(error).__name__, exc_info=True)
    log.info("build.ended", status=status, reason=detail or "")


async def _wants_end(context: WorkerContext, build_id: UUID) -> bool:
    try:
        async with context.pool.acquire() as connection:
            return await is_cancelled(connection, build_id) or await is_withdrawn(connection, build_id)
    except DATABASE_ERRORS:
        return False  # the database is asked again in a moment
