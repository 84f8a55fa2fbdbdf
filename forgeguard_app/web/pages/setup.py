"""The App Manifest flow, and where GitHub sends people after they installed the App."""

from __future__ import annotations

import asyncio
import contextlib
import json
from urllib.parse import urlsplit

from aiohttp import web

from forgeguard_app.flows.people.finish_setup import finish_setup
from forgeguard_app.flows.people.repo_access import refresh_access
from forgeguard_app.flows.people.set_up_app import (
    Choice,
    OpenedCredentials,
    begin_setup,
    find_made,
    open_setup,
    problems_of,
)
from forgeguard_app.flows.people.setup_stops import SetupStopped
from forgeguard_app.github.app_manifest import is_reachable
from forgeguard_app.store.installations import find_by_github_id
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.users import forget_own_access
from forgeguard_app.web.forms import read_fields
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import SETUP, cookie_name, get_person, refuse_foreign, set_cookie

SETUP_S = 86_400
MAX_GIVEN_CHARS = 500
RETRY_AFTER_S = 5
TOLD_WITHIN_S, LOOK_EVERY_S = 3.0, 0.1  # GitHub sends the browser here and the event apart, in any order


async def show_setup(request: web.Request) -> web.StreamResponse:
    """Show what is to be made, for the browser that opened the one-time link; afterwards the App that it made."""
    context, given = request.app[CONTEXT], request.query.get("token", "")[:MAX_GIVEN_CHARS]
    try:
        browser = await open_setup(context, given, _browser(request))
    except SetupStopped as stop:
        made = None if given else await find_made(context, _browser(request))
        return await _stopped(request, stop) if made is None else await _done(request, made)
    if "token" in request.query:  # the secret leaves the address bar
        response: web.StreamResponse = see_other("/setup")
    else:
        choice = Choice("ForgeGuard", "guard", "", context.github_url, context.address)
        asked = {"public_url": ""} if is_reachable(choice.public_url, choice.github_url) else problems_of(choice)
        response = await page(request, "setup.html", choice=choice, problems=asked, departure=None, manifest="")
    set_cookie(context, response, SETUP, browser, SETUP_S)
    return response


async def choose(request: web.Request) -> web.StreamResponse:
    """Return the form that leads to GitHub with the choice, or what is wrong with it."""
    refuse_foreign(request)
    context = request.app[CONTEXT]
    try:
        browser = await open_setup(context, "", _browser(request))
    except SetupStopped as stop:
        return await _stopped(request, stop)
    form = {name: value.strip()[:MAX_GIVEN_CHARS] for name, value in await read_fields(request)}
    choice = Choice(
        form.get("name", ""),
        form.get("kind", ""),
        form.get("organization", ""),
        form.get("github_url", "").rstrip("/"),
        form.get("public_url", "").rstrip("/"),
    )
    problems = problems_of(choice)
    if problems:
        return await page(
            request, "setup.html", status=400, choice=choice, problems=problems, departure=None, manifest=""
        )
    departure = await begin_setup(context, browser, choice)
    response = await page(
        request, "setup.html", choice=choice, problems={}, departure=departure, manifest=json.dumps(departure.manifest)
    )
    parts = urlsplit(departure.address)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        f"form-action 'self' {parts.scheme}://{parts.netloc}; frame-ancestors 'none'"
    )
    return response


async def setup_callback(request: web.Request) -> web.StreamResponse:
    """Show the App that GitHub's answer stands for, however often the answer is opened, or why there is none."""
    context, given = request.app[CONTEXT], request.query
    state, code = given.get("state", "")[:MAX_GIVEN_CHARS], given.get("code", "")[:MAX_GIVEN_CHARS]
    try:
        return await _done(request, await finish_setup(context, _browser(request), state, code))
    except SetupStopped as stop:
        return await _stopped(request, stop)


async def _done(request: web.Request, credentials: OpenedCredentials) -> web.StreamResponse:
    return await page(request, "setup_done.html", credentials=credentials)


async def _stopped(request: web.Request, stop: SetupStopped) -> web.StreamResponse:
    response = await page(request, "setup_stopped.html", status=503 if stop.transient else 400, stop=stop)
    if stop.transient:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


async def installed(request: web.Request) -> web.StreamResponse:
    """After an installation: people sign in first, and GitHub says whether the installation is theirs."""
    context, person = request.app[CONTEXT], await get_person(request)
    number = request.query.get("installation_id", "")
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        return see_other("/installations")
    async with context.pool.acquire() as connection:
        await forget_own_access(connection, person.user_id)
    await refresh_access(context, person.user_id)
    await _wait_for_installation(context.pool, int(number))
    return see_other(f"/installations/{number}")


async def _wait_for_installation(pool: Pool, number: int) -> None:
    """Wait until the installation is known, or for as long as people like to wait."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TOLD_WITHIN_S):
            while not await _is_known(pool, number):
                await asyncio.sleep(LOOK_EVERY_S)


async def _is_known(pool: Pool, number: int) -> bool:
    async with pool.acquire() as connection:
        return await find_by_github_id(connection, number) is not None


def _browser(request: web.Request) -> str:
    # The cookie has one name over HTTP and another over HTTPS, and the App's address may differ from where set-up
    # began.
    for name in (cookie_name(request.app[CONTEXT], SETUP), SETUP, f"__Host-{SETUP}"):
        if name in request.cookies:
            return request.cookies[name][:MAX_GIVEN_CHARS]
    return ""
