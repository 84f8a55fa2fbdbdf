"""A pushed commit is audited: fetched, evaluated, its report stored with the intent to publish it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from forgeguard_app.audit.model import CheckCode
from forgeguard_app.errors import RetryLater
from forgeguard_app.evaluation.deadline import EvaluationTimeout
from forgeguard_app.evaluation.mirror_source import MirrorSource
from forgeguard_app.evaluation.request import Request
from forgeguard_app.flows.audits.audit_faults import (
    RunDeferred,
    with_deadline,
    with_file_faults,
    with_own_faults,
    with_reading_faults,
)
from forgeguard_app.flows.audits.choose_base import History, choose_base, earlier_passed, newest_head
from forgeguard_app.flows.audits.project_boundaries import note_without_contract, project_boundaries
from forgeguard_app.flows.audits.show_progress import show_progress
from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.context.owner_policy import owner_settings, read_owner_policy
from forgeguard_app.flows.context.quotas import QUOTAS
from forgeguard_app.flows.context.repository import mirror_folder
from forgeguard_app.flows.context.visibility_lag import retry_until_visible
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.intake.follow_pull import start_missing_targets
from forgeguard_app.flows.intake.rank_heads import rank_of
from forgeguard_app.flows.intake.start_run import enqueue_publication
from forgeguard_app.flows.intake.wanted_runs import shown_author, shown_message
from forgeguard_app.flows.publishing.notify_owner import may_notify, schedule_notice
from forgeguard_app.flows.publishing.verdicts import could_not_evaluate
from forgeguard_app.flows.upkeep.keep_findings import keep_findings
from forgeguard_app.git.mirror import (
    Mirror,
    Remote,
)
from forgeguard_app.git.range import read_commit_words
from forgeguard_app.github.repo_access import RepoAccess
from forgeguard_app.store.allowances import list_in_force
from forgeguard_app.store.audits import (
    AuditRun,
    Verdict,
    begin_run,
    find_run,
    release_run,
    set_commit_words,
    store_verdict,
)
from forgeguard_app.store.commit_targets import set_evaluated_target
from forgeguard_app.store.installations import Installation, find_installation, set_owner_policy
from forgeguard_app.store.pool import DATABASE_ERRORS, Connection
from forgeguard_app.store.projects import (
    find_boundaries_of,
    find_evaluated_before,
    set_evaluated_by,
)
from forgeguard_app.store.pulls import list_open_pulls
from forgeguard_app.store.repos import Repo, get_repo, lock_repo, set_configuration
from forgeguard_app.store.run_order import (
    find_earlier_unevaluated,
    find_next_pending,
    is_baseline_run,
    list_earlier_heads,
    list_evaluated_heads,
    oldest_evaluated,
)
from forgeguard_app.store.standing_secrets import set_standing_secrets
from forgeguard_app.store.states import InstallationStatus, RunStatus, Trigger
from forgeguard_app.store.storage import delete_excerpts_over

LARGE_EXCERPTS_BYTES = 64 << 10
MAX_DEATHS = 3
MAX_INTERRUPTIONS = 25  # where PostgreSQL dies with the worker each time, nobody can tell what killed it
MAX_HEADS = 200  # of a branch, looked through for one that passed
GIVE_UP_AFTER = timedelta(hours=6)
RELEASE_S = 60.0
log = structlog.get_logger()


async def audit_commit(context: WorkerContext, run_id: UUID) -> None:
    """Audit the run's commit; a run that is finished already, or under way elsewhere, stays as it is.

    Raises:
        RetryLater: a transient fault; the run is pending again.
    """
    async with context.locks.only_one(f"audit/{run_id}") as held:
        if held:
            await _audit_under_lock(context, run_id)


async def _audit_under_lock(context: WorkerContext, run_id: UUID) -> None:
    """Wait for the mirror before anything is begun: a run that waits is pending, and no time of its own passes."""
    async with context.pool.acquire() as connection, connection.transaction():
        known = await find_run(connection, run_id)
        if known is None or known.status not in (RunStatus.PENDING, RunStatus.RUNNING):
            return
        await lock_repo(connection, known.repo_id)
        repo = await get_repo(connection, known.repo_id)
        if known.status == RunStatus.PENDING and await _waits_for_earlier(connection, known, repo):
            return
    async with contextlib.AsyncExitStack() as stack:
        failed: OSError | None = None
        try:
            await stack.enter_async_context(Mirror(mirror_folder(context, repo), Remote("")).locked(str(run_id)))
        except OSError as error:
            failed = error
        await _claim_and_evaluate(context, run_id, failed)


async def _waits_for_earlier(connection: Connection, run: AuditRun, repo: Repo) -> bool:
    """Return whether an earlier run of the default branch has no verdict yet; its end takes this one up."""
    return _on_default(run, repo) and await find_earlier_unevaluated(connection, run) is not None


async def _claim_and_evaluate(context: WorkerContext, run_id: UUID, failed: OSError | None) -> None:
    """Claim the run and evaluate it, unless it waits for an earlier one; `failed` is why the mirror has no lock."""
    async with context.pool.acquire() as connection, connection.transaction():
        if context.stopping.is_set():
            raise RetryLater("the worker is told to stop", delay_s=context.timings.retry_s)
        known = await find_run(connection, run_id)
        if known is None:
            return
        # The repository before its runs, as the intake does, or two would wait for one another.
        await lock_repo(connection, known.repo_id)
        run = await begin_run(connection, run_id)
        if run is None:
            return
        repo = await get_repo(connection, run.repo_id)
        installation = await find_installation(connection, repo.installation_id)
        if await _waits_for_earlier(connection, run, repo):
            await release_run(connection, run)
            return
    async with _alone(context, run) as alone:
        if not alone:
            await _release(context, run)
            raise RetryLater("a run that died before is tried alone", delay_s=context.timings.retry_s * 2)
        work = _evaluated(context, run, repo, installation) if failed is None else _fail(failed)
        await _store_outcome(context, run, repo, installation, work)


async def _fail(error: OSError) -> Verdict:
    raise error


@contextlib.asynccontextmanager
async def _alone(context: WorkerContext, run: AuditRun) -> AsyncIterator[bool]:
    """Let a run that was under way when its worker died run beside no other such run of this worker.

    Of several that died together only one can be what killed them; so it alone comes to three deaths. A run that was
    interrupted otherwise, such as by the database, killed nothing.
    """
    if run.deaths == 0:
        yield True
    elif context.suspect.locked():
        yield False
    else:
        async with context.suspect:
            yield True


async def _store_outcome(
    context: WorkerContext, run: AuditRun, repo: Repo, installation: Installation | None, work: Awaitable[Verdict]
) -> None:
    try:
        verdict = await with_file_faults(work)
    except EvaluationTimeout as error:
        log.warning("audit.timeout", reason=str(error))
        verdict = could_not_evaluate(str(error), user_fixable=False)
    except RunDeferred:
        log.info("audit.deferred")
        await _release(context, run)
        return
    except asyncio.CancelledError:
        await asyncio.shield(_release(context, run))
        raise
    except (RetryLater, *DATABASE_ERRORS) as error:
        if datetime.now(UTC) - run.started_at < GIVE_UP_AFTER:
            await _release(context, run)
            raise
        verdict = could_not_evaluate(f"This could not be evaluated for six hours: {error}", user_fixable=False)
    await _store_verdict(
        context,
        run,
        repo,
        verdict,
        tell=installation is not None and may_notify(owner_settings(installation), run, repo, verdict),
    )


def _on_default(run: AuditRun, repo: Repo) -> bool:
    """Return whether the run is evaluated against its branch's earlier heads, so that their order matters."""
    return run.branch == repo.default_branch and run.target_ref is None and run.trigger != Trigger.INSTALLATION


async def _release(context: WorkerContext, run: AuditRun) -> None:
    """Let the run wait again; where the database is away, it is waited for."""
    deadline = time.monotonic() + RELEASE_S
    while True:
        try:
            async with context.pool.acquire() as connection, connection.transaction():
                await release_run(connection, run)
            return
        except DATABASE_ERRORS:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(context.timings.retry_s)


def _hopeless(run: AuditRun) -> Verdict | None:
    """Return the verdict on a run that is not tried (again), None for one that is."""
    if run.deaths >= MAX_DEATHS:
        reason = f"The audit was begun {MAX_DEATHS} times, and its worker died each time, so it is not tried again."
        return could_not_evaluate(reason, user_fixable=False)
    if run.interruptions >= MAX_INTERRUPTIONS:
        reason = f"The audit was interrupted {MAX_INTERRUPTIONS} times, so it is not tried again."
        return could_not_evaluate(reason, user_fixable=False)
    return None


async def _evaluated(context: WorkerContext, run: AuditRun, repo: Repo, installation: Installation | None) -> Verdict:
    if installation is None:
        return could_not_evaluate(
            "The repository belongs to no installation of the App that we know.", user_fixable=True
        )
    if (hopeless := _hopeless(run)) is not None:
        return hopeless
    if installation.status == InstallationStatus.SUSPENDED:
        raise RunDeferred
    access = context.access(installation, repo)
    read = retry_until_visible(
        context, access, lambda remote: _evaluate_head(context, run, repo, installation, access, remote)
    )
    work = with_deadline(context.timings.audit_s, show_progress(context, run, repo, installation, read))
    return await with_reading_faults(context, run, repo, installation, work)


async def _evaluate_head(
    context: WorkerContext, run: AuditRun, repo: Repo, installation: Installation, access: RepoAccess, remote: Remote
) -> Verdict:
    async with context.pool.acquire() as connection:
        history = History(
            default_branch=repo.default_branch,
            passed=earlier_passed(run, await list_earlier_heads(connection, run, MAX_HEADS)),
            oldest=await oldest_evaluated(connection, run),
            pulls=await list_open_pulls(connection, repo.id, run.commit_sha, run.branch),
            is_baseline=await is_baseline_run(connection, run),
        )
        target = history.target_of(run)
        await set_evaluated_target(connection, run.id, target)
        allowed = await list_in_force(connection, repo.id)
        contract = await find_boundaries_of(connection, repo.id)
        before = await find_evaluated_before(connection, repo.id, contract)
        await set_evaluated_by(connection, run.id, contract)
    owners = access.full_name.endswith("/.github")
    mirror = Mirror(mirror_folder(context, repo), remote, context.mirror_max_bytes)
    await mirror.prepare()
    await mirror.fetch([run.commit_sha], [target] if target else [])
    if run.commit_message is None:
        await _keep_words(context, mirror, run)
    base = await choose_base(mirror, run, history)
    request = Request(
        head=run.commit_sha,
        base=base.sha,
        target=base.target if target else None,
        fork=run.fork,
        whole_secrets=history.is_baseline,
        owner=owner_settings(installation),
        owner_file=owners,
        notes=(*base.notes, *note_without_contract(contract, before)),
        excerpts=True,
        describe=run.branch == repo.default_branch and run.target_ref is None and not run.fork,
        contract=project_boundaries(context, contract, before),
        allowed={code: allowed.get(str(code), frozenset()) for code in CheckCode},
    )
    work = context.evaluator.evaluate(MirrorSource(mirror, request), request)
    verdict = await with_own_faults(context.audit_failures, run.id, work)
    if owners and request.describe:
        return replace(verdict, owner_policy=await read_owner_policy(mirror.repository, run.commit_sha))
    return verdict


async def _keep_words(context: WorkerContext, mirror: Mirror, run: AuditRun) -> None:
    """Keep what the commit says of itself: only the payload of a push carries it."""
    words = await read_commit_words(mirror.repository, run.commit_sha)
    async with context.pool.acquire() as connection:
        await set_commit_words(connection, run.id, shown_message(words.message), shown_author(words.author))


async def _is_newest_head(connection: Connection, run: AuditRun) -> bool:
    """Return whether the run's head is the newest evaluated one of the default branch, whichever run ends last."""
    repo = await get_repo(connection, run.repo_id)  # its default branch may be another by now
    if run.branch != repo.default_branch:
        return False
    return (
        newest_head(await list_evaluated_heads(connection, repo.id, repo.default_branch, MAX_HEADS)) == run.commit_sha
    )


async def _store_verdict(context: WorkerContext, run: AuditRun, repo: Repo, verdict: Verdict, *, tell: bool) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        await lock_repo(connection, repo.id)
        if not await store_verdict(connection, run.id, verdict):
            return
        if verdict.excerpt_bytes > LARGE_EXCERPTS_BYTES:  # the others are counted every hour
            await delete_excerpts_over(
                connection, QUOTAS.excerpts_of_repository, QUOTAS.excerpts_of_installation, repo.id
            )
        if run.branch == repo.default_branch:
            await set_standing_secrets(connection, run)
        await start_missing_targets(connection, repo.id, run.commit_sha)
        await enqueue_publication(connection, repo.id, run.commit_sha)
        if await _is_newest_head(connection, run):
            if verdict.configuration is not None:
                await set_configuration(connection, repo.id, run.commit_sha, verdict.configuration)
            if verdict.owner_policy is not None and repo.installation_id is not None:
                await set_owner_policy(connection, repo.installation_id, verdict.owner_policy.text)
        if tell:
            await schedule_notice(connection, run.id)
        following = await find_next_pending(connection, run)
        if following is not None:
            rank = await rank_of(connection, run)  # of the same branch
            await enqueue_job(connection, Job(Task.AUDIT_COMMIT, following, rank))
    if verdict.finding_bytes:
        await keep_findings(context.pool, repo.id, QUOTAS)
    log.info("audit.evaluated", result=verdict.overall_result, files=verdict.files_checked)
