"""Operations on projects, their questionnaire and their contracts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from aiohttp import web

from forgeguard_app.flows.people.repo_access import AccessLevel, refresh_access
from forgeguard_app.flows.projects.answer_questionnaire import answer_questionnaire, seen_code
from forgeguard_app.flows.projects.manage_project import (
    create_project,
    described,
    link_project,
    remove_project,
    rename_project,
)
from forgeguard_app.flows.projects.save_contract import (
    Edit,
    InvalidContract,
    StaleVersion,
    save_contract,
    write_contracts,
)
from forgeguard_app.projects.answers import Answers, missing, progress, read_state
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.contracts.words import package_of
from forgeguard_app.projects.marks import Writer
from forgeguard_app.projects.proposals import propose
from forgeguard_app.projects.questions import SECTIONS, Question
from forgeguard_app.store.contracts import Contract, find_contract, list_contracts
from forgeguard_app.store.projects import ListedProject, find_project, list_projects
from forgeguard_app.store.repos import Repo
from forgeguard_app.web.access import Own, SeenProject, administers, id_of, open_project, open_repo
from forgeguard_app.web.api import models
from forgeguard_app.web.api import project_models as shapes
from forgeguard_app.web.api.operations import ApiRequest, EditConflict, InvalidRequest
from forgeguard_app.web.aside import checked, drafter
from forgeguard_app.web.cursors import cursor_of, read_cursor
from forgeguard_app.web.keys import CONTEXT


async def show_projects(ask: ApiRequest) -> shapes.Projects:
    """Return those that you made, and those of repositories into which GitHub lets you; the newest first."""
    context, query = ask.request.app[CONTEXT], ask.query
    await refresh_access(context, ask.user.user_id)
    async with context.pool.acquire() as connection:
        found = await list_projects(connection, ask.user.user_id, read_cursor(query.cursor), query.limit + 1)
    items = [project_of(project) for project in found[: query.limit]]
    return shapes.Projects(
        items=items, next=cursor_of(items[-1].created_at, items[-1].id) if len(found) > query.limit else None
    )


async def add_project(ask: ApiRequest) -> shapes.Project:
    """Return a draft; its questionnaire comes next."""
    wanted: shapes.NewProject = ask.body
    repo = await _repo(ask, wanted.repo_id)
    context = ask.request.app[CONTEXT]
    project_id = await create_project(context.pool, ask.user, described(wanted.name, wanted.description or ""), repo)
    return await _shown(ask, project_id)


async def show_project(ask: ApiRequest) -> shapes.Project:
    """Return one project."""
    return project_of((await _open(ask)).project)


async def change_project(ask: ApiRequest) -> shapes.Project:
    """Rename it, describe it, link it to another repository, which its maker alone does; refused while a build works
    by it.
    """
    wanted, pool = ask.body, ask.request.app[CONTEXT].pool
    renames, links = bool({"name", "description"} & wanted.model_fields_set), "repo_id" in wanted.model_fields_set
    project = (await _open(ask, AccessLevel.WRITE if renames else AccessLevel.READ)).project
    if links:  # before anything is written
        await _open(ask, AccessLevel.ADMIN, own=Own.ENOUGH if wanted.repo_id is None else Own.ALONE)
    if wanted.name is not None or "description" in wanted.model_fields_set:
        description = wanted.description if "description" in wanted.model_fields_set else project.description
        await rename_project(pool, project.id, described(wanted.name or project.name, description or ""))
    if links:
        repo = await _repo(ask, wanted.repo_id)
        await link_project(pool, project.id, repo, may_decide=await administers(ask.request, repo))
    return await _shown(ask, project.id)


async def delete_project(ask: ApiRequest) -> None:
    """Delete the project with its contracts and builds; for its maker alone."""
    view = await _open(ask, AccessLevel.ADMIN, own=Own.ALONE)
    await remove_project(ask.request.app[CONTEXT].pool, view.project.id)


async def show_questionnaire(ask: ApiRequest) -> shapes.Questionnaire:
    """Return every question with its answer, or a proposal."""
    view = await _open(ask)
    return await _questionnaire(ask, view, read_state(view.project.questionnaire_state))


async def answer(ask: ApiRequest) -> shapes.Questionnaire:
    """Keep the answers that are in their questions' form; `problems` name the others."""
    view = await _open(ask, AccessLevel.WRITE)
    writer = Writer(ask.user.login)
    done = await answer_questionnaire(ask.request.app[CONTEXT].pool, view.project.id, ask.body.answers, writer=writer)
    problems = [
        models.PlaceError(place=key[:300], message=message)
        for key, messages in done.problems.items()
        for message in messages
    ]
    return await _questionnaire(
        ask, view, done.answers, problems=problems, changes=[kind.value for kind in done.changes]
    )


async def show_contracts(ask: ApiRequest) -> shapes.Contracts:
    """Return the contracts that are written."""
    view = await _open(ask)
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        found = await list_contracts(connection, view.project.id)
    order = list(ContractType)
    found.sort(key=lambda contract: order.index(ContractType(contract.contract_type)))
    return shapes.Contracts(items=[shapes.ContractBrief.model_validate(_brief(contract)) for contract in found])


async def write(ask: ApiRequest) -> shapes.Written:
    """Write contracts from the answers."""
    view = await _open(ask, AccessLevel.WRITE)
    wanted = None if ask.body.types is None else [ContractType(name) for name in ask.body.types]
    written = await write_contracts(
        ask.request.app[CONTEXT].pool,
        view.project.id,
        wanted,
        may_decide=view.may_decide,
        decided_for=view.project.repo_id,
        drafter=drafter(ask.request),
    )
    return shapes.Written.model_validate({"written": [kind.value for kind in written]})


async def show_contract(ask: ApiRequest) -> shapes.Contract:
    """Return one contract with its text."""
    return await _contract(ask, (await _open(ask)).project.id)


async def edit_contract(ask: ApiRequest) -> shapes.Contract:
    """Save a new version, unless somebody saved another one meanwhile, or the text is not what its type says."""
    view, kind = await _open(ask, AccessLevel.WRITE), _kind(ask)
    wanted: shapes.ContractEdit = ask.body
    try:
        await save_contract(
            ask.request.app[CONTEXT].pool,
            ask.user,
            view.project.id,
            await checked(ask.request, Edit(kind, wanted.content, wanted.version)),
            may_decide=view.may_decide,
        )
    except StaleVersion as error:
        raise EditConflict(str(error)) from error
    except InvalidContract as error:
        raise InvalidRequest(
            "It was not saved.", [(f"{problem.line}:{problem.column}", problem.message) for problem in error.problems]
        ) from error
    return await _contract(ask, view.project.id)


async def _open(ask: ApiRequest, least: AccessLevel = AccessLevel.READ, *, own: Own = Own.NO) -> SeenProject:
    return await open_project(ask.request, id_of(ask.request, "project_id"), least, own=own)


async def _repo(ask: ApiRequest, repo_id: UUID | None) -> Repo | None:
    return None if repo_id is None else (await open_repo(ask.request, repo_id, AccessLevel.WRITE)).repo


async def _shown(ask: ApiRequest, project_id: UUID) -> shapes.Project:
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        project = await find_project(connection, project_id)
    if project is None:
        raise web.HTTPNotFound(reason="There is no such project, or you may not see it.")
    return project_of(project)


def project_of(project: ListedProject) -> shapes.Project:
    """Return the project as the API gives it."""
    fields = {name: getattr(project, name) for name in shapes.Project.model_fields if name != "repository"}
    return shapes.Project.model_validate(fields | {"repository": project.repo_name})


async def _questionnaire(ask: ApiRequest, project: SeenProject, answers: Answers, **more: Any) -> shapes.Questionnaire:
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        code = await seen_code(connection, project.project.repo_id if project.sees_code else None)
    package = package_of(project.project.name)

    def shown(key: str, question: Question) -> dict[str, Any]:
        given = answers.values.get(key)
        return {
            "key": key,
            "title": question.title,
            "kind": question.kind.value,
            "help": question.help,
            "required": question.required,
            "choices": list(question.choices),
            "answer": given,
            "proposal": None if given else propose(key, answers, code, package) or None,
            "columns": [
                {"key": column.key, "title": column.title, "required": column.required, "choices": list(column.choices)}
                for column in question.columns
            ],
        }

    sections = [
        {
            "key": section.key,
            "title": section.title,
            "answered": progress(answers, section)[0],
            "questions": [shown(f"{section.key}.{question.key}", question) for question in section.questions],
        }
        for section in SECTIONS
    ]
    values = {"problems": [], "changes": [], **more, "sections": sections, "missing": missing(answers)}
    return shapes.Questionnaire.model_validate(values)


def _kind(ask: ApiRequest) -> ContractType:
    try:
        return ContractType(ask.request.match_info["contract_type"])
    except ValueError:
        raise web.HTTPNotFound(reason="There is no such contract.") from None


async def _contract(ask: ApiRequest, project_id: UUID) -> shapes.Contract:
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        contract = await find_contract(connection, project_id, _kind(ask))
    if contract is None:
        raise web.HTTPNotFound(reason="This contract is not written yet.")
    return shapes.Contract.model_validate(_brief(contract) | {"content": contract.content})


def _brief(contract: Contract) -> dict[str, Any]:
    given = asdict(contract)
    return {name: given[name] for name in shapes.ContractBrief.model_fields}
