"""Turns faults of GitHub, git, files and time during an audit into a verdict, or into a fault that is retried."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog

from forgeguard_app.audit.model import Report
from forgeguard_app.errors import RetryLater, as_transient
from forgeguard_app.evaluation.deadline import EvaluationTimeout
from forgeguard_app.flows.context.audit_failures import AfterGit, AuditFailures
from forgeguard_app.flows.context.repository import mirror_folder
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.publishing.verdicts import could_not_evaluate, verdict_of
from forgeguard_app.git.command import GitError, GitTimeout, GitTooLarge
from forgeguard_app.git.mirror import AccessSuspended, CommitGone, RepositoryGone, RepositoryTooLarge, TargetGone
from forgeguard_app.github.permissions import missing_permissions
from forgeguard_app.github.tokens import InstallationSuspended, InstallationUnavailable
from forgeguard_app.store.audits import AuditRun, Verdict
from forgeguard_app.store.installations import Installation
from forgeguard_app.store.repos import Repo, find_repo

_OWN_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
log = structlog.get_logger()


class RunDeferred(Exception):
    """The installation is suspended, or the repository was removed from it: the run waits without a job."""


async def with_file_faults(work: Awaitable[Verdict]) -> Verdict:
    """Return the work's verdict, or one that says that a file of ours failed.

    Raises:
        RetryLater: the disk is full, or the like.
    """
    try:
        return await work
    except TimeoutError:
        raise
    except OSError as error:
        if transient := as_transient(error):
            raise transient from error
        log.error("audit.file_failed", error=type(error).__name__, exc_info=True)
        why = error.strerror or type(error).__name__
        return could_not_evaluate(
            f"A file or folder failed on the worker's machine: {why}. The operator finds it in the worker's log.",
            user_fixable=False,
        )


async def with_own_faults(failures: AuditFailures, run_id: UUID, work: Awaitable[Report]) -> Verdict:
    """Return the verdict of an evaluation; one that says so where our own code fails on the commit again and again.

    Raises:
        RetryLater: it failed for the first time, as it may where git was killed while it wrote.
    """
    try:
        return verdict_of(await work)
    except _OWN_FAULTS as error:
        log.exception("audit.own_fault")
        if not failures.is_repeated_fault(run_id, error):
            raise RetryLater(f"the evaluation failed: {type(error).__name__}") from error
        reason = (
            f"ForgeGuard itself failed on this commit, twice in the same way ({type(error).__name__}). "
            "It is not tried again; other commits are audited as before. "
            "The operator finds where in the worker's log, and can report it."
        )
        return could_not_evaluate(reason, user_fixable=False)


async def with_deadline(deadline_s: float, work: Awaitable[Verdict]) -> Verdict:
    """Return the verdict of a whole audit, with what is fetched for it.

    Raises:
        EvaluationTimeout: it did not end in time.
    """
    deadline = asyncio.timeout(deadline_s)
    try:
        async with deadline:
            return await work
    except TimeoutError as error:
        if not deadline.expired():
            raise
        reason = f"The audit, with what is fetched for it, did not end within {deadline_s:g} seconds."
        raise EvaluationTimeout(reason) from error


async def with_reading_faults(
    context: WorkerContext, run: AuditRun, repo: Repo, installation: Installation, work: Awaitable[Verdict]
) -> Verdict:
    """Return the work's verdict, or one that says why GitHub or git did not let it read the commit.

    Raises:
        RunDeferred: the installation is suspended, or the repository was removed.
        RetryLater: GitHub may not show it everywhere yet, gives no access just now, or git failed for the first time.
        GitError: a command that writes failed.
    """
    try:
        return await work
    except CommitGone as error:
        return _without_commit(context, run, error)
    except (RepositoryGone, InstallationUnavailable) as error:
        return await _without_access(context, run, repo, installation, error)
    except RepositoryTooLarge as error:
        log.warning("audit.too_large", max_bytes=context.mirror_max_bytes)
        return could_not_evaluate(str(error), user_fixable=False)
    except GitError as error:
        return await verdict_after(context.audit_failures, run.id, mirror_folder(context, repo), error)


def _without_commit(context: WorkerContext, run: AuditRun, error: CommitGone) -> Verdict:
    if datetime.now(UTC) - run.created_at < timedelta(seconds=context.timings.commit_lag_s):
        raise RetryLater("the commit is not readable yet", delay_s=min(2.0, context.timings.retry_s * 4)) from error
    what = "target branch" if isinstance(error, TargetGone) else "pushed commit"
    return could_not_evaluate(f"The {what} is not in the repository any more.", user_fixable=False)


async def _without_access(
    context: WorkerContext,
    run: AuditRun,
    repo: Repo,
    installation: Installation,
    error: RepositoryGone | InstallationUnavailable,
) -> Verdict:
    if isinstance(error, (InstallationSuspended, AccessSuspended)):
        raise RunDeferred from error
    if datetime.now(UTC) - run.created_at < timedelta(seconds=context.timings.lag_s):
        raise RetryLater("the repository may not be known everywhere yet", delay_s=1) from error
    if await _is_removed(context, repo):
        raise RunDeferred from error
    wrong = missing_permissions(installation.permissions) if installation.permissions else []
    if isinstance(error, InstallationUnavailable) and not wrong:  # nothing can be published there either
        raise RetryLater("GitHub gives the App no access to the repository just now") from error
    log.warning("audit.refused", reason=type(error).__name__)
    why = f" The installation lacks {', '.join(wrong)}." if wrong else ""
    return could_not_evaluate(f"ForgeGuard may not read this repository's contents any more.{why}", user_fixable=True)


async def _is_removed(context: WorkerContext, repo: Repo) -> bool:
    async with context.pool.acquire() as connection:
        return await find_repo(connection, repo.id) is None


async def verdict_after(failures: AuditFailures, run_id: UUID, mirror: Path, error: GitError) -> Verdict:
    """Return the verdict where git's answer is larger than is read, or where reading failed again and again in the same
    way.

    A git that was killed, or a machine that was too busy, is tried again. A mirror that is corrupt is made again; the
    caller holds its lock. A commit that git cannot read fails again, and the next ones of its branch wait for its
    verdict.

    Raises:
        RetryLater: it failed so for the first or the second time, or the disk is full.
        GitError: a command that writes failed.
    """
    if isinstance(error, GitTooLarge):
        log.warning("audit.too_large", bound=error.stderr)
        return could_not_evaluate(error.reason, user_fixable=False)
    log.warning("audit.git_failed", command=error.command, status=error.status, stderr=error.stderr)
    if error.out_of_space:
        raise RetryLater("the disk under the mirrors is full") from error
    if error.of_reading:
        after = failures.after_git(run_id, error)
        if after is AfterGit.GIVE_UP:
            return could_not_evaluate(_unreadable(error), user_fixable=False)
        if after is AfterGit.RENEW:
            log.warning("mirror.made_again", folder=mirror.name)
            await asyncio.to_thread(shutil.rmtree, mirror, ignore_errors=True)
    if error.of_reading or isinstance(error, GitTimeout):
        raise RetryLater(f"git {error.command} {_end_of(error)}") from error
    raise error


def _unreadable(error: GitError) -> str:
    again = "twice in this audit" if isinstance(error, GitTimeout) else "of a new copy of the repository too"
    return (
        f"git could not read this commit: git {error.command} {_end_of(error)}, {again}. "
        "It is not tried again; other commits are audited as before. "
        "The operator finds what git wrote in the worker's log."
    )


def _end_of(error: GitError) -> str:
    if isinstance(error, GitTimeout):
        return "did not end within its time"
    return f"was ended by signal {-error.status}" if error.status < 0 else f"ended with status {error.status}"
