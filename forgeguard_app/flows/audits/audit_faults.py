"""Turns faults of git, files and time during an audit into a verdict, or into a fault that is retried."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from uuid import UUID

import structlog

from forgeguard_app.audit.model import Report
from forgeguard_app.errors import RetryLater, as_passing
from forgeguard_app.evaluation.deadline import EvaluationTimeout
from forgeguard_app.flows.context.audit_failures import AuditFailures
from forgeguard_app.flows.publishing.verdicts import could_not_evaluate, verdict_of
from forgeguard_app.git.command import GitError, GitTimeout, GitTooLarge
from forgeguard_app.store.audits import Verdict

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
        if passing := as_passing(error):
            raise passing from error
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


def verdict_after(failures: AuditFailures, run_id: UUID, error: GitError) -> Verdict:
    """Return the verdict where git's answer is larger than is read, or where reading failed twice in the same way.

    A git that was killed, or a machine that was too busy, is tried again. A commit that git cannot read fails again,
    and the next ones of its branch wait for its verdict.

    Raises:
        RetryLater: it failed so for the first time, or the disk is full.
        GitError: a command that writes failed.
    """
    if isinstance(error, GitTooLarge):
        log.warning("audit.too_large", bound=error.stderr)
        return could_not_evaluate(error.reason, user_fixable=False)
    log.warning("audit.git_failed", command=error.command, status=error.status, stderr=error.stderr)
    if error.out_of_space:
        raise RetryLater("the disk under the mirrors is full") from error
    if error.of_reading and failures.is_repeated(run_id, error):
        return could_not_evaluate(_unreadable(error), user_fixable=False)
    if error.of_reading or isinstance(error, GitTimeout):
        raise RetryLater(f"git {error.command} {_end_of(error)}") from error
    raise error


def _unreadable(error: GitError) -> str:
    return (
        f"git could not read this commit: git {error.command} {_end_of(error)}, twice in this audit. "
        "It is not tried again; other commits are audited as before. "
        "The operator finds what git wrote in the worker's log."
    )


def _end_of(error: GitError) -> str:
    if isinstance(error, GitTimeout):
        return "did not end within its time"
    return f"was ended by signal {-error.status}" if error.status < 0 else f"ended with status {error.status}"
