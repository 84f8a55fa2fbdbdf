"""Signing in with GitHub, and out again."""

from __future__ import annotations

from aiohttp import web

from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.people.sign_in import SIGN_IN_S, Browser, SignInFailed, begin_sign_in, finish_sign_in
from forgeguard_app.store.sessions import delete_session, delete_sessions
from forgeguard_app.web.audit_log import ARRIVED
from forgeguard_app.web.keys import CONTEXT, REQUEST_ID
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import (
    NOTE,
    PERSON,
    SESSION,
    cookie_name,
    drop_cookie,
    find_person,
    get_person,
    keep_session,
    own_path,
    read_form,
    refuse_foreign,
    set_cookie,
)

MAX_GIVEN_CHARS = 500


async def login(request: web.Request) -> web.StreamResponse:
    """Off to GitHub."""
    context = request.app[CONTEXT]
    departure = begin_sign_in(context, own_path(request.query.get("return_to", "/")))
    response = see_other(departure.address)
    set_cookie(context, response, NOTE, departure.note, SIGN_IN_S)
    return response


async def callback(request: web.Request) -> web.StreamResponse:
    """Back from GitHub, with a code or with the reason why not."""
    context, given = request.app[CONTEXT], request.query
    note = request.cookies.get(cookie_name(context, NOTE), "")
    try:
        if given.get("error"):
            raise SignInFailed(
                "GitHub did not sign you in: you cancelled, or the App's callback address is another one."
            )
        state, code = given.get("state", "")[:MAX_GIVEN_CHARS], given.get("code", "")[:MAX_GIVEN_CHARS]
        browser = Browser(request.headers.get("User-Agent", ""), request.cookies.get(cookie_name(context, SESSION), ""))
        arrival = await finish_sign_in(context, note, state, code, browser)
    except SignInFailed as error:
        request[PERSON] = None
        message = str(error)
        failed = await page(
            request, "wrong.html", status=400, title="Not signed in", message=message, request_id=request[REQUEST_ID]
        )
        drop_cookie(context, failed, NOTE)
        return failed
    request[ARRIVED] = Person(arrival.user_id, arrival.github_id, arrival.login, arrival.user_id, None)
    response = see_other(own_path(arrival.return_to))
    drop_cookie(context, response, NOTE)
    keep_session(context, response, arrival.session)
    return response


async def logout(request: web.Request) -> web.StreamResponse:
    """Sign this browser out; where it is signed out already, there is nothing to do."""
    if await find_person(request) is None:
        refuse_foreign(request)
        return _gone(request)
    await read_form(request)
    person = await get_person(request)
    async with request.app[CONTEXT].pool.acquire() as connection:
        await delete_session(connection, person.user_id, person.key)
    return _gone(request)


async def logout_everywhere(request: web.Request) -> web.StreamResponse:
    """Sign every browser of the person out; with `tokens` their API tokens are deleted too."""
    form, person = await read_form(request), await get_person(request)
    async with request.app[CONTEXT].pool.acquire() as connection, connection.transaction():
        await delete_sessions(connection, person.user_id, tokens_too="tokens" in form)
    return _gone(request)


def _gone(request: web.Request) -> web.StreamResponse:
    response = see_other("/")
    drop_cookie(request.app[CONTEXT], response, SESSION)
    return response
