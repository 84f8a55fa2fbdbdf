"""The state that is shown: every stored row has one, and none of them reads as a plain PASS that is none."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import pytest

from forgeguard_app.audit.counts import Evaluation, OverallOutcome, outcome_of
from forgeguard_app.store.shown_state import CheckFacts, PlaceFacts, QueueFacts, RunFacts
from forgeguard_app.store.states import RunStatus
from forgeguard_app.web.states import SHOWN, StateKind, check_state, filter_of, head_state, shown_state

HERE = PlaceFacts()
PENDING = RunFacts(RunStatus.PENDING)
DONE = RunFacts(RunStatus.COMPLETED)
ALL = tuple(Evaluation)


@pytest.mark.parametrize(
    ("run", "place", "kind", "reason"),
    [
        (None, HERE, StateKind.NEVER, "the next push will be"),
        (None, replace(HERE, is_empty=True), StateKind.EMPTY, "push a first one"),
        (None, replace(HERE, starts=True), StateKind.STARTING, "in a moment"),
        (None, replace(HERE, is_empty=True, starts=True), StateKind.STARTING, "in a moment"),
        (None, replace(HERE, starts=True, workers=0), StateKind.NO_WORKER, "forgeguard worker"),
        (None, replace(HERE, installation="suspended", is_empty=True), StateKind.SUSPENDED, "suspended"),
        (PENDING, HERE, StateKind.STARTING, "in a moment"),
        (PENDING, replace(HERE, workers=0), StateKind.NO_WORKER, "No worker"),
        (PENDING, replace(HERE, installation="suspended", workers=0), StateKind.SUSPENDED, "suspended"),
        (PENDING, replace(HERE, installation="deleted"), StateKind.UNINSTALLED, "not installed"),
        (PENDING, replace(HERE, limited_s=540.0), StateKind.LIMITED, "in 9 minutes"),
        (
            replace(PENDING, queue=QueueFacts(ahead=0)),
            replace(HERE, limited_s=540.0),
            StateKind.STARTING,
            "in a moment",
        ),
        (replace(PENDING, queue=QueueFacts(earlier=2)), HERE, StateKind.QUEUED, "2 earlier pushes"),
        (replace(PENDING, queue=QueueFacts(earlier=101)), HERE, StateKind.QUEUED, "More than 100 earlier pushes"),
        (replace(PENDING, queue=QueueFacts(ahead=900)), HERE, StateKind.QUEUED, "900 other jobs"),
        (replace(PENDING, queue=QueueFacts(ahead=1_001)), HERE, StateKind.QUEUED, "More than 1,000 other jobs"),
        (replace(PENDING, queue=QueueFacts(retry_s=30.0)), HERE, StateKind.RETRYING, "in 30 seconds"),
        (RunFacts(RunStatus.RUNNING), HERE, StateKind.RUNNING, "being audited"),
        (RunFacts(RunStatus.RUNNING), replace(HERE, workers=0), StateKind.NO_WORKER, "has ended"),
        (
            RunFacts(RunStatus.CANCELLED, error_detail="The merge group was dissolved."),
            HERE,
            StateKind.CANCELLED,
            "dissolved",
        ),
        (
            RunFacts(RunStatus.ERROR, OverallOutcome.ERROR, error_detail="The repository is gone."),
            HERE,
            StateKind.ERROR,
            "is gone",
        ),
        (replace(DONE, outcome=OverallOutcome.PASSED), HERE, StateKind.PASSED, ""),
        (replace(DONE, outcome=OverallOutcome.WARNED, verified=1), HERE, StateKind.LEAKED, ""),
        (replace(DONE, outcome=OverallOutcome.PASSED, verified=1), HERE, StateKind.LEAKED, ""),
        (replace(DONE, outcome=OverallOutcome.FAILED, verified=1), HERE, StateKind.FAILED, ""),
        (
            replace(DONE, outcome=OverallOutcome.PASSED, published=False),
            replace(HERE, writes_wait_s=60.0),
            StateKind.PASSED,
            "Not on GitHub yet: its rate limit",
        ),
        (
            replace(DONE, outcome=OverallOutcome.PASSED, published=False, publish_error="It is archived."),
            HERE,
            StateKind.PASSED,
            "Not on GitHub: It is archived.",
        ),
    ],
)
def test_a_state_says_what_it_is_and_why(run: RunFacts | None, place: PlaceFacts, kind: StateKind, reason: str) -> None:
    state = shown_state(run, place)
    assert state.kind is kind
    assert reason in state.reason
    assert escape(state.word)


def test_every_kind_has_its_own_word() -> None:
    assert set(SHOWN) == set(StateKind)
    assert len({shown.word for shown in SHOWN.values()}) == len(StateKind)


@pytest.mark.parametrize(
    ("result", "evaluation", "verified", "kind"),
    [
        ("PASS", Evaluation.EVALUATED, 0, StateKind.PASSED),
        ("PASS", Evaluation.EVALUATED, 1, StateKind.LEAKED),
        ("WARN", Evaluation.EVALUATED, 0, StateKind.WARNED),
        ("WARN", Evaluation.EVALUATED, 1, StateKind.LEAKED),
        ("FAIL", Evaluation.EVALUATED, 1, StateKind.FAILED),
        ("PASS", Evaluation.NOTHING, 0, StateKind.NOTHING),
        ("WARN", Evaluation.NOTHING, 0, StateKind.WARNED),
        ("PASS", Evaluation.DISABLED, 0, StateKind.DISABLED),
        ("ERROR", Evaluation.ERROR, 0, StateKind.ERROR),
    ],
)
def test_a_check_is_shown_as_what_it_did(result: str, evaluation: Evaluation, verified: int, kind: StateKind) -> None:
    assert check_state(CheckFacts("W1", result, evaluation, "Title", verified)).kind is kind


@pytest.mark.parametrize(
    ("results", "evaluations", "outcome"),
    [
        ("PPP", "eee", OverallOutcome.PASSED),
        ("PPP", "nee", OverallOutcome.PARTLY),
        ("PPP", "dee", OverallOutcome.PARTLY),
        ("PPP", "nnd", OverallOutcome.NOTHING),
        ("PPP", "ddd", OverallOutcome.DISABLED),
        ("PPW", "nne", OverallOutcome.WARNED),
        ("PFW", "eee", OverallOutcome.FAILED),
        ("PFE", "eex", OverallOutcome.ERROR),
        ("", "", OverallOutcome.NOTHING),
    ],
)
def test_an_audit_passes_plainly_only_where_every_check_evaluated_something(
    results: str, evaluations: str, outcome: OverallOutcome
) -> None:
    words = {"P": "PASS", "W": "WARN", "F": "FAIL", "E": "ERROR"}
    kinds = {"e": Evaluation.EVALUATED, "n": Evaluation.NOTHING, "d": Evaluation.DISABLED, "x": Evaluation.ERROR}
    checks = [(words[result], kinds[kind]) for result, kind in zip(results, evaluations, strict=True)]
    assert outcome_of(checks) is outcome


def test_the_reason_names_the_checks_that_decided() -> None:
    checks = (
        CheckFacts("A4", "FAIL", Evaluation.EVALUATED, "2 new boundary violations", 0),
        CheckFacts("A9", "PASS", Evaluation.NOTHING, "Nothing to check: no manifest", 0),
        CheckFacts("W1", "WARN", Evaluation.EVALUATED, "1 new possible secret", 0),
    )
    failed = shown_state(replace(DONE, outcome=OverallOutcome.FAILED, checks=checks), HERE)
    assert failed.reason == "A4: 2 new boundary violations."
    partly = shown_state(replace(DONE, outcome=OverallOutcome.PARTLY, checks=checks), HERE)
    assert partly.reason == "A9: Nothing to check: no manifest."
    assert failed.checks["A9"].kind is StateKind.NOTHING


def test_a_head_of_a_suspended_installation_says_that_later_pushes_are_not_audited() -> None:
    state = head_state(replace(DONE, outcome=OverallOutcome.PASSED), replace(HERE, installation="suspended"))
    assert (state.kind, state.reason) == (StateKind.PASSED, "Suspended: later pushes are not audited now.")


def test_every_final_state_can_be_filtered() -> None:
    for outcome in OverallOutcome:
        assert filter_of(outcome.value, None, None).outcomes == (outcome,)
    assert filter_of("leaked", None, None).leaked is True
    assert filter_of("waiting", None, None).statuses == ("pending", "running")
    assert filter_of("", "main", "mona").branch == "main"
