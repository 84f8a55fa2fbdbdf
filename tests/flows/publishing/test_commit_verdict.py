"""Which result of a check holds for a commit with several targets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from forgeguard_app.audit.counts import Evaluation
from forgeguard_app.flows.publishing.commit_verdict import (
    CommitVerdict,
    CompleteOnly,
    Decision,
    Publish,
    TargetCheck,
    Wait,
    decide,
    worst_of,
)
from forgeguard_app.store.audit_findings import StoredCheck
from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.commit_targets import AuditTarget
from forgeguard_app.store.states import RunStatus, Trigger

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = AuditRun(
    id=UUID(int=1),
    repo_id=UUID(int=2),
    commit_sha="a" * 40,
    commit_message=None,
    commit_author=None,
    branch="topic",
    status=RunStatus.COMPLETED,
    overall_result="PASS",
    started_at=NOW,
    completed_at=NOW,
    files_checked=0,
    created_at=NOW,
    before_sha=None,
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


def check(number: int, conclusion: str) -> TargetCheck:
    stored = StoredCheck("A4", "Boundary compliance", "PASS", conclusion, "", "", "", Evaluation.EVALUATED)
    run = replace(RUN, id=UUID(int=number), created_at=NOW + timedelta(seconds=number))
    return TargetCheck(AuditTarget(f"branch{number}"), run, stored)


@pytest.mark.parametrize(
    ("conclusions", "holds"),
    [
        (("success",), 0),
        (("success", "failure", "neutral"), 1),
        (("neutral", "success"), 0),
        (("skipped", "success"), 1),  # a check that is disabled for one target hides no other
        (("action_required", "failure"), 1),
        (("action_required", "success"), 0),
        (("success", "cancelled"), 1),
        (("failure", "failure"), 1),  # the newest of equals
    ],
)
def test_the_worst_conclusion_holds(conclusions: tuple[str, ...], holds: int) -> None:
    checks = [check(number, conclusion) for number, conclusion in enumerate(conclusions)]
    assert worst_of(checks) is checks[holds]
    assert worst_of(checks[::-1]) is checks[holds]


A4, OLDER = check(1, "failure"), (UUID(int=9),)


@pytest.mark.parametrize(
    ("verdict", "begun", "decision"),
    [
        # The newest run publishes what counts, once everything that counts is evaluated.
        (CommitVerdict([A4], older=OLDER), (), Publish([A4], OLDER)),
        (CommitVerdict([A4], older=OLDER), ("A4",), Publish([A4], OLDER)),
        (CommitVerdict([], is_waiting=True), (), Wait()),
        (CommitVerdict([], is_waiting=True), ("A4",), Wait()),
        # An older one that began nothing leaves its verdict to the newest, or counts no more.
        (CommitVerdict([A4], is_newest=False), (), Wait()),
        (CommitVerdict([A4], is_newest=False, is_counted=False), (), CompleteOnly([])),
        (CommitVerdict([], is_newest=False, is_waiting=True, is_counted=False), (), CompleteOnly([])),
        # What it began is brought to an end with the worst result, once that is known.
        (CommitVerdict([A4], is_newest=False), ("A4",), CompleteOnly([A4])),
        (CommitVerdict([A4], is_newest=False, is_counted=False), ("W1",), CompleteOnly([])),
        (CommitVerdict([], is_newest=False, is_waiting=True, is_counted=False), ("A4",), Wait()),
    ],
)
def test_a_run_writes_what_no_newer_one_will_write(
    verdict: CommitVerdict, begun: tuple[str, ...], decision: Decision
) -> None:
    assert decide(verdict, begun) == decision
