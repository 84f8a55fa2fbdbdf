"""A project's contracts become a pull request of its repository, under Forge/Contracts."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

from forgeguard_app.errors import UserError
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.proposals.open_pull_request import NewFile, WantedPullRequest
from forgeguard_app.flows.proposals.request_trial import enqueue_trial
from forgeguard_app.projects.contract_types import ContractType, path_of
from forgeguard_app.store.contracts import Contract, list_contracts
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.projects import Project
from forgeguard_app.store.states import TrialKind
from forgeguard_app.store.trials import NewTrial


async def request_export(pool: Pool, person: Person, project: Project) -> UUID:
    """Return a worker opens the pull request; the trial's page shows what came of it.

    Raises:
        UserError: there is nothing to export, or nowhere to.
    """
    if project.repo_id is None or project.repo_name is None:
        raise UserError("Link the project to a repository first: the contracts are proposed there.")
    async with pool.acquire() as connection, connection.transaction():
        if not await list_contracts(connection, project.id):
            raise UserError("There are no contracts yet: write them first.")
        return await enqueue_trial(
            connection, NewTrial(project.repo_id, person.user_id, TrialKind.CONTRACTS, project_id=project.id)
        )


def export_contracts(project: Project, contracts: list[Contract], sha: str, branch: str) -> WantedPullRequest:
    """Return the pull request of the contracts. The hash of their text names its branch, so it is proposed once."""
    files = [NewFile(path_of(ContractType(contract.contract_type)), contract.content) for contract in contracts]
    mark = sha256("\0".join(f"{file.path}\0{file.text}" for file in files).encode()).hexdigest()[:10]
    versions = "\n".join(
        f"- `{path_of(ContractType(contract.contract_type))}`, version {contract.version}" for contract in contracts
    )
    body = (
        f"The contracts of the project {project.name}, as they are kept in ForgeGuard:\n\n{versions}\n\nThere "
        f"they are edited; here they are read."
    )
    return WantedPullRequest(
        f"forgeguard/contracts-{mark}", sha, branch, f"The contracts of {project.name}"[:200], body, files
    )
