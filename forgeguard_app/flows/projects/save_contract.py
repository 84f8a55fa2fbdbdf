"""Contracts are written from the answers, or edited by somebody; nobody's edit is lost, and none is saved that is not
what its type says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from forgeguard_app.audit.model import Problem
from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.quotas import QUOTAS, Quotas
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.projects.manage_project import ADMINS_ALONE, ProjectGone, apply_action
from forgeguard_app.projects.answers import missing, read_state
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.contracts.render import Draft, write_drafts
from forgeguard_app.projects.lifecycle import Action, Status, next_status
from forgeguard_app.projects.questions import QUESTIONS
from forgeguard_app.projects.validation import problems_of
from forgeguard_app.store.contracts import Contract, find_contract, list_contracts, set_contract
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.projects import DELETED_DAYS, Project, find_project
from forgeguard_app.store.storage import ContractBytes, delete_versions_over, get_contract_bytes, hold_contracts
from forgeguard_app.threads import in_thread

ATTEMPTS = 3  # to write contracts from answers that change meanwhile


class IncompleteAnswers(UserError):
    """The answers do not make contracts yet."""


class StaleVersion(UserError):
    """Somebody else saved another version meanwhile."""

    def __init__(self, newest: Contract) -> None:
        who = newest.edited_by or "ForgeGuard"
        super().__init__(
            f"{who} saved version {newest.version} meanwhile. Nothing was overwritten: bring your change into "
            f"it and save again."
        )
        self.newest = newest


class InvalidContract(UserError):
    """The text is not what the contract's type says."""

    def __init__(self, problems: Collection[Problem]) -> None:
        messages = "; ".join(f"{problem.line}:{problem.column} {problem.message}" for problem in list(problems)[:5])
        super().__init__(f"It was not saved. {messages}")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited contract, and the version that the edit began from."""

    kind: ContractType
    content: str
    version: int
    problems: tuple[Problem, ...] | None = None  # of the text as it is kept; None where nobody looked yet

    @property
    def text(self) -> str:
        """The text as it is kept."""
        return self.content.replace("\r\n", "\n").encode("utf-8", "replace").decode().replace("\0", "")


Drafter = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[ContractType, Draft]]]


async def draft_in_thread(name: str, state: Mapping[str, Any]) -> Mapping[ContractType, Draft]:
    """Return the contracts that a project's answers make, worked out in a thread."""
    return await in_thread(write_drafts, name, state)


async def write_contracts(
    pool: Pool,
    project_id: UUID,
    wanted: Collection[ContractType] | None = None,
    *,
    may_decide: bool = True,
    decided_for: UUID | None = None,
    drafter: Drafter = draft_in_thread,
) -> list[ContractType]:
    """Write contracts from the answers, and return those that say something else now.

    `wanted` are the ones to be written; None for all that nobody edited by hand. `may_decide` tells admins of the
    repository `decided_for`, the project's one when they were told, of which the boundaries decide verdicts: where it
    is linked to another one meanwhile, it says nothing. The drafter works before anything is locked: answers that
    change meanwhile make it work again, ATTEMPTS times at most.

    Raises:
        IncompleteAnswers: a required question is not answered, or an answer makes a contract that would not hold.
        UserError: a build works by them, or the answers go on changing.
    """
    for _ in range(ATTEMPTS):
        project = await _answered_project(pool, project_id)
        drafts = await drafter(project.name, project.questionnaire_state)
        async with pool.acquire() as connection, connection.transaction():
            now = await apply_action(connection, project_id, Action.WRITE_CONTRACTS)
            if (now.name, now.questionnaire_state) == (project.name, project.questionnaire_state):
                may_decide = may_decide and now.repo_id == decided_for
                return await _keep_drafts(connection, project_id, drafts, wanted, may_decide=may_decide)
    raise UserError("The answers were changed while the contracts were written. Nothing was written: try again.")


async def _answered_project(pool: Pool, project_id: UUID) -> Project:
    """Return the project whose contracts can be written.

    Raises:
        IncompleteAnswers: a required question is not answered.
        UserError: its status does not allow it, or it was deleted.
    """
    async with pool.acquire() as connection:
        project = await find_project(connection, project_id)
    if project is None:
        raise ProjectGone("This project was deleted meanwhile.")
    next_status(Status(project.status), Action.WRITE_CONTRACTS)
    if unanswered := missing(read_state(project.questionnaire_state)):
        raise IncompleteAnswers(
            "Not answered yet: " + ", ".join(f"“{QUESTIONS[key].title}”" for key in unanswered) + "."
        )
    return project


async def _keep_drafts(
    connection: Connection,
    project_id: UUID,
    drafts: Mapping[ContractType, Draft],
    wanted: Collection[ContractType] | None,
    *,
    may_decide: bool,
) -> list[ContractType]:
    existing = {contract.contract_type: contract for contract in await list_contracts(connection, project_id)}
    written: list[ContractType] = []
    taken = await _hold_quota(connection, project_id)
    for kind, draft in drafts.items():
        now = existing.get(kind)
        chosen = kind in wanted if wanted is not None else now is None or now.edited_by is None
        if (now is not None and now.content == draft.text) or not (chosen or now is None):
            continue
        if draft.problems:
            messages = "; ".join(problem.message for problem in draft.problems[:3])
            raise IncompleteAnswers(
                f"From these answers the contract {kind} would not hold: {messages}. Change the answers."
            )
        if kind is ContractType.BOUNDARIES and not may_decide:
            raise UserError(ADMINS_ALONE)
        await set_contract(connection, project_id, kind, draft.text, None)
        written.append(kind)
    await _keep_quota(connection, project_id, taken)
    return written


async def save_contract(pool: Pool, person: Person, project_id: UUID, edit: Edit, *, may_decide: bool = True) -> int:
    """Save a new version and return its number; the same text again is no new one.

    Raises:
        StaleVersion: somebody saved another version meanwhile.
        InvalidContract: the text does not hold, at the named places.
        UserError: there is no such contract yet, a build works by it, or it decides verdicts and not `may_decide`.
    """
    content = edit.text
    async with pool.acquire() as connection, connection.transaction():
        await apply_action(connection, project_id, Action.EDIT_CONTRACT)
        now = await find_contract(connection, project_id, edit.kind)
        if now is None:
            raise UserError("This contract is not written yet: write the contracts from the answers first.")
        if now.content == content:
            return now.version
        if now.version != edit.version:
            raise StaleVersion(now)
        if edit.kind is ContractType.BOUNDARIES and not may_decide:
            raise UserError(ADMINS_ALONE)
        if problems := await in_thread(problems_of, edit.kind, content) if edit.problems is None else edit.problems:
            raise InvalidContract(problems)
        taken = await _hold_quota(connection, project_id)
        number = await set_contract(connection, project_id, edit.kind, content, person.login)
        await _keep_quota(connection, project_id, taken)
        return number


async def _hold_quota(connection: Connection, project_id: UUID) -> ContractBytes:
    """Hold the contracts of the creator's projects until the transaction ends, and return what they take."""
    await hold_contracts(connection, project_id)
    return await get_contract_bytes(connection, project_id)


async def _keep_quota(connection: Connection, project_id: UUID, before: ContractBytes, quotas: Quotas = QUOTAS) -> None:
    """Let the oldest former versions of the creator's projects go beyond the quota.

    `before` is what the present contracts took: what shortens them is saved, also beyond the quota.

    Raises:
        UserError: the present contracts, or those of others than the creator, take more than they may, and more than
            before.
    """
    taken = await get_contract_bytes(connection, project_id)
    if taken.all > max(quotas.contracts_of_person, before.all):
        raise UserError(
            "The contracts of all projects of this project's creator take more than "
            f"{quotas.contracts_of_person >> 20} MB, the most that a person may keep. "
            f"Shorten them, or delete a project, which counts for {DELETED_DAYS} more days."
        )
    if taken.of_others > max(quotas.contracts_of_others, before.of_others):
        raise UserError(
            "The contracts that others than this project's creator edited last take more than "
            f"{quotas.contracts_of_others >> 20} MB in all of the creator's projects. "
            "Shorten them, or ask the creator to save this one."
        )
    await delete_versions_over(connection, project_id, quotas.versions_of_person)
