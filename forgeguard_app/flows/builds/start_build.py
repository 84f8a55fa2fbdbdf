"""Somebody starts a build: refused with reasons, or durable with its first job."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.jobs import Job, Priority, Task, enqueue_job
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.projects.manage_project import apply_action
from forgeguard_app.projects.build_plan import read_plan
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.lifecycle import Action
from forgeguard_app.projects.validation import problems_of
from forgeguard_app.store.build_shares import count_builds
from forgeguard_app.store.builds import AlreadyBuilding, NewBuild, insert_build, list_orphaned_builds
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.contracts import Contract, list_contracts
from forgeguard_app.store.installations import Installation, find_installation
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.repos import find_repo
from forgeguard_app.store.states import InstallationStatus
from forgeguard_app.threads import in_thread

AT_ONCE = 100
MAX_OF_PERSON = 3
MAX_OF_ACCOUNT = 6
MAX_AN_HOUR = 10
BUILDERS = {"contents": "write", "pull_requests": "write"}


class NotReady(UserError):
    """The build is refused; every reason is said."""


class TooManyBuilds(NotReady):
    """The person or the account has as many builds as one may have."""


async def start_build(pool: Pool, person: Person, project_id: UUID) -> UUID:
    """Insert a pending build of the project, by a person who may write to its repository.

    Raises:
        TooManyBuilds: the person or the account has as many builds as they may have.
        NotReady: contracts are missing or do not hold, or the App may not push there.
        UserError: a build is under way, or there are no contracts.
    """
    async with pool.acquire() as connection, connection.transaction():
        project = await apply_action(connection, project_id, Action.START_BUILD)
        contracts = await list_contracts(connection, project_id)
        reasons = await in_thread(_not_ready, contracts)
        repo = await find_repo(connection, project.repo_id) if project.repo_id else None
        if repo is None:
            reasons.append("Link the project to a repository first: a build pushes its branch there.")
        elif reason := await _no_push(connection, repo.installation_id):
            reasons.append(reason)
        if reasons or repo is None:
            raise NotReady(" ".join(reasons))
        await _refuse_too_many(connection, person, repo.installation_id)
        texts = {contract.contract_type: contract.content for contract in contracts}
        titles = [phase.title for phase in (await in_thread(read_plan, texts[ContractType.PHASES]))[0]]
        new = NewBuild(project_id, repo.id, person.user_id, person.login, "built-in", texts, titles)
        try:
            build_id = await insert_build(connection, new)
        except AlreadyBuilding:
            raise NotReady("A build of this project is under way already.") from None
        await enqueue_build(connection, build_id)
        await notify_change(connection, project_id)
    return build_id


async def _refuse_too_many(connection: Connection, person: Person, installation_id: UUID | None) -> None:
    """Keep builders, and the operator's key, from being one person's or one account's alone."""
    counts = await count_builds(connection, person.user_id, installation_id)
    if counts.of_person >= MAX_OF_PERSON:
        raise TooManyBuilds(
            f"You have {counts.of_person} builds under way, of at most {MAX_OF_PERSON}. Wait for one to end, "
            f"or cancel one."
        )
    if counts.of_account >= MAX_OF_ACCOUNT:
        raise TooManyBuilds(
            f"The repositories of this account have {counts.of_account} builds under way, of at most {MAX_OF_ACCOUNT}. "
            "Wait for one to end, or cancel one."
        )
    if counts.within_hour >= MAX_AN_HOUR:
        raise TooManyBuilds(
            f"You began {counts.within_hour} builds within an hour, which is the limit. Try again later."
        )


async def enqueue_build(connection: Connection, build_id: UUID) -> None:
    """Enqueue the job that works at the build's present phase."""
    await enqueue_job(connection, Job(Task.ADVANCE_BUILD, build_id, Priority.BUILD))


async def requeue_builds(pool: Pool) -> int:
    """Builds whose job was lost get another one; their number."""
    async with pool.acquire() as connection, connection.transaction():
        found = await list_orphaned_builds(connection, AT_ONCE)
        for build_id in found:
            await enqueue_build(connection, build_id)
    return len(found)


def _not_ready(contracts: list[Contract]) -> list[str]:
    contents = {contract.contract_type: contract.content for contract in contracts}
    absent = [kind.value for kind in ContractType if kind not in contents]
    reasons = [f"Contracts are not written yet: {', '.join(absent)}."] if absent else []
    for kind in ContractType:
        problems = problems_of(kind, contents[kind]) if kind in contents else ()
        if problems:
            first = problems[0]
            reasons.append(f"The contract {kind} does not hold at {first.line}:{first.column}: {first.message}.")
    return reasons


async def _no_push(connection: Connection, installation_id: UUID | None) -> str | None:
    installation = await find_installation(connection, installation_id)
    return not_granted(installation)


def not_granted(installation: Installation | None) -> str | None:
    """Why no branch can be pushed there; None where it can."""
    if installation is None or installation.status != InstallationStatus.ACTIVE:
        return "The App is not active on the project's repository."
    denied = [f"{name}: {level}" for name, level in BUILDERS.items() if installation.permissions.get(name) != level]
    return (
        f"The App was not granted {', '.join(denied)} there; manifests/builder.json asks for them." if denied else None
    )
