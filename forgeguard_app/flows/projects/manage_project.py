"""A project is made, renamed, linked to a repository, deleted; each move as its lifecycle allows."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.audit.plain_text import escaped
from forgeguard_app.errors import UserError
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.github.events import clean_text
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.lifecycle import Action, Status, next_status
from forgeguard_app.store.contracts import find_contract
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.projects import (
    DELETED_DAYS,
    Project,
    count_projects,
    find_project,
    insert_project,
    restore_deleted,
    set_project,
    set_project_deleted,
    set_project_repo,
    set_project_status,
)
from forgeguard_app.store.repos import Repo

MAX_NAME_CHARS = 100
MAX_DESCRIPTION_CHARS = 2_000
MAX_PROJECTS = 200
MAX_KEPT = 2 * MAX_PROJECTS  # with those that can be restored
ADMINS_ALONE = (
    "The boundaries of a project decide verdicts of its repository: only admins of the repository may "
    "change or link them."
)


class ProjectGone(UserError):
    """The project was deleted meanwhile."""


@dataclass(frozen=True, slots=True)
class Description:
    """A project's name and description."""

    name: str
    description: str | None


def described(name: str, description: str) -> Description:
    """Return the two as they are kept.

    Raises:
        UserError: there is no name, or one of them is too long.
    """
    name = clean_text(" ".join(name.split()), MAX_NAME_CHARS + 1) or ""
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        raise UserError(f"A project has a name of 1 to {MAX_NAME_CHARS} characters.", field="name")
    if len(description) > MAX_DESCRIPTION_CHARS:
        raise UserError(f"A description has at most {MAX_DESCRIPTION_CHARS:,} characters.", field="description")
    return Description(name, clean_text(description.strip(), MAX_DESCRIPTION_CHARS) or None)


async def create_project(pool: Pool, person: Person, wanted: Description, repo: Repo | None) -> UUID:
    """Return a draft.

    Raises:
        UserError: the person has too many.
    """
    async with pool.acquire() as connection, connection.transaction():
        made, kept = await count_projects(connection, person.user_id)
        if made >= MAX_PROJECTS:
            raise UserError(f"You have {MAX_PROJECTS} projects, which is the most; delete one first.")
        if kept >= MAX_KEPT:
            raise UserError(
                f"You deleted many projects lately, which are kept for {DELETED_DAYS} days: wait, or restore one."
            )
        return await insert_project(
            connection, person.user_id, wanted.name, wanted.description, repo.id if repo else None
        )


async def rename_project(pool: Pool, project_id: UUID, wanted: Description) -> None:
    """Change its name and description."""
    async with pool.acquire() as connection, connection.transaction():
        await apply_action(connection, project_id, Action.RENAME)
        await set_project(connection, project_id, wanted.name, wanted.description)


async def link_project(pool: Pool, project_id: UUID, repo: Repo | None, *, may_decide: bool = True) -> None:
    """Link the repository in which the project is built from here on; None for nowhere.

    Raises:
        UserError: its boundaries would decide verdicts of the repository, and the person is no admin of it.
    """
    async with pool.acquire() as connection, connection.transaction():
        await apply_action(connection, project_id, Action.LINK)
        if not may_decide and await find_contract(connection, project_id, ContractType.BOUNDARIES) is not None:
            raise UserError(ADMINS_ALONE, field="repository")
        await set_project_repo(connection, project_id, repo.id if repo else None)


async def remove_project(pool: Pool, project_id: UUID) -> None:
    """Delete the project with its contracts and builds; its maker can restore it for some days, its repository
    stays.
    """
    async with pool.acquire() as connection, connection.transaction():
        await apply_action(connection, project_id, Action.DELETE)
        await set_project_deleted(connection, project_id)


def confirm_deletion(project: Project, typed: str) -> None:
    """Check that the person typed the name of the project that they want to delete.

    Raises:
        UserError: it is another name.
    """
    if " ".join(typed.split()) not in (project.name, escaped(project.name)):  # a page shows it escaped
        raise UserError(f"To delete the project, type its name: {project.name}", field="confirmation")


async def restore_project(pool: Pool, person: Person, project_id: UUID) -> None:
    """Bring back a project that its maker deleted within the last days.

    Raises:
        ProjectGone: it is not kept any more, or it is not theirs.
        UserError: the person has too many.
    """
    async with pool.acquire() as connection, connection.transaction():
        if (await count_projects(connection, person.user_id))[0] >= MAX_PROJECTS:
            raise UserError(f"You have {MAX_PROJECTS} projects, which is the most; delete one first.")
        if not await restore_deleted(connection, person.user_id, project_id):
            raise ProjectGone("There is no such deleted project of yours, or it is not kept any more.")


async def apply_action(connection: Connection, project_id: UUID, action: Action) -> Project:
    """Apply the action and return the project as it was before, locked until the transaction ends.

    Raises:
        UserError: the move is refused, with the reason.
        ProjectGone: the project was deleted.
    """
    project = await find_project(connection, project_id, lock=True)
    if project is None:
        raise ProjectGone("This project was deleted meanwhile.")
    status = next_status(Status(project.status), action)
    if status != project.status:
        await set_project_status(connection, project_id, status)
    return project
