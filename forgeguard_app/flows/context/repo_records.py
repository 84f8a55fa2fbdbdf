"""Records of installations and repositories, made from deliveries that arrive in any order."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from forgeguard_app.flows.context.jobs import Job, Priority, Task, enqueue_job
from forgeguard_app.github import events
from forgeguard_app.github.events import MAX_NAME_CHARS, clean_text, moment
from forgeguard_app.store.deliveries import Account
from forgeguard_app.store.installations import InstallationState, upsert_installation
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.pulls import Pull
from forgeguard_app.store.repos import KnownRepo, RepoFacts, list_ids, upsert_repo
from forgeguard_app.store.states import InstallationStatus, PullState

MANY = 5  # a list of a hundred repositories costs as much as asking about one
MAX_PERMISSIONS, MAX_LEVEL_CHARS = 200, 20
MAX_ASKED = 100  # of one delivery; the hourly comparison corrects the others


async def upsert_from_event(
    connection: Connection, repository: events.Repository, installation: events.InstallationRef | None
) -> UUID:
    """Return our key of the repository; what the delivery says of it is stored as far as it is not older.

    Where the delivery claims more than is stored, GitHub is asked.
    """
    installation_id: UUID | None = None
    if installation is not None:
        installation_id = await _upsert(connection, installation.id, repository.owner)
    known = await upsert_repo(connection, facts_of(repository), installation_id)
    await _ask_about(connection, [known])
    return known.id


async def upsert_installation_from_event(connection: Connection, installation: events.Installation) -> UUID:
    """Our key of the installation, under its account's present name."""
    return await _upsert(connection, installation.id, installation.account)


async def upsert_all_from_event(
    connection: Connection, repositories: Sequence[events.Repository], installation_id: UUID
) -> list[UUID]:
    """Return our keys of all repositories of an installation, in one order, so that two deliveries cannot deadlock."""
    ordered = sorted(repositories, key=lambda repository: repository.id)
    known = [await upsert_repo(connection, facts_of(repository), installation_id) for repository in ordered]
    await _ask_about(connection, known, installation_id)
    return [repo.id for repo in known]


async def ask_github_again(connection: Connection, github_repo_ids: Sequence[int]) -> None:
    """Have GitHub asked about repositories that a delivery took away: it may be an old one."""
    for repo_id in await list_ids(connection, github_repo_ids[:MAX_ASKED]):
        await enqueue_job(connection, Job(Task.ASK_ABOUT_REPO, repo_id, Priority.QUESTION))


async def _ask_about(connection: Connection, known: Sequence[KnownRepo], installation_id: UUID | None = None) -> None:
    """Ask about each that is doubtful, or, where there are many, once for all of the installation's."""
    doubtful = [repo for repo in known if repo.doubtful]
    if installation_id is not None and len(doubtful) > MANY:
        await enqueue_job(connection, Job(Task.SYNC_INSTALLATION, installation_id, Priority.QUESTION))
        return
    for repo in doubtful:
        await enqueue_job(connection, Job(Task.ASK_ABOUT_REPO, repo.id, Priority.QUESTION))


async def _upsert(connection: Connection, number: int, account: events.Account | None) -> UUID:
    whose = account_of(account)
    return await upsert_installation(connection, number, whose.github_id, whose.login, whose.kind)


def account_of(account: events.Account | None) -> Account:
    """Whose installation it is, as far as the delivery says."""
    if account is None:
        return Account()
    return Account(
        account.id, clean_text(account.login, MAX_NAME_CHARS) or "", clean_text(account.type, MAX_NAME_CHARS) or ""
    )


def facts_of(repository: events.Repository) -> RepoFacts:
    """Return the facts of a repository that a delivery gives, fit to be stored."""
    return RepoFacts(
        repository.id,
        clean_text(repository.full_name, MAX_NAME_CHARS) or "",
        clean_text(repository.default_branch, MAX_NAME_CHARS),
        repository.private,
        moment(repository.updated_at),
    )


def stored_pull(pull: events.PullRequest) -> Pull:
    """Return the pull request as it is kept."""
    return Pull(
        number=pull.number,
        state=PullState.OPEN if pull.state == "open" else PullState.CLOSED,
        head_sha=pull.head.sha,
        head_ref=pull.head.ref,
        head_repo_github_id=pull.head.repo.id if pull.head.repo else None,
        base_ref=pull.base.ref,
        github_updated_at=moment(pull.updated_at),
    )


def state_of(installation: events.Installation, status: InstallationStatus | None) -> InstallationState:
    """Return what GitHub says of the installation, fit to be stored."""
    granted = {
        clean_text(name, MAX_NAME_CHARS) or "": clean_text(level, MAX_LEVEL_CHARS) or ""
        for name, level in list(installation.permissions.items())[:MAX_PERMISSIONS]
    }
    return InstallationState(status, granted, moment(installation.updated_at))
