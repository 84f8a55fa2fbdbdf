"""Which faults of git are tried again, and which end a run."""

from __future__ import annotations

from uuid import UUID

import pytest

from forgeguard_app.audit.model import Report
from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.audits.audit_faults import verdict_after, with_own_faults
from forgeguard_app.flows.context.audit_failures import MAX_RUNS, AuditFailures
from forgeguard_app.git.command import GitError, GitTimeout

RUN, OTHER = UUID(int=1), UUID(int=2)
DIED = GitError(("diff-tree", "a"), -11, "")


@pytest.mark.parametrize(
    ("run", "error", "repeated"),
    [
        (RUN, GitError(("diff-tree", "b"), -11, "other words"), True),
        (OTHER, DIED, False),
        (RUN, GitError(("ls-tree", "a"), -11, ""), False),
        (RUN, GitError(("diff-tree", "a"), 128, ""), False),
        (RUN, GitTimeout(("diff-tree", "a"), -11, ""), False),
    ],
)
def test_only_the_same_failure_of_the_same_run_is_repeated(run: UUID, error: GitError, repeated: bool) -> None:
    failures = AuditFailures(again_s=0.0)
    assert not failures.is_repeated(RUN, DIED)
    assert failures.is_repeated(run, error) is repeated


def test_failures_of_the_oldest_runs_are_forgotten() -> None:
    failures = AuditFailures(again_s=0.0)
    for number in range(MAX_RUNS + 1):
        assert not failures.is_repeated(UUID(int=number), DIED)
    assert not failures.is_repeated(UUID(int=0), DIED)
    assert failures.is_repeated(UUID(int=MAX_RUNS), DIED)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DIED, "git diff-tree was ended by signal 11, twice"),
        (GitError(("ls-tree", "a"), 128, "fatal: not a tree"), "git ls-tree ended with status 128, twice"),
        (GitTimeout(("rev-list", "a"), -1, "no end"), "git rev-list did not end within its time, twice"),
    ],
)
def test_reading_that_fails_twice_in_the_same_way_ends_the_run(error: GitError, words: str) -> None:
    failures = AuditFailures(again_s=0.0)
    with pytest.raises(RetryLater):
        verdict_after(failures, RUN, error)
    assert words in (verdict_after(failures, RUN, error).error_detail or "")


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (GitError(("init",), 128, "fatal: cannot lock"), GitError),
        (GitTimeout(("update-ref",), -1, "no end"), RetryLater),
        (GitError(("ls-tree",), 128, "fatal: No space left on device"), RetryLater),
    ],
)
def test_what_is_not_the_commit_s_fault_is_tried_again(error: GitError, raised: type[Exception]) -> None:
    failures = AuditFailures(again_s=0.0)
    for _ in range(3):
        with pytest.raises(raised):
            verdict_after(failures, RUN, error)


async def test_an_own_fault_is_tried_again_once_and_then_a_verdict() -> None:
    failures = AuditFailures(again_s=0.0)

    async def fail() -> Report:
        raise ValueError("Exceeds the limit (4300 digits)")

    with pytest.raises(RetryLater):
        await with_own_faults(failures, RUN, fail())
    with pytest.raises(RetryLater):
        await with_own_faults(failures, OTHER, fail())
    verdict = await with_own_faults(failures, RUN, fail())
    assert verdict.overall_result == "ERROR"
    assert "ForgeGuard itself failed on this commit" in str(verdict.error_detail)
    assert "4300" not in str(verdict.error_detail), "an error's text may quote the repository"


def test_what_fails_again_at_once_is_tried_again() -> None:
    failures = AuditFailures(again_s=3_600.0)
    assert not any(failures.is_repeated(RUN, DIED) for _ in range(5)), "the machine may have no memory for a while"
