"""A webhook delivery arrives: what it means is made durable, with its work, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from forgeguard_app.audit.model import Result
from forgeguard_app.flows.context.repo_records import account_of, facts_of, upsert_from_event
from forgeguard_app.flows.intake import event_turns, push_batcher
from forgeguard_app.flows.intake.event_turns import EventTurns
from forgeguard_app.flows.intake.follow_account import follow_account
from forgeguard_app.flows.intake.follow_pull import follow_pull_event
from forgeguard_app.flows.intake.push_batcher import PushBatcher
from forgeguard_app.flows.intake.record_github_deed import record_account_event, record_rerun
from forgeguard_app.flows.intake.request_recording import request_recording
from forgeguard_app.flows.intake.rerun_audit import SAME_REQUEST_S, start_or_defer
from forgeguard_app.flows.intake.start_run import enqueue_publication, start_run
from forgeguard_app.flows.intake.wanted_runs import (
    run_of_merge_group,
    run_of_push,
    run_of_suite,
)
from forgeguard_app.github import events
from forgeguard_app.github.events import MAX_NAME_CHARS, clean_text
from forgeguard_app.store.audits import NewRun, asked_again_lately, find_newest_run, find_run
from forgeguard_app.store.commit_targets import AuditTarget, find_commit_targets
from forgeguard_app.store.deliveries import Delivery, NewPush, insert_delivery, set_outcome
from forgeguard_app.store.pool import Connection, Pool, short_transaction
from forgeguard_app.store.run_order import cancel_runs
from forgeguard_app.store.states import DeliveryOutcome

_FILLED_IN_BY_TAKE_PUSH = UUID(int=0)  # our keys of repository and delivery


@dataclass(frozen=True, slots=True)
class Received:
    """The outcome of a delivery: `outcome` as in the deliveries table, or 'known' for a duplicate."""

    outcome: str
    run_id: UUID | None = None


CONNECTIONS = 2 * push_batcher.SIDE_BY_SIDE + event_turns.AT_ONCE + event_turns.AT_ONCE_ASIDE
IGNORED, APPLIED = Received("ignored"), Received("applied")


class IntakeLines:
    """The lines in which the deliveries of one process wait, and the pool of at least `CONNECTIONS` that stores them.

    A request for a page takes none of these connections where the pool is intake's own.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.pushes = PushBatcher(pool)
        self.events = EventTurns()


@dataclass(frozen=True, slots=True)
class _Intake:
    """One delivery being taken in, inside its transaction."""

    connection: Connection
    delivery_id: UUID
    github_delivery_id: str

    async def start(self, run: NewRun | None, otherwise: Received) -> Received:
        """Make the wanted run and its job durable."""
        if run is None:
            return otherwise
        return Received("accepted", await start_run(self.connection, run, self.github_delivery_id))


async def receive_delivery(
    lines: IntakeLines, github_delivery_id: str, name: str, event: events.Event | None
) -> Received:
    """Take one delivery in; one that was here before changes nothing.

    Raises:
        RowLocked: another transaction of the account holds a row; GitHub gets 503, and its log is compared later.
    """
    described = _described(github_delivery_id, name, event)
    if (push := _push_of(event)) is not None:
        return Received(*await lines.pushes.submit(described, push))
    return await lines.events.store(
        described.github_installation_id, lambda: _store_event(lines.pool, described, event)
    )


async def _store_event(pool: Pool, described: Delivery, event: events.Event | None) -> Received:
    async with short_transaction(pool, push_batcher.LOCK_WAIT_MS) as connection:
        stored_id = await insert_delivery(connection, described)
        if stored_id is None:
            return Received("known")
        intake = _Intake(connection, stored_id, described.github_delivery_id)
        received = IGNORED if event is None else await _apply_event(intake, event)
        if received.outcome != described.outcome:
            await set_outcome(connection, stored_id, received.outcome)
        return received


def _described(github_delivery_id: str, name: str, event: events.Event | None) -> Delivery:
    installation = getattr(event, "installation", None)
    repository = getattr(event, "repository", None)
    return Delivery(
        github_delivery_id=github_delivery_id,
        event=name,
        action=clean_text(getattr(event, "action", None), MAX_NAME_CHARS),
        github_installation_id=installation.id if installation else None,
        github_repo_id=repository.id if repository else None,
        outcome=DeliveryOutcome.IGNORED if event is None else DeliveryOutcome.APPLIED,
    )


def _push_of(event: events.Event | None) -> NewPush | None:
    """Return the durable push of a push event, or of the suite that GitHub opened at one; None for every other
    event.
    """
    match event:
        case events.Push():
            run = run_of_push(event, _FILLED_IN_BY_TAKE_PUSH, _FILLED_IN_BY_TAKE_PUSH)
        case events.CheckSuiteEvent(action="requested"):
            run = run_of_suite(event, _FILLED_IN_BY_TAKE_PUSH, _FILLED_IN_BY_TAKE_PUSH)
        case _:
            return None
    suite = isinstance(event, events.CheckSuiteEvent)
    return NewPush(account_of(event.repository.owner), facts_of(event.repository), run, suite)


async def _apply_event(intake: _Intake, event: events.Event) -> Received:
    match event:
        case events.Push():
            raise LookupError("a push is made durable by itself")
        case events.PullRequestEvent():
            return await _apply_pull_request(intake, event)
        case events.MergeGroupEvent():
            return await _apply_merge_group(intake, event)
        case events.CheckSuiteEvent() | events.CheckRunEvent():
            return await _apply_rerun_request(intake, event)
        case (
            events.InstallationEvent()
            | events.InstallationRepositoriesEvent()
            | events.InstallationTargetEvent()
            | events.RepositoryEvent()
            | events.AuthorizationEvent()
        ):
            await follow_account(intake.connection, event, intake.github_delivery_id)
            await record_account_event(intake.connection, event)
            return APPLIED
        case _:
            assert_never(event)


async def _apply_pull_request(intake: _Intake, event: events.PullRequestEvent) -> Received:
    repo_id = await upsert_from_event(intake.connection, event.repository, event.installation)
    return await intake.start(await follow_pull_event(intake.connection, repo_id, event, intake.delivery_id), APPLIED)


async def _apply_merge_group(intake: _Intake, event: events.MergeGroupEvent) -> Received:
    repo_id = await upsert_from_event(intake.connection, event.repository, event.installation)
    if event.action == "destroyed":
        reason = "The merge queue dropped this group before it was evaluated."
        await cancel_runs(intake.connection, repo_id, event.merge_group.head_sha, reason)
        await enqueue_publication(intake.connection, repo_id, event.merge_group.head_sha)
        return APPLIED
    run = run_of_merge_group(event, repo_id, intake.delivery_id)
    if run is not None:
        targets = await find_commit_targets(intake.connection, repo_id, run.commit_sha)
        if targets.find(AuditTarget.of_group(run.branch)) is not None:
            return APPLIED  # found by the reconciler before its event came
    return await intake.start(run, APPLIED)


async def _apply_rerun_request(intake: _Intake, event: events.CheckSuiteEvent | events.CheckRunEvent) -> Received:
    """Re-running one check or all of them is the same: three new check runs; a burst of requests is one."""
    if isinstance(event, events.CheckRunEvent) and event.action == "requested_action":
        return await _apply_requested_action(intake, event)
    if event.action != "rerequested":
        return IGNORED
    sha = event.check_suite.head_sha if isinstance(event, events.CheckSuiteEvent) else event.check_run.head_sha
    repo_id = await upsert_from_event(intake.connection, event.repository, event.installation)
    former = await find_newest_run(intake.connection, repo_id, sha)
    if former is None or await asked_again_lately(intake.connection, repo_id, sha, SAME_REQUEST_S):
        return APPLIED
    asked_by = event.sender.id if event.sender else None
    delivery = (intake.delivery_id, intake.github_delivery_id)
    asked = await start_or_defer(intake.connection, former, asked_by, delivery)
    if asked.is_new:
        await record_rerun(intake.connection, event.sender, repo_id, sha)
    return APPLIED if asked.run_id is None else Received("accepted", asked.run_id)


async def _apply_requested_action(intake: _Intake, event: events.CheckRunEvent) -> Received:
    """Do what a button on one of our check runs asks for."""
    asked = event.requested_action.identifier if event.requested_action else ""
    if asked != "record_known":
        return IGNORED
    repo_id = await upsert_from_event(intake.connection, event.repository, event.installation)
    sha = event.check_run.head_sha
    # The check run shows the worst verdict over all targets, whichever run made it.
    present = (await find_commit_targets(intake.connection, repo_id, sha)).list_present()
    failed = next((run for run in present if run.overall_result == Result.FAIL and not run.target.fork), None)
    if failed is not None:
        former = await find_run(intake.connection, failed.id)
    else:
        former = await find_newest_run(intake.connection, repo_id, sha)
    if former is None:
        return IGNORED
    asked_by = event.sender.id if event.sender else None
    await request_recording(intake.connection, former, asked_by, intake.github_delivery_id)
    return APPLIED
