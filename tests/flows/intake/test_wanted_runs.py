"""The truth table: which event wants an audit run, and of what."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from forgeguard_app.flows.context.repo_records import stored_pull
from forgeguard_app.flows.intake.wanted_runs import (
    run_of_merge_group,
    run_of_pull,
    run_of_push,
    target_of,
    wants_run,
)
from forgeguard_app.github import events
from forgeguard_app.store.commit_targets import AuditTarget, CommitTargets, TargetRun
from forgeguard_app.store.states import RunStatus

REPO = events.Repository(5, "o/r", False, "main")
FORK = events.Repository(6, "stranger/r", False, "main")
KEY, DELIVERY = UUID(int=1), UUID(int=2)
ZERO, A, B = "0" * 40, "a" * 40, "b" * 40
HEAD_REF = "refs/pull/3/head"
RETARGETED = events.PullRequestEdit(base={})


@pytest.mark.parametrize(
    ("ref", "before", "after", "deleted", "wanted"),
    [
        ("refs/heads/main", A, B, False, ("main", A)),
        ("refs/heads/feature/x", ZERO, B, False, ("feature/x", None)),  # created
        ("refs/heads/main", B, A, False, ("main", B)),  # forced
        ("refs/heads/main", A, ZERO, True, None),
        ("refs/heads/main", A, ZERO, False, None),
        ("refs/tags/v1", ZERO, B, False, None),
        ("refs/notes/commits", ZERO, B, False, None),
        ("refs/heads/gh-readonly-queue/main/pr-1-abc", ZERO, B, False, None),
        ("refs/heads/tags/v1", ZERO, B, False, ("tags/v1", None)),
    ],
)
def test_pushes(ref: str, before: str, after: str, deleted: bool, wanted: tuple[str, str | None] | None) -> None:
    run = run_of_push(events.Push(ref, before, after, deleted, REPO), KEY, DELIVERY)
    assert (None if run is None else (run.branch, run.before_sha)) == wanted


def run_for(target: AuditTarget, *, is_undecided: bool = False, result: str | None = "PASS") -> TargetRun:
    status = RunStatus.PENDING if is_undecided else RunStatus.COMPLETED
    return TargetRun(
        target, KEY, status, result, datetime(2026, 1, 1, tzinfo=UTC), is_published=True, is_undecided=is_undecided
    )


MAIN, RELEASE, STRANGER = AuditTarget("main"), AuditTarget("release"), AuditTarget("main", fork=True)
PUSHED = (run_for(MAIN),)


@pytest.mark.parametrize(
    ("action", "head", "base", "state", "changes", "runs", "wanted"),
    [
        ("opened", REPO, "main", "open", None, PUSHED, None),  # its push was evaluated for that
        ("opened", REPO, "main", "open", None, (), None),  # its push comes too
        ("opened", REPO, "release", "open", None, PUSHED, ("topic", "release", None, False)),
        ("opened", REPO, "release", "open", None, (), ("topic", "release", None, False)),
        ("reopened", REPO, "release", "open", None, PUSHED, ("topic", "release", None, False)),
        ("opened", REPO, "main", "open", None, (run_for(RELEASE),), ("topic", "main", None, False)),
        ("opened", REPO, "release", "open", None, (run_for(MAIN, is_undecided=True),), None),  # it may choose release
        ("opened", FORK, "main", "open", None, (run_for(MAIN, is_undecided=True),), ("pull/3", "main", HEAD_REF, True)),
        ("synchronize", REPO, "release", "open", None, (), None),  # its push comes too
        ("synchronize", REPO, "release", "open", None, PUSHED, ("topic", "release", None, False)),
        ("edited", REPO, "main", "open", None, PUSHED, None),
        ("edited", REPO, "main", "open", RETARGETED, (), ("topic", "main", None, False)),
        ("opened", FORK, "main", "open", None, PUSHED, ("pull/3", "main", HEAD_REF, True)),
        ("synchronize", FORK, "main", "open", None, (), ("pull/3", "main", HEAD_REF, True)),
        ("synchronize", None, "main", "open", None, (), ("pull/3", "main", HEAD_REF, True)),
        ("edited", FORK, "main", "open", None, (run_for(STRANGER),), None),
        ("closed", FORK, "main", "closed", None, (), None),
        ("labeled", FORK, "main", "open", None, (run_for(STRANGER),), None),
        ("labeled", FORK, "main", "open", None, (), ("pull/3", "main", HEAD_REF, True)),  # its opening was lost
    ],
)
def test_pull_requests(  # noqa: PLR0917  (the columns of the table)
    action: str,
    head: events.Repository | None,
    base: str,
    state: str,
    changes: events.PullRequestEdit | None,
    runs: tuple[TargetRun, ...],
    wanted: tuple[str, str, str | None, bool] | None,
) -> None:
    pull = events.PullRequest(3, state, events.PullSide("topic", A, head), events.PullSide(base, B, REPO))
    event = events.PullRequestEvent(action, pull, REPO, None, changes)
    target = target_of(event)
    aimed = frozenset({target} if state == "open" else ())
    run = None
    if wants_run(event, CommitTargets("main", runs, aimed)):
        run = run_of_pull(KEY, stored_pull(pull), target, DELIVERY)
    assert (None if run is None else (run.branch, run.target_ref, run.fetch_ref, run.fork)) == wanted


@pytest.mark.parametrize(
    ("head", "action", "wanted"), [(FORK, "opened", True), (FORK, "labeled", False), (REPO, "opened", False)]
)
def test_an_event_that_comes_after_its_head_was_replaced(head: events.Repository, action: str, wanted: bool) -> None:
    """A fork's head has no push of its own, so that each one of them is evaluated when it is heard of."""
    pull = events.PullRequest(3, "open", events.PullSide("topic", A, head), events.PullSide("release", B, REPO))
    assert wants_run(events.PullRequestEvent(action, pull, REPO, None, None), CommitTargets("main", PUSHED)) is wanted


@pytest.mark.parametrize(("action", "wanted"), [("checks_requested", True), ("destroyed", False)])
def test_merge_groups(action: str, wanted: bool) -> None:
    group = events.MergeGroup(A, "refs/heads/gh-readonly-queue/main/pr-1", B, "refs/heads/main")
    run = run_of_merge_group(events.MergeGroupEvent(action, group, REPO), KEY, DELIVERY)
    assert (run is not None) is wanted
    if run is not None:
        assert (run.branch, run.target_ref, run.target_sha) == ("gh-readonly-queue/main/pr-1", "main", B)


def test_a_push_keeps_a_bounded_part_of_its_commit_s_message() -> None:
    """Each of thousands of branches that one push brings to the same commit keeps the message again."""
    commit = events.HeadCommit("\U0001f9ea" * 10_000)
    run = run_of_push(events.Push("refs/heads/x", ZERO, B, False, REPO, head_commit=commit), KEY, DELIVERY)
    assert run is not None
    assert len((run.commit_message or "").encode()) <= 8_000
    assert (run.commit_message or "").endswith("…")
