"""Which faults of git are tried again, and which end a run."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from forgeguard_app.audit.model import Report
from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.audits.audit_faults import verdict_after, with_own_faults
from forgeguard_app.flows.context.audit_failures import MAX_RUNS, AfterGit, AuditFailures
from forgeguard_app.git.command import GitError, GitTimeout

RUN, OTHER = UUID(int=1), UUID(int=2)
DIED = GitError(("diff-tree", "a"), -11, "")


@pytest.mark.parametrize(
    ("run", "error", "after"),
    [
        (RUN, GitError(("diff-tree", "b"), -11, "other words"), AfterGit.RENEW),
        (OTHER, DIED, AfterGit.RETRY),
        (RUN, GitError(("ls-tree", "a"), -11, ""), AfterGit.RETRY),
        (RUN, GitError(("diff-tree", "a"), 128, ""), AfterGit.RETRY),
        (RUN, GitTimeout(("diff-tree", "a"), -11, ""), AfterGit.RETRY),
    ],
)
def test_only_the_same_failure_of_the_same_run_is_repeated(run: UUID, error: GitError, after: AfterGit) -> None:
    failures = AuditFailures(again_s=0.0)
    assert failures.after_git(RUN, DIED) is AfterGit.RETRY
    assert failures.after_git(run, error) is after


def test_a_mirror_is_made_again_once_in_an_audit() -> None:
    failures = AuditFailures(again_s=0.0)
    steps = [failures.after_git(RUN, DIED) for _ in range(4)]
    assert steps == [AfterGit.RETRY, AfterGit.RENEW, AfterGit.GIVE_UP, AfterGit.RETRY]


def test_failures_of_the_oldest_runs_are_forgotten() -> None:
    failures = AuditFailures(again_s=0.0)
    for number in range(MAX_RUNS + 1):
        assert failures.after_git(UUID(int=number), DIED) is AfterGit.RETRY
    assert failures.after_git(UUID(int=0), DIED) is AfterGit.RETRY
    assert failures.after_git(UUID(int=MAX_RUNS), DIED) is AfterGit.RENEW


@pytest.mark.parametrize(
    ("error", "tries", "words"),
    [
        (DIED, 2, "git diff-tree was ended by signal 11, of a new copy of the repository too"),
        (GitError(("ls-tree", "a"), 128, "fatal: not a tree"), 2, "git ls-tree ended with status 128, of a new copy"),
        (GitTimeout(("rev-list", "a"), -1, "no end"), 1, "git rev-list did not end within its time, twice"),
    ],
)
async def test_reading_that_fails_again_in_the_same_way_ends_the_run(
    error: GitError, tries: int, words: str, tmp_path: Path
) -> None:
    failures, mirror = AuditFailures(again_s=0.0), tmp_path / "1.git"
    mirror.mkdir()
    for _ in range(tries):
        with pytest.raises(RetryLater):
            await verdict_after(failures, RUN, mirror, error)
    assert words in ((await verdict_after(failures, RUN, mirror, error)).error_detail or "")
    assert mirror.exists() is isinstance(error, GitTimeout)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (GitError(("init",), 128, "fatal: cannot lock"), GitError),
        (GitTimeout(("update-ref",), -1, "no end"), RetryLater),
        (GitError(("ls-tree",), 128, "fatal: No space left on device"), RetryLater),
    ],
)
async def test_what_is_not_the_commit_s_fault_is_tried_again(
    error: GitError, raised: type[Exception], tmp_path: Path
) -> None:
    failures = AuditFailures(again_s=0.0)
    for _ in range(4):
        with pytest.raises(raised):
            await verdict_after(failures, RUN, tmp_path, error)
    assert tmp_path.exists()


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
    steps = {failures.after_git(RUN, DIED) for _ in range(5)}
    assert steps == {AfterGit.RETRY}, "the machine may have no memory for a while"
