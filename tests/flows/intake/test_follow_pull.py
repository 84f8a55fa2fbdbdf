"""Which verdicts count for a commit, and when its verdict is published again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from forgeguard_app.flows.intake.follow_pull import TargetsChange, run_to_repeat
from forgeguard_app.store.commit_targets import MAX_TARGETS, AuditTarget, CommitTargets, TargetRun
from forgeguard_app.store.states import RunStatus

MAIN, LAX, FORK, ITSELF = AuditTarget("main"), AuditTarget("lax"), AuditTarget("main", fork=True), AuditTarget(None)
GROUP = AuditTarget.of_group("gh-readonly-queue/main/pr-1-abc")


def run(number: int, target: AuditTarget, result: str | None = "PASS", *, is_undecided: bool = False) -> TargetRun:
    made = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    status = RunStatus.COMPLETED if result else RunStatus.PENDING
    return TargetRun(target, UUID(int=number), status, result, made, is_published=True, is_undecided=is_undecided)


def targets(
    *runs: TargetRun, aimed: tuple[AuditTarget, ...] = (), by_branch: tuple[AuditTarget, ...] = ()
) -> CommitTargets:
    return CommitTargets(
        "main", sorted(runs, key=lambda run: run.created_at, reverse=True), frozenset(aimed), frozenset(by_branch)
    )


@pytest.mark.parametrize(
    ("runs", "aimed", "by_branch", "present"),
    [
        ((), (), (), []),
        ((MAIN,), (), (), [MAIN]),  # a push without a pull request aims at the default branch
        ((MAIN, LAX), (LAX,), (), [LAX]),  # its pull request aims elsewhere
        ((MAIN, LAX), (), (LAX,), [LAX]),  # so does the one whose event is on its way
        ((MAIN, LAX), (LAX, MAIN), (), [LAX, MAIN]),
        ((MAIN, LAX), (), (), [MAIN]),  # it was closed
        ((MAIN, FORK), (FORK,), (), [FORK, MAIN]),  # a stranger's changes nothing of ours
        ((FORK,), (), (), []),
        ((ITSELF, MAIN), (), (), [MAIN, ITSELF]),  # the default branch's head under another name
        ((ITSELF, LAX), (LAX,), (), [LAX, ITSELF]),
        ((GROUP, MAIN), (), (), [MAIN, GROUP]),
    ],
)
def test_what_counts(
    runs: tuple[AuditTarget, ...],
    aimed: tuple[AuditTarget, ...],
    by_branch: tuple[AuditTarget, ...],
    present: list[AuditTarget],
) -> None:
    found = targets(*(run(number, target) for number, target in enumerate(runs)), aimed=aimed, by_branch=by_branch)
    assert [item.target for item in found.list_present()] == present


def test_a_run_that_has_yet_to_choose_its_target_counts() -> None:
    found = targets(run(1, LAX), run(2, MAIN, None, is_undecided=True), aimed=(LAX,))
    assert found.is_waiting
    assert found.has_undecided


def test_what_is_missing_is_started_main_first_and_forks_last_as_far_as_the_bound_goes() -> None:
    aimed = (FORK, LAX, AuditTarget("a", fork=True), MAIN, AuditTarget("a"))
    assert targets(aimed=aimed).list_missing() == [MAIN, FORK, AuditTarget("a"), LAX, AuditTarget("a", fork=True)]
    many = tuple(AuditTarget(f"b{number:02}") for number in range(MAX_TARGETS + 5))
    known = targets(*(run(number, target) for number, target in enumerate(many[:3])), aimed=many)
    assert known.list_startable() == list(many[3:MAX_TARGETS])
    assert len(known.list_missing()) == MAX_TARGETS + 2


@pytest.mark.parametrize(
    ("runs", "before", "after", "repeated"),
    [
        ((run(1, MAIN), run(2, FORK, "FAIL")), (FORK,), (), 1),  # what failed is closed
        ((run(1, MAIN), run(2, FORK)), (FORK,), (), None),  # what passed is closed
        ((run(2, FORK, "FAIL"),), (FORK,), (), None),  # nothing else counts: it stays as it is
        ((run(1, MAIN, "FAIL"), run(2, LAX)), (LAX,), (), None),  # merged or closed: nothing gets worse by that
        ((run(1, MAIN), run(2, FORK, "FAIL")), (), (FORK,), 2),  # it came back
        ((run(1, MAIN, None), run(2, FORK, "FAIL")), (FORK,), (), None),  # said at the end of what is under way
    ],
)
def test_when_a_verdict_is_published_again(
    runs: tuple[TargetRun, ...], before: tuple[AuditTarget, ...], after: tuple[AuditTarget, ...], repeated: int | None
) -> None:
    found = run_to_repeat(TargetsChange(targets(*runs, aimed=before), targets(*runs, aimed=after)))
    assert (found.id.int if found else None) == repeated
