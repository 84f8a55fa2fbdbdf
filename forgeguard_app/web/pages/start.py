"""The start page and the installations."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from forgeguard_app.audit.model import CheckCode
from forgeguard_app.audit.policy import POLICY_PATHS, read_settings
from forgeguard_app.flows.context.web_context import notice_key
from forgeguard_app.flows.people.repo_access import refresh_access
from forgeguard_app.flows.publishing.check_run_writer import check_run_name
from forgeguard_app.store.audit_log import list_entries_of
from forgeguard_app.store.news import Notified
from forgeguard_app.store.overview import find_seen_installation
from forgeguard_app.threads import in_thread
from forgeguard_app.web.audit_log import EXPORTED, SHOWN, export, find_older, read_before
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.overviews import MOST_REPOS, REPOS, read_installation, read_installations, read_repositories
from forgeguard_app.web.render import page
from forgeguard_app.web.session import find_person, get_person

UNSEEN = (
    "There is no such installation, or you see none of its repositories. One that was made just now appears as soon as "
    "GitHub tells of it: reload the page in a moment."
)


async def show_start(request: web.Request) -> web.Response:
    """Show what ForgeGuard is; to a signed-in person, their repositories."""
    context, person = request.app[CONTEXT], await find_person(request)
    after = request.query.get("after", "")[:300]
    if person is None:
        return await page(request, "start.html", repos=[], states={}, more=False, after=after)
    await refresh_access(context, person.user_id)
    async with context.pool.acquire() as connection:
        shown = await read_repositories(connection, person.user_id, after)
    return await page(
        request,
        "start.html",
        repos=shown.repos,
        states=shown.states,
        more=len(shown.found) > REPOS,
        after=after,
        version=shown.version,
    )


async def show_installations(request: web.Request) -> web.Response:
    """Return the accounts on which the App is installed, as far as the person sees something of them."""
    context, person = request.app[CONTEXT], await get_person(request)
    await refresh_access(context, person.user_id)
    async with context.pool.acquire() as connection:
        shown = await read_installations(connection, person.user_id)
    return await page(request, "installations.html", installations=shown.found, version=shown.version)


async def show_installation(request: web.Request) -> web.Response:
    """Return one installation: what is guarded, what its audits say, and what is left to do."""
    context, person = request.app[CONTEXT], await get_person(request)
    number, before = int(request.match_info["number"]), read_before(request)
    await refresh_access(context, person.user_id)
    async with context.pool.acquire() as connection:
        installation = await find_seen_installation(connection, person.user_id, number)
        if installation is None:
            raise web.HTTPNotFound(reason=UNSEEN)
        shown = await read_installation(connection, person.user_id, installation)
        deeds = await list_entries_of(connection, person.user_id, number, SHOWN + 1, before)
    return await page(
        request,
        "installation.html",
        installation=installation,
        repos=shown.repos,
        states=shown.states,
        more=len(shown.found) > MOST_REPOS,
        notified=shown.notified,
        deeds=deeds[:SHOWN],
        older=find_older(deeds, SHOWN),
        is_newest=before is None,
        number=number,
        version=shown.version,
        names=[check_run_name(code) for code in CheckCode],
        notify_host=await in_thread(_notify_host, shown.notified),
        notice_key=notice_key(context.keys.notices, number) if shown.notified else "",
    )


async def export_audit_log(request: web.Request) -> web.Response:
    """Return who did what with the installation's repositories that the person administers, as a file."""
    context, person = request.app[CONTEXT], await get_person(request)
    number, before = int(request.match_info["number"]), read_before(request)
    await refresh_access(context, person.user_id)
    async with context.pool.acquire() as connection:
        if await find_seen_installation(connection, person.user_id, number) is None:
            raise web.HTTPNotFound(reason=UNSEEN)
        found = await list_entries_of(connection, person.user_id, number, EXPORTED + 1, before)
    return await export(request, found)


def _notify_host(notified: Notified | None) -> str | None:
    """Return the host that notices go to: the host alone, since the path of such an address lets anybody write
    there.
    """
    if notified is None or notified.owner_policy is None:
        return None
    settings, problems = read_settings(notified.owner_policy, POLICY_PATHS[0], owner=True)
    return urlsplit(settings.notify).hostname if settings.notify and not problems else None
