"""Follows accounts, installations and repositories by numeric id, in whatever order deliveries arrive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never
from uuid import UUID

from forgeguard_app.flows.context.jobs import Job, Priority, Task, enqueue_job
from forgeguard_app.flows.context.repo_records import (
    ask_github_again,
    state_of,
    upsert_all_from_event,
    upsert_from_event,
    upsert_installation_from_event,
)
from forgeguard_app.github import events
from forgeguard_app.github.events import MAX_NAME_CHARS, clean_text
from forgeguard_app.store.changes import ACCESS, notify_change
from forgeguard_app.store.installations import set_account_name, set_installation_state
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.repos import set_private, set_removed, set_removed_with
from forgeguard_app.store.states import InstallationStatus
from forgeguard_app.store.users import drop_access, forget_access, forget_access_with

AT_ONCE = 200  # repositories whose rows one transaction locks
_CHANGES_WHO_SEES = ("privatized", "publicized", "transferred", "deleted", "renamed")
_STATUSES = {
    "created": InstallationStatus.ACTIVE,
    "unsuspend": InstallationStatus.ACTIVE,
    "suspend": InstallationStatus.SUSPENDED,
    "deleted": InstallationStatus.DELETED,
}
AccountEvent = (
    events.InstallationEvent
    | events.InstallationRepositoriesEvent
    | events.InstallationTargetEvent
    | events.RepositoryEvent
    | events.AuthorizationEvent
)


async def follow_account(connection: Connection, event: AccountEvent, github_delivery_id: str) -> None:
    """Take the event in, inside the caller's transaction; open streams ask at once who may still see what they
    show.
    """
    await _follow(connection, event, github_delivery_id)
    if _may_take_access(event):
        await notify_change(connection, ACCESS)


def _may_take_access(event: AccountEvent) -> bool:
    match event:
        case events.RepositoryEvent():
            return event.action in _CHANGES_WHO_SEES
        case events.InstallationEvent():
            return event.action in ("deleted", "suspend")
        case _:
            return not isinstance(event, events.InstallationTargetEvent)


async def _follow(connection: Connection, event: AccountEvent, github_delivery_id: str) -> None:
    match event:
        case events.InstallationEvent():
            await _installation(connection, event, github_delivery_id)
        case events.InstallationRepositoriesEvent():
            installation_id = await upsert_installation_from_event(connection, event.installation)
            added = await _store_installation(connection, event.repositories_added, installation_id)
            await audit_baselines(connection, added, github_delivery_id)
            removed = [repository.id for repository in event.repositories_removed]
            await set_removed(connection, removed)
            await forget_access(connection, removed)
            await ask_github_again(connection, removed)
        case events.InstallationTargetEvent():
            login = clean_text(event.account.login, MAX_NAME_CHARS) if event.account else None
            if login:
                await set_account_name(connection, event.installation.id, login)
        case events.RepositoryEvent():
            await _repository(connection, event)
        case events.AuthorizationEvent():
            if event.action == "revoked":
                await drop_access(connection, event.sender.id)
        case _:
            assert_never(event)


async def _repository(connection: Connection, event: events.RepositoryEvent) -> None:
    repo_id = await upsert_from_event(connection, event.repository, event.installation)
    if event.action == "privatized":
        await set_private(connection, repo_id)
    if event.action == "deleted":
        await set_removed(connection, [event.repository.id])
    if event.action in _CHANGES_WHO_SEES:
        await forget_access(connection, [event.repository.id])
    if event.action == "unarchived":
        await enqueue_job(connection, Job(Task.RESUME_REPO, repo_id))


async def _installation(connection: Connection, event: events.InstallationEvent, github_delivery_id: str) -> None:
    installation_id, number = (
        await upsert_installation_from_event(connection, event.installation),
        event.installation.id,
    )
    await set_installation_state(connection, number, state_of(event.installation, _STATUSES.get(event.action)))
    await forget_access_with(connection, number)
    if event.action == "deleted":
        await set_removed_with(connection, number)
        return
    added = await _store_installation(connection, event.repositories or (), installation_id)
    if event.action == "created":
        await audit_baselines(connection, added, github_delivery_id)
    if event.action in ("unsuspend", "new_permissions_accepted"):
        await enqueue_job(connection, Job(Task.RESUME_INSTALLATION, installation_id))


async def _store_installation(
    connection: Connection, repositories: Sequence[events.Repository], installation_id: UUID
) -> list[UUID]:
    """Store the newest repositories, and return our keys of them; a job stores the others in short transactions."""
    newest = sorted(repositories, key=lambda repository: repository.id)[-AT_ONCE:]
    if len(newest) < len(repositories):
        await enqueue_job(connection, Job(Task.SYNC_INSTALLATION, installation_id, Priority.QUESTION))
    return await upsert_all_from_event(connection, newest, installation_id)


async def audit_baselines(connection: Connection, repo_ids: list[UUID], github_delivery_id: str = "") -> None:
    """Enqueue the audits of the newest repositories first: somebody waits for their checks."""
    for repo_id in reversed(repo_ids):
        await enqueue_job(connection, Job(Task.AUDIT_BASELINE, repo_id, Priority.BASELINE, github_delivery_id))
