"""A repository's configuration as ForgeGuard understands it, a changed one tried before it is committed, and a first one."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from aiohttp import web

from forgeguard_app.audit.boundaries.propose import PATH as BOUNDARIES
from forgeguard_app.flows.begin_trial import begin_first_rules, begin_trial, list_paths
from forgeguard_app.flows.know_access import Level
from forgeguard_app.store.audits import find_run
from forgeguard_app.store.overview import find_head_run
from forgeguard_app.store.repos import Repo, find_configuration
from forgeguard_app.store.trials import find_trial
from forgeguard_app.store.versions import find_trial_version
from forgeguard_app.web.access import id_of, open_named
from forgeguard_app.web.keys import FRONT
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import get_person, read_form
from forgeguard_app.web.states import head_states

MAX_FORM_BYTES = 1_000_000
MAX_LINK_CHARS = 7_000  # what GitHub and browsers take as an address


async def show_configuration(request: web.Request) -> web.Response:
    """What judges the default branch, for those whom GitHub lets into the repository."""
    seen = await open_named(request, Level.READ)
    front = request.app[FRONT]
    async with front.pool.acquire() as connection:
        known = await find_configuration(connection, seen.repo.id)
        run_id = await find_head_run(connection, seen.repo.id)
        head = None if run_id is None else await find_run(connection, run_id)
        head_state = (await head_states(connection, {seen.repo.id: run_id}))[seen.repo.id]
    texts: dict[str, str] = known[1]["files"] if known else {}
    asked = request.query.get("file", "")
    chosen = asked if asked in texts else BOUNDARIES if BOUNDARIES in texts else next(iter(texts), BOUNDARIES)
    return await page(
        request,
        "configuration.html",
        repo=seen.repo,
        sha=known[0] if known else None,
        head=head,
        head_state=head_state,
        configuration=known[1] if known else None,
        paths=await list_paths(front.pool, seen.repo),
        may_write=seen.may_write,
        texts=texts,
        chosen=chosen,
    )


async def try_changed(request: web.Request) -> web.StreamResponse:
    """A changed file is tried."""
    form, person = await read_form(request, MAX_FORM_BYTES), await get_person(request)
    seen = await open_named(request, Level.READ)
    pool = request.app[FRONT].pool
    trial_id = await begin_trial(pool, person, seen.repo, form.get("path", ""), form.get("content", ""))
    return see_other(f"/repos/{seen.repo.full_name}/trials/{trial_id}")


async def propose(request: web.Request) -> web.StreamResponse:
    """A first configuration is drawn from the code, and becomes a pull request where we may open one."""
    await read_form(request)
    person, seen = await get_person(request), await open_named(request, Level.WRITE)
    trial_id = await begin_first_rules(request.app[FRONT].pool, person, seen.repo)
    return see_other(f"/repos/{seen.repo.full_name}/trials/{trial_id}")


async def show_trial(request: web.Request) -> web.Response:
    """What came of it."""
    seen = await open_named(request, Level.READ)
    front = request.app[FRONT]
    async with front.pool.acquire() as connection:
        version = await find_trial_version(connection, id_of(request, "trial_id"))
        trial = await find_trial(connection, id_of(request, "trial_id"))
    if trial is None or trial.repo_id != seen.repo.id:
        raise web.HTTPNotFound
    links = {}
    if trial.kind == "first_rules" and trial.result is not None:
        links = {
            path: new_file_link(front.github_url, seen.repo, trial.result["branch"], path, text)
            for path, text in trial.result["files"].items()
        }
    return await page(
        request, "trial.html", repo=seen.repo, trial=trial, result=trial.result, links=links, version=version,
        paths=await list_paths(front.pool, seen.repo),
    )  # fmt: skip


def new_file_link(github_url: str, repo: Repo, branch: str, path: str, text: str) -> str:
    """GitHub's page for a new file, filled in where an address can carry so much."""
    place = f"{github_url}/{repo.full_name}/new/{quote(branch)}?"
    filled = place + urlencode({"filename": path, "value": text})
    return filled if len(filled) <= MAX_LINK_CHARS else place + urlencode({"filename": path})
