"""Projects: the list, one with its state, and what is done with one."""

from __future__ import annotations

from aiohttp import web
from multidict import MultiDictProxy

from forgeguard_app.errors import UserError
from forgeguard_app.flows.keep_project import create_project, described, link_project, remove_project, rename_project
from forgeguard_app.flows.know_access import Level, refresh_access
from forgeguard_app.projects.answers import missing, progress, read_state
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.lifecycle import Move, Status, refusal
from forgeguard_app.projects.questions import QUESTIONS, SECTIONS
from forgeguard_app.store.builds import list_builds
from forgeguard_app.store.contracts import list_contracts
from forgeguard_app.store.projects import list_projects
from forgeguard_app.store.repos import Repo
from forgeguard_app.web.access import find_writable, id_of, open_project
from forgeguard_app.web.cursors import cursor_of, read_cursor
from forgeguard_app.web.keys import FRONT
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import get_person, read_form

PAGE = 50
MOST_BUILDS = 20
_NO_REPO = "There is no guarded repository of that name to which you may write."


async def show_projects(request: web.Request) -> web.Response:
    """Those that the person made, and those of their repositories."""
    front, person = request.app[FRONT], await get_person(request)
    await refresh_access(front, person.user_id)
    before = read_cursor(request.query.get("cursor"))
    async with front.pool.acquire() as connection:
        found = await list_projects(connection, person.user_id, before, PAGE + 1)
    more = cursor_of(found[PAGE - 1].created_at, found[PAGE - 1].id) if len(found) > PAGE else None
    return await page(request, "projects.html", projects=found[:PAGE], more=more)


async def add_project(request: web.Request) -> web.StreamResponse:
    """A new one; its questionnaire comes next."""
    form, person = await read_form(request), await get_person(request)
    wanted = described(form.get("name", ""), form.get("description", ""))
    project_id = await create_project(request.app[FRONT].pool, person, wanted, await _repo(request, form))
    return see_other(f"/projects/{project_id}/questionnaire/{SECTIONS[0].key}")


async def show_project(request: web.Request) -> web.Response:
    """How far it is, and what comes next."""
    seen, person = await open_project(request, id_of(request, "project_id")), await get_person(request)
    project, answers = seen.project, read_state(seen.project.questionnaire_state)
    async with request.app[FRONT].pool.acquire() as connection:
        contracts = {one.contract_type: one for one in await list_contracts(connection, project.id)}
        builds = await list_builds(connection, project.id, None, MOST_BUILDS)
    return await page(
        request,
        "project.html",
        project=project,
        may_write=seen.may_write,
        is_maker=seen.project.user_id == person.user_id,
        sections=[(section, *progress(answers, section)) for section in SECTIONS],
        lacking=[QUESTIONS[key].title for key in missing(answers)],
        types=list(ContractType),
        contracts=contracts,
        builds=builds,
        no_build=refusal(Status(project.status), Move.START_BUILD),
        no_contracts=refusal(Status(project.status), Move.WRITE_CONTRACTS),
    )


async def rename(request: web.Request) -> web.StreamResponse:
    """Its name and description."""
    form = await read_form(request)
    seen = await open_project(request, id_of(request, "project_id"), Level.WRITE, own=True)
    wanted = described(form.get("name", ""), form.get("description", ""))
    await rename_project(request.app[FRONT].pool, seen.project.id, wanted)
    return see_other(f"/projects/{seen.project.id}")


async def link(request: web.Request) -> web.StreamResponse:
    """The repository in which it is built."""
    form = await read_form(request)
    seen = await open_project(request, id_of(request, "project_id"), Level.WRITE, own=True)
    await link_project(request.app[FRONT].pool, seen.project.id, await _repo(request, form))
    return see_other(f"/projects/{seen.project.id}")


async def remove(request: web.Request) -> web.StreamResponse:
    """It goes; only its maker may do that."""
    await read_form(request)
    seen = await open_project(request, id_of(request, "project_id"), Level.ADMIN, own=True)
    await remove_project(request.app[FRONT].pool, seen.project.id)
    return see_other("/projects")


async def _repo(request: web.Request, form: MultiDictProxy[str]) -> Repo | None:
    name = form.get("repository", "").strip()
    if not name:
        return None
    repo = await find_writable(request, name)
    if repo is None:
        raise UserError(_NO_REPO)
    return repo
