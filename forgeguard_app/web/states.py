"""The state that is shown of an audit, a check or a repository: one decision for pages, the API and badges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from forgeguard_app.audit.counts import Evaluation, OverallOutcome
from forgeguard_app.audit.model import Result
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.shown_state import (
    MAX_AHEAD,
    MAX_EARLIER,
    CheckFacts,
    PlaceFacts,
    RunFacts,
    list_places,
    list_states,
)
from forgeguard_app.store.states import RunStatus
from forgeguard_app.store.timeline import Filter

LONG_TITLE = 200


class StateKind(StrEnum):
    """Every state; docs/maintainers.md explains each to users."""

    PASSED = "passed"
    PARTLY = "partly"
    WARNED = "warned"
    LEAKED = "leaked"
    FAILED = "failed"
    ERROR = "error"
    NOTHING = "nothing"
    DISABLED = "disabled"
    RUNNING = "running"
    STARTING = "starting"
    QUEUED = "queued"
    RETRYING = "retrying"
    LIMITED = "limited"
    SUSPENDED = "suspended"
    NO_WORKER = "no_worker"
    UNINSTALLED = "uninstalled"
    CANCELLED = "cancelled"
    EMPTY = "empty"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class StateLook:
    """The word and the colour of a kind of state; `look` names the colour, the icon is the kind's own."""

    word: str
    look: str


SHOWN: dict[StateKind, StateLook] = {
    StateKind.PASSED: StateLook("PASS", "pass"),
    StateKind.PARTLY: StateLook("PASS in part", "partly"),
    StateKind.WARNED: StateLook("WARN", "warn"),
    StateKind.LEAKED: StateLook("LEAKED SECRET", "leak"),
    StateKind.FAILED: StateLook("FAIL", "fail"),
    StateKind.ERROR: StateLook("ERROR", "error"),
    StateKind.NOTHING: StateLook("Nothing to check", "idle"),
    StateKind.DISABLED: StateLook("Disabled", "idle"),
    StateKind.RUNNING: StateLook("Running", "active"),
    StateKind.STARTING: StateLook("Waiting", "waiting"),
    StateKind.QUEUED: StateLook("Queued", "waiting"),
    StateKind.RETRYING: StateLook("Trying again", "waiting"),
    StateKind.LIMITED: StateLook("Rate limit", "held"),
    StateKind.SUSPENDED: StateLook("Suspended", "held"),
    StateKind.NO_WORKER: StateLook("No worker", "held"),
    StateKind.UNINSTALLED: StateLook("Uninstalled", "idle"),
    StateKind.CANCELLED: StateLook("Cancelled", "idle"),
    StateKind.EMPTY: StateLook("Empty", "idle"),
    StateKind.NEVER: StateLook("Not audited", "idle"),
}
WAITING = frozenset(
    {
        StateKind.STARTING,
        StateKind.QUEUED,
        StateKind.RETRYING,
        StateKind.LIMITED,
        StateKind.SUSPENDED,
        StateKind.NO_WORKER,
        StateKind.UNINSTALLED,
    }
)


@dataclass(frozen=True, slots=True)
class ShownState:
    """A state as it is shown.

    `reason` says in words why, '' where the word says all. `verified` counts verified secrets that nobody allowed.
    `checks` are the states of an audit's checks, by code.
    """

    kind: StateKind
    reason: str = ""
    verified: int = 0
    checks: Mapping[str, ShownState] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """The word for people."""
        return SHOWN[self.kind].word

    @property
    def look(self) -> str:
        """The name of its colours."""
        return SHOWN[self.kind].look

    @property
    def waits(self) -> bool:
        """Return whether a verdict is still to come."""
        return self.kind in WAITING or self.kind is StateKind.RUNNING


def shown_state(run: RunFacts | None, place: PlaceFacts) -> ShownState:
    """Return the state of an audit, or of a repository or branch that has none."""
    if run is None:
        return _without_run(place)
    match run.status:
        case RunStatus.PENDING:
            return _waiting(run, place)
        case RunStatus.RUNNING:
            if place.workers == 0:
                return ShownState(
                    StateKind.NO_WORKER, "The worker that audited this has ended; another one resumes the audit."
                )
            return ShownState(StateKind.RUNNING, "The commit is being audited.")
        case RunStatus.CANCELLED:
            return ShownState(StateKind.CANCELLED, run.error_detail or "Its verdict is not wanted any more.")
        case RunStatus.COMPLETED | RunStatus.ERROR:
            return _evaluated(run, place)
        case _:
            assert_never(run.status)


def check_state(check: CheckFacts) -> ShownState:
    """Return the state of one check of an audit."""
    match check.evaluation:
        case Evaluation.ERROR:
            kind = StateKind.ERROR
        case Evaluation.DISABLED:
            kind = StateKind.DISABLED
        case Evaluation.NOTHING:
            kind = StateKind.WARNED if check.result == Result.WARN else StateKind.NOTHING
        case Evaluation.EVALUATED:
            kind = {"PASS": StateKind.PASSED, "WARN": StateKind.WARNED}.get(check.result, StateKind.FAILED)
            if check.verified and kind is not StateKind.FAILED:
                kind = StateKind.LEAKED
        case _:
            assert_never(check.evaluation)
    return ShownState(kind, check.title, check.verified)


def _without_run(place: PlaceFacts) -> ShownState:
    held = _held(place)
    if held is not None:
        return held
    if place.is_empty and not place.starts:
        return ShownState(StateKind.EMPTY, "The repository has no commit yet: push a first one.")
    if not place.starts:
        return ShownState(StateKind.NEVER, "No commit of the default branch was audited yet: the next push will be.")
    if place.workers == 0:
        return ShownState(StateKind.NO_WORKER, NO_WORKER)
    return ShownState(StateKind.STARTING, "The first audit starts in a moment.")


NO_WORKER = "No worker is running: the operator starts one with “forgeguard worker”."


def _held(place: PlaceFacts) -> ShownState | None:
    """Return the state of everything that belongs to an installation which is not active."""
    if place.installation == "suspended":
        return ShownState(
            StateKind.SUSPENDED, "The installation is suspended on GitHub; this goes on once it is active again."
        )
    if place.installation != "active":
        return ShownState(StateKind.UNINSTALLED, "The App is not installed here any more.")
    return None


def _waiting(run: RunFacts, place: PlaceFacts) -> ShownState:
    held = _held(place)
    if held is not None:
        return held
    if place.workers == 0:
        return ShownState(StateKind.NO_WORKER, NO_WORKER)
    queue = run.queue
    if place.limited_s >= 1 and queue.ahead is None:
        return ShownState(
            StateKind.LIMITED, f"GitHub's rate limit is reached; this goes on in {_span(place.limited_s)}."
        )
    if queue.earlier:
        pushes = _number(min(queue.earlier, MAX_EARLIER), "earlier push", "earlier pushes")
        more = "More than " if queue.earlier > MAX_EARLIER else ""
        return ShownState(StateKind.QUEUED, f"{more}{pushes} of the branch first.")
    if queue.retry_s is not None and queue.retry_s >= 1:
        return ShownState(
            StateKind.RETRYING, f"A transient fault stopped it; it is tried again in {_span(queue.retry_s)}."
        )
    if queue.ahead is not None and queue.ahead > MAX_AHEAD:
        return ShownState(StateKind.QUEUED, f"More than {MAX_AHEAD:,} other jobs are waiting, too.")
    if queue.ahead:
        return ShownState(StateKind.QUEUED, f"{_number(queue.ahead, 'other job', 'other jobs')} first.")
    return ShownState(StateKind.STARTING, "It starts in a moment.")


_KINDS: dict[OverallOutcome, StateKind] = {outcome: StateKind(outcome.value) for outcome in OverallOutcome}


def _evaluated(run: RunFacts, place: PlaceFacts) -> ShownState:
    if run.outcome is None:  # stored by a version that knew no outcome, and without checks
        return ShownState(StateKind.NEVER, run.error_detail or "This audit has no verdict.")
    kind = _KINDS[run.outcome]
    if run.verified and kind not in (StateKind.FAILED, StateKind.ERROR):
        kind = StateKind.LEAKED
    reasons = [run.error_detail] if run.error_detail else _reasons(kind, run.checks)
    checks = {check.code: check_state(check) for check in run.checks}
    return ShownState(kind, " ".join([*reasons, *_unpublished(run, place)]), run.verified, checks)


def _reasons(kind: StateKind, checks: tuple[CheckFacts, ...]) -> list[str]:
    """Name the checks that made the outcome what it is."""
    results = {StateKind.WARNED: "WARN", StateKind.FAILED: "FAIL", StateKind.ERROR: "ERROR"}

    def matters(check: CheckFacts) -> bool:
        if kind in results:
            return check.result == results[kind]
        return check.verified > 0 if kind is StateKind.LEAKED else check.evaluation is not Evaluation.EVALUATED

    return [f"{check.code}: {check.title[:LONG_TITLE].rstrip('.')}." for check in checks if matters(check)]


def _unpublished(run: RunFacts, place: PlaceFacts) -> list[str]:
    """Say why GitHub does not show the verdict yet."""
    if run.published:
        return []
    if run.publish_error:
        return [f"Not on GitHub: {run.publish_error}"]
    held = _held(place)
    if held is not None:
        return [f"Not on GitHub yet. {held.reason}"]
    wait_s = max(place.limited_s, place.writes_wait_s)
    if wait_s >= 1:
        return [f"Not on GitHub yet: its rate limit is reached, the verdict follows in {_span(wait_s)}."]
    return [f"Not on GitHub yet. {NO_WORKER}"] if place.workers == 0 else []


def _number(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"


def _span(seconds: float) -> str:
    if seconds < 100:
        return _number(round(seconds), "second", "seconds")
    if seconds < 6_000:
        return _number(round(seconds / 60), "minute", "minutes")
    return _number(round(seconds / 3_600), "hour", "hours")


async def states_of(connection: Connection, run_ids: list[UUID]) -> dict[UUID, ShownState]:
    """Return the states of these audits."""
    return {run_id: shown_state(*facts) for run_id, facts in (await list_states(connection, run_ids)).items()}


async def head_states(connection: Connection, runs: Mapping[UUID, UUID | None]) -> dict[UUID, ShownState]:
    """Return the states of repositories by their id; `runs` are the audits of their default branches' heads."""
    stored = await list_states(connection, [run_id for run_id in runs.values() if run_id is not None])
    missing = [repo_id for repo_id, run_id in runs.items() if run_id is None]
    places = await list_places(connection, missing) if missing else {}
    without = {repo_id: shown_state(None, place) for repo_id, place in places.items()}
    return without | {repo_id: head_state(*stored[run_id]) for repo_id, run_id in runs.items() if run_id in stored}


def head_state(run: RunFacts, place: PlaceFacts) -> ShownState:
    """Return the state of a branch's head, and say where no later push is audited."""
    state, held = shown_state(run, place), _held(place)
    if held is None or state.waits or not run.published:
        return state
    return replace(state, reason=f"{state.reason} {held.word}: later pushes are not audited now.".strip())


def filter_of(state: str, branch: str | None, author: str | None, result: str | None = None) -> Filter:
    """Return the filter for audits that are shown in the state; '' for all.

    The reasons for which audits wait change by the minute, so that they are one choice, "waiting".
    """
    plain = Filter(branch, result, author)
    match state:
        case "waiting":
            return replace(plain, statuses=(RunStatus.PENDING, RunStatus.RUNNING))
        case "cancelled":
            return replace(plain, statuses=(RunStatus.CANCELLED,))
        case StateKind.LEAKED:
            return replace(plain, leaked=True)
        case StateKind.FAILED | StateKind.ERROR:
            return replace(plain, outcomes=(OverallOutcome(state),))
        case _ if state in tuple(OverallOutcome):
            return replace(plain, outcomes=(OverallOutcome(state),), leaked=False)
        case _:
            return plain
