"""A webhook delivery arrives: what it means is made durable, with its work, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from forgeguard_app.github import events
from forgeguard_app.github.events import MAX_MESSAGE_CHARS, MAX_NAME_CHARS, ZERO, clean_text
from forgeguard_app.store.audits import NewRun, insert_run
from forgeguard_app.store.deliveries import Delivery, insert_delivery
from forgeguard_app.store.installations import set_installation_status, upsert_installation
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.pulls import Pull, upsert_pull
from forgeguard_app.store.queue import enqueue
from forgeguard_app.store.repos import RepoFacts, set_removed, set_removed_with, upsert_repo

MERGE_QUEUE_PREFIX = "gh-readonly-queue/"
DEFAULT_BRANCH_PRIORITY = 10
_STATUSES = {"created": "active", "unsuspend": "active", "suspend": "suspended", "deleted": "deleted"}


@dataclass(frozen=True, slots=True)
class Received:
    """What came of it: `outcome` as in the deliveries table, or 'known' for one that was here before."""

    outcome: str
    run_id: UUID | None = None


async def receive_delivery(pool: Pool, delivery_id: str, name: str, event: events.Event | None) -> Received:
    """Takes one delivery in; one that was here before changes nothing."""
    async with pool.acquire() as connection, connection.transaction():
        known = await insert_delivery(connection, _described(delivery_id, name, event))
        if known is None:
            return Received("known")
        match event:
            case None:
                return Received("ignored")
            case events.Push():
                return await _push(connection, known, delivery_id, event)
            case events.InstallationEvent():
                return await _installation(connection, event)
            case events.InstallationRepositoriesEvent():
                return await _repositories(connection, event)
            case events.PullRequestEvent():
                return await _pull_request(connection, event)
            case _:
                assert_never(event)


def audited_branch(event: events.Push) -> str | None:
    """The branch whose head is to be audited; None for tags, deleted branches and the merge queue's own."""
    branch = event.ref.removeprefix("refs/heads/")
    if branch == event.ref or event.deleted or ZERO.match(event.after) or branch.startswith(MERGE_QUEUE_PREFIX):
        return None
    return branch


def _described(delivery_id: str, name: str, event: events.Event | None) -> Delivery:
    installation = getattr(event, "installation", None)
    repository = getattr(event, "repository", None)
    outcome = "ignored" if event is None else "applied"
    if isinstance(event, events.Push):
        outcome = "accepted" if audited_branch(event) is not None else "ignored"
    return Delivery(
        github_delivery_id=delivery_id,
        event=name,
        action=clean_text(getattr(event, "action", None), MAX_NAME_CHARS),
        github_installation_id=installation.id if installation else None,
        github_repo_id=repository.id if repository else None,
        outcome=outcome,
    )


async def _push(connection: Connection, delivery: UUID, delivery_id: str, event: events.Push) -> Received:
    repo_id = await _repo(connection, event.repository, event.installation)
    branch = audited_branch(event)
    if branch is None:
        return Received("ignored")
    commit = event.head_commit
    author = (commit.author.username or commit.author.name) if commit and commit.author else None
    run_id = await insert_run(
        connection,
        NewRun(
            repo_id=repo_id,
            commit_sha=event.after,
            branch=branch,
            before_sha=None if ZERO.match(event.before) else event.before,
            commit_message=clean_text(commit.message if commit else None, MAX_MESSAGE_CHARS),
            commit_author=clean_text(author, MAX_NAME_CHARS),
            delivery_id=delivery,
        ),
    )
    default = branch == (event.repository.default_branch or "main")
    arguments = {"run_id": str(run_id), "delivery_id": delivery_id}
    await enqueue(connection, "audit_commit", arguments, priority=DEFAULT_BRANCH_PRIORITY if default else 0)
    return Received("accepted", run_id)


async def _repo(
    connection: Connection, repository: events.Repository, installation: events.InstallationRef | None
) -> UUID:
    """Deliveries arrive in any order: whatever is not known yet is made known."""
    installation_id: UUID | None = None
    if installation is not None:
        owner = repository.owner
        login = clean_text(owner.login, MAX_NAME_CHARS) if owner else ""
        installation_id = await upsert_installation(
            connection, installation.id, owner.id if owner else None, login or "", owner.type if owner else ""
        )
    return await upsert_repo(connection, _facts(repository), installation_id)


def _facts(repository: events.Repository) -> RepoFacts:
    return RepoFacts(
        repository.id,
        clean_text(repository.full_name, MAX_NAME_CHARS) or "",
        clean_text(repository.default_branch, MAX_NAME_CHARS),
        repository.private,
    )


async def _installation(connection: Connection, event: events.InstallationEvent) -> Received:
    installation_id = await _known_installation(connection, event.installation)
    if (status := _STATUSES.get(event.action)) is not None:
        await set_installation_status(connection, event.installation.id, status)
    if event.action == "deleted":
        await set_removed_with(connection, event.installation.id)
    else:
        await _add(connection, event.repositories or (), installation_id)
    return Received("applied")


async def _repositories(connection: Connection, event: events.InstallationRepositoriesEvent) -> Received:
    installation_id = await _known_installation(connection, event.installation)
    await _add(connection, event.repositories_added, installation_id)
    await set_removed(connection, [repository.id for repository in event.repositories_removed])
    return Received("applied")


async def _known_installation(connection: Connection, installation: events.Installation) -> UUID:
    account = installation.account
    login = clean_text(account.login, MAX_NAME_CHARS) if account else ""
    return await upsert_installation(
        connection, installation.id, account.id if account else None, login or "", account.type if account else ""
    )


async def _add(connection: Connection, repositories: Sequence[events.Repository], installation_id: UUID) -> None:
    for repository in sorted(repositories, key=lambda one: one.id):  # one order, so that two deliveries cannot deadlock
        await upsert_repo(connection, _facts(repository), installation_id)


async def _pull_request(connection: Connection, event: events.PullRequestEvent) -> Received:
    repo_id = await _repo(connection, event.repository, event.installation)
    pull = event.pull_request
    await upsert_pull(
        connection,
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
    return Received("applied")
