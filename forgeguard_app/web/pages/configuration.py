"""A repository's configuration as ForgeGuard understands it, a changed one tried before it is committed, and a first
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote, urlencode
from uuid import UUID

from aiohttp import web

from forgeguard_app.audit.boundaries.propose import PATH as BOUNDARIES
from forgeguard_app.errors import UserError
from forgeguard_app.flows.people.repo_access import AccessLevel
from forgeguard_app.flows.proposals.request_trial import list_paths, request_first_rules, request_trial
from forgeguard_app.store.audits import find_run
from forgeguard_app.store.overview import find_head_run
from forgeguard_app.store.repos import Repo, find_configuration
from forgeguard_app.store.shown_state import has_worker
from forgeguard_app.store.states import TrialKind, TrialStatus
from forgeguard_app.store.trials import Trial, find_trial
from forgeguard_app.store.versions import find_trial_version
from forgeguard_app.web.access import RepoView, id_of, open_named
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import get_person, read_form
from forgeguard_app.web.states import NO_WORKER, head_states

MAX_FORM_BYTES = 1_000_000
NOTHING: Mapping[str, str] = MappingProxyType({})
MAX_LINK_CHARS = 7_000  # what GitHub and browsers take as an address


async def show_configuration(request: web.Request) -> web.Response:
    """Show the default branch's configuration, to those whom GitHub lets into the repository."""
    return await _page(request, await open_named(request, AccessLevel.READ))


async def _page(
    request: web.Request, view: RepoView, wrong: UserError | None = None, typed: Mapping[str, str] = NOTHING
) -> web.Response:
    """Return the page; `wrong` is why its trial was refused, `typed` what the form held."""
    context = request.app[CONTEXT]
    async with context.pool.acquire() as connection:
        known = await find_configuration(connection, view.repo.id)
        run_id = await find_head_run(connection, view.repo.id)
        head = None if run_id is None else await find_run(connection, run_id)
        head_state = (await head_states(connection, {view.repo.id: run_id}))[view.repo.id]
    texts: dict[str, str] = known[1]["files"] if known else {}
    paths = await list_paths(context.pool, view.repo)
    asked = typed.get("path") or request.query.get("file", "")
    chosen = (
        asked
        if asked in (paths if wrong else texts)
        else BOUNDARIES
        if BOUNDARIES in texts
        else next(iter(texts), BOUNDARIES)
    )
    return await page(
        request,
        "configuration.html",
        status=400 if wrong else 200,
        wrong=wrong,
        typed=typed.get("content", ""),
        repo=view.repo,
        sha=known[0] if known else None,
        head=head,
        head_state=head_state,
        configuration=known[1] if known else None,
        paths=paths,
        may_write=view.may_write,
        texts=texts,
        chosen=chosen,
    )


async def try_changed(request: web.Request) -> web.StreamResponse:
    """Try a changed file."""
    form, person = await read_form(request, MAX_FORM_BYTES), await get_person(request)
    view = await open_named(request, AccessLevel.READ)
    pool = request.app[CONTEXT].pool
    try:
        trial_id = await request_trial(pool, person, view.repo, form.get("path", ""), form.get("content", ""))
    except UserError as error:
        return await _refused(request, view, error, form)
    return see_other(f"/repos/{view.repo.full_name}/trials/{trial_id}")


async def _refused(request: web.Request, view: RepoView, wrong: UserError, typed: Mapping[str, str]) -> web.Response:
    """Show the form where it was sent from: on the page of a trial, or on the configuration's."""
    trial = await _find_trial(request, view, typed.get("trial_id", ""))
    return await (_page(request, view, wrong, typed) if trial is None else _trial(request, view, trial, wrong, typed))


async def propose(request: web.Request) -> web.StreamResponse:
    """Draw a first configuration from the code; it becomes a pull request where we may open one."""
    await read_form(request)
    person, view = await get_person(request), await open_named(request, AccessLevel.WRITE)
    trial_id = await request_first_rules(request.app[CONTEXT].pool, person, view.repo)
    return see_other(f"/repos/{view.repo.full_name}/trials/{trial_id}")


async def show_trial(request: web.Request) -> web.Response:
    """Show the outcome of a trial."""
    view = await open_named(request, AccessLevel.READ)
    async with request.app[CONTEXT].pool.acquire() as connection:
        version = await find_trial_version(connection, id_of(request, "trial_id"))
    trial = await _find_trial(request, view, request.match_info["trial_id"])
    if trial is None:
        raise web.HTTPNotFound
    return await _trial(request, view, trial, version=version)


async def _find_trial(request: web.Request, view: RepoView, given: str) -> Trial | None:
    """Return the repository's trial with this key, None where it has none."""
    try:
        trial_id = UUID(given)
    except ValueError:
        return None
    async with request.app[CONTEXT].pool.acquire() as connection:
        trial = await find_trial(connection, trial_id)
    return trial if trial is not None and trial.repo_id == view.repo.id else None


async def _trial(
    request: web.Request,
    view: RepoView,
    trial: Trial,
    wrong: UserError | None = None,
    typed: Mapping[str, str] = NOTHING,
    *,
    version: str | None = None,
) -> web.Response:
    """Return the trial's page; `wrong` is why another one was refused, `typed` what its form held."""
    context, links, held = request.app[CONTEXT], {}, ""
    if trial.status == TrialStatus.PENDING:
        async with context.pool.acquire() as connection:
            held = "" if await has_worker(connection) else NO_WORKER
    if trial.kind == TrialKind.FIRST_RULES and trial.result is not None:
        links = {
            path: new_file_link(context.github_url, view.repo, trial.result["branch"], path, text)
            for path, text in trial.result["files"].items()
        }
    return await page(
        request,
        "trial.html",
        repo=view.repo,
        trial=trial,
        result=trial.result,
        links=links,
        version=version,
        held=held,
        status=400 if wrong else 200,
        wrong=wrong,
        typed=typed,
        paths=await list_paths(context.pool, view.repo),
    )


def new_file_link(github_url: str, repo: Repo, branch: str, path: str, text: str) -> str:
    """GitHub's page for a new file, filled in where an address can carry so much."""
    place = f"{github_url}/{repo.full_name}/new/{quote(branch)}?"
    filled = place + urlencode({"filename": path, "value": text})
    return filled if len(filled) <= MAX_LINK_CHARS else place + urlencode({"filename": path})
