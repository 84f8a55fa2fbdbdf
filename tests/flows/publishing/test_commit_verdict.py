"""Which result of a check holds for a commit with several targets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from forgeguard_app.audit.counts import Evaluation
from forgeguard_app.flows.publishing.commit_verdict import TargetCheck, worst_of
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
