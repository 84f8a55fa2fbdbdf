"""A webhook delivery arrives: what it means is made durable, with its work, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from forgeguard_app.flows.known_repos import know_installation, know_repo, know_repos
from forgeguard_app.flows.wanted_runs import run_again, run_of_merge_group, run_of_pull_request, run_of_push
from forgeguard_app.github import events
from forgeguard_app.github.events import MAX_NAME_CHARS, clean_text
from forgeguard_app.store.audits import NewRun, asked_again_lately, find_newest_run, insert_run
from forgeguard_app.store.deliveries import Delivery, insert_delivery, set_outcome
from forgeguard_app.store.installations import set_installation_status
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.pulls import Pull, upsert_pull
from forgeguard_app.store.queue import enqueue
from forgeguard_app.store.repos import set_removed, set_removed_with
from forgeguard_app.store.run_order import list_parked

# The most wanted first: a merge queue waits, then people, then everything else.
PRIORITIES = {"merge_group": 15, "rerun": 12, "pull_request": 8, "push": 0}
DEFAULT_BRANCH_PRIORITY = 10
STARTING_LINE_PRIORITY = -5
SAME_REQUEST_S = 5
_STATUSES = {"created": "active", "unsuspend": "active", "suspend": "suspended", "deleted": "deleted"}


@dataclass(frozen=True, slots=True)
class Received:
    """What came of it: `outcome` as in the deliveries table, or 'known' for one that was here before."""

    outcome: str
    run_id: UUID | None = None


IGNORED, APPLIED = Received("ignored"), Received("applied")


@dataclass(frozen=True, slots=True)
class _Intake:
    """One delivery being taken in, inside its transaction."""

    connection: Connection
    delivery_id: UUID
    github_delivery_id: str

    async def start(self, run: NewRun | None, default_branch: str | None, otherwise: Received) -> Received:
        """Makes the wanted run and its job durable."""
        if run is None:
            return otherwise
        run_id = await insert_run(self.connection, run)
        priority = PRIORITIES[run.trigger]
        if run.trigger == "push" and run.branch == (default_branch or "main"):
            priority = DEFAULT_BRANCH_PRIORITY
        arguments = {"run_id": str(run_id), "delivery_id": self.github_delivery_id}
        await enqueue(self.connection, "audit_commit", arguments, priority=priority)
        return Received("accepted", run_id)


async def receive_delivery(pool: Pool, delivery_id: str, name: str, event: events.Event | None) -> Received:
    """Takes one delivery in; one that was here before changes nothing."""
    async with pool.acquire() as connection, connection.transaction():
        described = _described(delivery_id, name, event)
        known = await insert_delivery(connection, described)
        if known is None:
            return Received("known")
        received = IGNORED if event is None else await _take(_Intake(connection, known, delivery_id), event)
        if received.outcome != described.outcome:
            await set_outcome(connection, known, received.outcome)
        return received


def _described(delivery_id: str, name: str, event: events.Event | None) -> Delivery:
    installation = getattr(event, "installation", None)
    repository = getattr(event, "repository", None)
    return Delivery(
        github_delivery_id=delivery_id,
        event=name,
        action=clean_text(getattr(event, "action", None), MAX_NAME_CHARS),
        github_installation_id=installation.id if installation else None,
        github_repo_id=repository.id if repository else None,
        outcome="accepted" if isinstance(event, events.Push) else "ignored" if event is None else "applied",
    )


async def _take(intake: _Intake, event: events.Event) -> Received:
    match event:
        case events.Push():
            repo_id = await know_repo(intake.connection, event.repository, event.installation)
            run = run_of_push(event, repo_id, intake.delivery_id)
            return await intake.start(run, event.repository.default_branch, IGNORED)
        case events.PullRequestEvent():
            return await _pull_request(intake, event)
        case events.MergeGroupEvent():
            repo_id = await know_repo(intake.connection, event.repository, event.installation)
            return await intake.start(run_of_merge_group(event, repo_id, intake.delivery_id), None, APPLIED)
        case events.CheckSuiteEvent() | events.CheckRunEvent():
            return await _again(intake, event)
        case events.InstallationEvent():
            return await _installation(intake, event)
        case events.InstallationRepositoriesEvent():
            installation_id = await know_installation(intake.connection, event.installation)
            added = await know_repos(intake.connection, event.repositories_added, installation_id)
            await _draw_starting_lines(intake, added)
            await set_removed(intake.connection, [repository.id for repository in event.repositories_removed])
            return APPLIED
        case events.RepositoryEvent():
            await know_repo(intake.connection, event.repository, event.installation)
            if event.action == "deleted":
                await set_removed(intake.connection, [event.repository.id])
            return APPLIED
        case _:
            assert_never(event)


async def _installation(intake: _Intake, event: events.InstallationEvent) -> Received:
    connection = intake.connection
    installation_id = await know_installation(connection, event.installation)
    if (status := _STATUSES.get(event.action)) is not None:
        await set_installation_status(connection, event.installation.id, status)
    if event.action == "deleted":
        await set_removed_with(connection, event.installation.id)
    else:
        added = await know_repos(connection, event.repositories or (), installation_id)
        if event.action == "created":
            await _draw_starting_lines(intake, added)
    if event.action == "unsuspend":
        # What was parked while it was suspended is judged now; a run that is judged already is left alone by its job.
        for run_id in await list_parked(connection, event.installation.id):
            await enqueue(connection, "audit_commit", {"run_id": str(run_id)})
    return APPLIED


async def _draw_starting_lines(intake: _Intake, repo_ids: list[UUID]) -> None:
    """The newest repositories first: theirs are the checks that somebody waits for."""
    for repo_id in reversed(repo_ids):
        arguments = {"repo_id": str(repo_id), "delivery_id": intake.github_delivery_id}
        await enqueue(intake.connection, "draw_starting_line", arguments, priority=STARTING_LINE_PRIORITY)


async def _pull_request(intake: _Intake, event: events.PullRequestEvent) -> Received:
    repo_id = await know_repo(intake.connection, event.repository, event.installation)
    pull = event.pull_request
    await upsert_pull(
        intake.connection,
        repo_id,
        Pull(
            number=pull.number,
            state="open" if pull.state == "open" else "closed",
            head_sha=pull.head.sha,
            head_ref=pull.head.ref,
            head_repo_github_id=pull.head.repo.id if pull.head.repo else None,
            base_ref=pull.base.ref,
        ),
    )
    return await intake.start(run_of_pull_request(event, repo_id, intake.delivery_id), None, APPLIED)


async def _again(intake: _Intake, event: events.CheckSuiteEvent | events.CheckRunEvent) -> Received:
    """Re-running one check or all of them is the same: three new check runs; a burst of requests is one."""
    if event.action != "rerequested":
        return IGNORED
    sha = event.check_suite.head_sha if isinstance(event, events.CheckSuiteEvent) else event.check_run.head_sha
    repo_id = await know_repo(intake.connection, event.repository, event.installation)
    former = await find_newest_run(intake.connection, repo_id, sha)
    if former is None or await asked_again_lately(intake.connection, repo_id, sha, SAME_REQUEST_S):
        return APPLIED
    return await intake.start(run_again(former, intake.delivery_id), None, APPLIED)
