"""The truth table: which event wants an audit run, and of what."""

from __future__ import annotations

from uuid import UUID

import pytest

from forgeguard_app.flows.intake.wanted_runs import run_of_merge_group, run_of_pull_request, run_of_push
from forgeguard_app.github import events

REPO = events.Repository(5, "o/r", False, "main")
FORK = events.Repository(6, "stranger/r", False, "main")
KEY, DELIVERY = UUID(int=1), UUID(int=2)
ZERO, A, B = "0" * 40, "a" * 40, "b" * 40


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


@pytest.mark.parametrize(
    ("action", "head", "base", "state", "changes", "wanted"),
    [
        ("opened", REPO, "main", "open", None, None),  # its push was judged for that
        ("opened", REPO, "release", "open", None, ("topic", "release", None, False)),
        ("reopened", REPO, "release", "open", None, ("topic", "release", None, False)),
        ("synchronize", REPO, "release", "open", None, None),  # its push comes too
        ("edited", REPO, "main", "open", None, None),
        ("edited", REPO, "main", "open", events.PullRequestEdit(base={}), ("topic", "main", None, False)),
        ("opened", FORK, "main", "open", None, ("pull/3", "main", "refs/pull/3/head", True)),
        ("synchronize", FORK, "main", "open", None, ("pull/3", "main", "refs/pull/3/head", True)),
        ("synchronize", None, "main", "open", None, ("pull/3", "main", "refs/pull/3/head", True)),
        ("edited", FORK, "main", "open", None, None),
        ("closed", FORK, "main", "closed", None, None),
        ("labeled", FORK, "main", "open", None, None),
    ],
)
def test_pull_requests(
    action: str,
    head: events.Repository | None,
    base: str,
    state: str,
    changes: events.PullRequestEdit | None,
    wanted: tuple[str, str, str | None, bool] | None,
) -> None:
    pull = events.PullRequest(3, state, events.PullSide("topic", A, head), events.PullSide(base, B, REPO))
    run = run_of_pull_request(events.PullRequestEvent(action, pull, REPO, None, changes), KEY, DELIVERY)
    assert (None if run is None else (run.branch, run.target_ref, run.fetch_ref, run.fork)) == wanted


@pytest.mark.parametrize(("action", "wanted"), [("checks_requested", True), ("destroyed", False)])
def test_merge_groups(action: str, wanted: bool) -> None:
    group = events.MergeGroup(A, "refs/heads/gh-readonly-queue/main/pr-1", B, "refs/heads/main")
    run = run_of_merge_group(events.MergeGroupEvent(action, group, REPO), KEY, DELIVERY)
    assert (run is not None) is wanted
    if run is not None:
        assert (run.branch, run.target_ref, run.target_sha) == ("gh-readonly-queue/main/pr-1", "main", B)
