"""Which earlier head counts, whatever order the deliveries came in."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from forgeguard_app.flows.audits.choose_base import earlier_passed, newest_head
from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.run_order import BranchHead
from forgeguard_app.store.states import RunStatus, Trigger

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(sha: str, before: str | None) -> AuditRun:
    return AuditRun(
        id=UUID(int=1),
        repo_id=UUID(int=2),
        commit_sha=sha,
        commit_message=None,
        commit_author=None,
        branch="main",
        status=RunStatus.RUNNING,
        overall_result=None,
        started_at=NOW,
        completed_at=None,
        files_checked=0,
        created_at=NOW,
        before_sha=before,
        base_sha=None,
        deaths=0,
        interruptions=0,
        error_detail=None,
        published_at=None,
        publish_error=None,
        trigger=Trigger.PUSH,
        fetch_ref=None,
        target_ref=None,
        target_sha=None,
        fork=False,
        github_delivery_id=None,
    )


def head(sha: str, before: str | None, *, passed: bool = True) -> BranchHead:
    return BranchHead(sha, before, passed)


def test_the_newest_that_passed_comes_first_and_failed_ones_are_left_out() -> None:
    heads = [head("c", "b", passed=False), head("b", "a"), head("a", None)]
    assert earlier_passed(run("d", "c"), heads) == ["b", "a"]


def test_a_head_that_replaced_this_one_came_later_though_it_was_heard_of_first() -> None:
    heads = [head("c", "b"), head("a", None)]
    assert earlier_passed(run("b", "a"), heads) == ["a"]
    assert earlier_passed(run("b", "a"), [head("d", "c"), head("c", "b"), head("a", None)]) == ["a"]


def test_a_branch_that_was_reset_is_evaluated_against_what_it_was_reset_from() -> None:
    """a, b, c were pushed, then a again: c replaced b, and this push says that it replaced c."""
    heads = [head("c", "b"), head("b", "a"), head("a", None)]
    assert earlier_passed(run("a", "c"), heads) == ["c", "b", "a"]


def test_a_circle_of_resets_ends() -> None:
    heads = [head("a", "b"), head("b", "a"), head("x", None)]
    assert earlier_passed(run("c", "a"), heads) == ["a", "b", "x"]


def test_a_head_that_was_pushed_is_no_baseline_though_the_installation_found_it_first() -> None:
    found = BranchHead("a", None, passed=True, at_installation=True)
    pushed = head("a", None, passed=False)
    assert earlier_passed(run("b", "a"), [found]) == ["a"]
    assert earlier_passed(run("b", "a"), [pushed, found]) == []
    assert earlier_passed(run("b", "a"), [found, pushed]) == []
    back = [head("a", "w", passed=False), head("w", "a", passed=False), found]
    assert earlier_passed(run("b", "a"), back) == ["a"], "the branch was reset to what stood there, and back"


def test_a_baseline_whose_re_run_came_to_no_verdict_is_still_the_baseline() -> None:
    """Where every later head that passed is gone from GitHub, the baseline is the base, not the push's own before."""
    found = BranchHead("a", None, passed=True, at_installation=True)
    rerun = BranchHead("a", None, passed=False, is_rerun=True)
    assert earlier_passed(run("c", "b"), [head("b", "a"), rerun, found]) == ["b", "a"]
    pushed = head("a", "z", passed=False)
    assert earlier_passed(run("c", "a"), [rerun, pushed, found]) == []


def test_the_newest_head_is_the_one_that_replaced_the_others_whatever_was_heard_of_last() -> None:
    assert newest_head([]) is None
    assert newest_head([head("c", "b"), head("b", "a"), head("a", None)]) == "c"
    assert newest_head([head("b", "a"), head("c", "b"), head("a", None)]) == "c", "b came late"
    assert newest_head([head("a", None), head("d", "c"), head("c", "b"), head("b", "a")]) == "d", "a came late"
    assert newest_head([head("a", "c"), head("c", "b"), head("b", "a")]) == "a", "the branch was reset to a"
