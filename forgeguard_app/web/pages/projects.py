"""Projects: the list, one with its state, and what is done with one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aiohttp import web
from multidict import MultiDictProxy

from forgeguard_app.errors import UserError
from forgeguard_app.flows.people.repo_access import AccessLevel, refresh_access
from forgeguard_app.flows.projects.manage_project import (
    ProjectGone,
    confirm_deletion,
    create_project,
    described,
    link_project,
    remove_project,
    rename_project,
    restore_project,
)
from forgeguard_app.projects.answers import missing, progress, read_state
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.lifecycle import Action, Status, refusal
from forgeguard_app.projects.questions import QUESTIONS, SECTIONS
from forgeguard_app.store.projects import DELETED_DAYS, list_deleted, list_projects
from forgeguard_app.store.repos import Repo
from forgeguard_app.web.access import Own, SeenProject, administers, find_writable, id_of, open_project
from forgeguard_app.web.cursors import cursor_of, read_cursor
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.overviews import read_project
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import get_person, read_form

PAGE = 50
MOST_DELETED = 20
NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_REPO = "There is no guarded repository of that name to which you may write."


async def show_projects(request: web.Request) -> web.Response:
    """Return those that the person made, and those of their repositories."""
    return await _list(request)


async def _list(
    request: web.Request, wrong: UserError | None = None, typed: Mapping[str, str] = NOTHING
) -> web.Response:
    """Return the list with its form; `wrong` is why the form was refused, `typed` what it held."""
    context, person = request.app[CONTEXT], await get_person(request)
    await refresh_access(context, person.user_id)
    before = read_cursor(request.query.get("cursor"))
    async with context.pool.acquire() as connection:
        found = await list_projects(connection, person.user_id, before, PAGE + 1)
        deleted = await list_deleted(connection, person.user_id, MOST_DELETED)
    more = cursor_of(found[PAGE - 1].created_at, found[PAGE - 1].id) if len(found) > PAGE else None
    return await page(
        request,
        "projects.html",
        status=400 if wrong else 200,
        projects=found[:PAGE],
        more=more,
        deleted=deleted,
        wrong=wrong,
        typed=typed,
    )


async def add_project(request: web.Request) -> web.StreamResponse:
    """Return a new one; its questionnaire comes next."""
    form, person = await read_form(request), await get_person(request)
    try:
        wanted = described(form.get("name", ""), form.get("description", ""))
        project_id = await create_project(request.app[CONTEXT].pool, person, wanted, await _repo(request, form))
    except UserError as error:
        return await _list(request, error, form)
    return see_other(f"/projects/{project_id}/questionnaire/{SECTIONS[0].key}")


async def show_project(request: web.Request) -> web.Response:
    """Show the project's progress and its next step."""
    return await project_page(request, await open_project(request, id_of(request, "project_id")))


async def project_page(
    request: web.Request, view: SeenProject, wrong: UserError | None = None, typed: Mapping[str, str] = NOTHING
) -> web.Response:
    """Return the project's page; `wrong` is why one of its forms was refused, `typed` what that form held."""
    person = await get_person(request)
    project, answers = view.project, read_state(view.project.questionnaire_state)
    async with request.app[CONTEXT].pool.acquire() as connection:
        shown = await read_project(connection, project)
    return await page(
        request,
        "project.html",
        status=400 if wrong else 200,
        wrong=wrong,
        typed=typed,
        deleted_days=DELETED_DAYS,
        project=project,
        may_write=view.may_write,
        may_decide=view.may_decide,
        is_maker=view.project.user_id == person.user_id,
        sections=[(section, *progress(answers, section)) for section in SECTIONS],
        unanswered=[QUESTIONS[key].title for key in missing(answers)],
        types=list(ContractType),
        contracts=shown.contracts,
        builds=shown.builds,
        version=shown.version,
        updates_from=f"/projects/{project.id}" if wrong else "",
        no_build=refusal(Status(project.status), Action.START_BUILD),
        no_contracts=refusal(Status(project.status), Action.WRITE_CONTRACTS),
    )


async def rename(request: web.Request) -> web.StreamResponse:
    """Return its name and description."""
    form = await read_form(request)
    view = await open_project(request, id_of(request, "project_id"), AccessLevel.WRITE)
    try:
        wanted = described(form.get("name", ""), form.get("description", ""))
        await rename_project(request.app[CONTEXT].pool, view.project.id, wanted)
    except UserError as error:
        return await project_page(request, view, error, form)
    return see_other(f"/projects/{view.project.id}")


async def link(request: web.Request) -> web.StreamResponse:
    """Link the repository in which it is built, or unlink it with the other button."""
    form = await read_form(request)
    own = Own.ENOUGH if "unlink" in form else Own.ALONE  # who administers the repository rids it of the project too
    view = await open_project(request, id_of(request, "project_id"), AccessLevel.ADMIN, own=own)
    try:
        repo = None if "unlink" in form else await _repo(request, form)
        if repo is None and "unlink" not in form:
            raise UserError("Name the repository, as owner/name.", field="repository")
        may_decide = await administers(request, repo)
        await link_project(request.app[CONTEXT].pool, view.project.id, repo, may_decide=may_decide)
    except UserError as error:
        return await project_page(request, view, error, form)
    return see_other(f"/projects/{view.project.id}")


async def remove(request: web.Request) -> web.StreamResponse:
    """Delete it; only its maker may do that, and types its name."""
    form = await read_form(request)
    view = await open_project(request, id_of(request, "project_id"), AccessLevel.ADMIN, own=Own.ALONE)
    try:
        confirm_deletion(view.project, form.get("confirmation", ""))
        await remove_project(request.app[CONTEXT].pool, view.project.id)
    except UserError as error:
        return await project_page(request, view, error, form)
    return see_other("/projects#deleted")


async def restore(request: web.Request) -> web.StreamResponse:
    """Bring back a project that the person deleted lately."""
    await read_form(request)
    project_id = id_of(request, "project_id")
    try:
        await restore_project(request.app[CONTEXT].pool, await get_person(request), project_id)
    except ProjectGone as error:
        raise web.HTTPNotFound(reason=str(error)) from None
    return see_other(f"/projects/{project_id}")


async def _repo(request: web.Request, form: MultiDictProxy[str]) -> Repo | None:
    name = form.get("repository", "").strip()
    if not name:
        return None
    repo = await find_writable(request, name)
    if repo is None:
        raise UserError(_NO_REPO, field="repository")
    return repo
