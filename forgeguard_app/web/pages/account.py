"""A person's own page: tokens and sessions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aiohttp import web

from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.flows.people.api_tokens import make_token
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.store.sessions import delete_session, delete_token, list_sessions, list_tokens
from forgeguard_app.web.access import id_of
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import cookie_name, drop_cookie, get_person, read_form, set_cookie

FRESH_TOKEN, FRESH_S = "forgeguard_fresh_token", 60
NOTHING: Mapping[str, str] = MappingProxyType({})


async def show_account(request: web.Request) -> web.Response:
    """Tokens and sessions; a token that was just made is shown, this once."""
    context, person = request.app[CONTEXT], await get_person(request)
    sealed = request.cookies.get(cookie_name(context, FRESH_TOKEN), "")
    response = await _account(request, fresh=_opened(context, person, sealed))
    if sealed:
        drop_cookie(context, response, FRESH_TOKEN)
    return response


def _opened(context: WebContext, person: Person, sealed: str) -> str | None:
    """Return the value of the token that this person just made; None where there is none."""
    opened = context.keys.fresh_tokens.open(sealed, within_s=FRESH_S) if sealed else None
    owner, _, value = (opened or "").partition(" ")
    return value if owner == str(person.user_id) else None


async def add_token(request: web.Request) -> web.StreamResponse:
    """Make a token; the page to which this leads shows it once, and loading that page again makes no second one."""
    context = request.app[CONTEXT]
    form, person = await read_form(request), await get_person(request)
    days = form.get("days", "")
    number = int(days) if days.isascii() and days.isdigit() and len(days) < 5 else 0
    try:
        made = await make_token(context.pool, person.user_id, form.get("name", ""), form.get("scope", ""), number)
    except UserError as error:
        return await _account(request, wrong=error, typed=form)
    response = see_other("/account")
    # The value is stored nowhere on our side, and never part of an address: the browser carries it, sealed, to the
    # page.
    set_cookie(
        context, response, FRESH_TOKEN, context.keys.fresh_tokens.seal(f"{person.user_id} {made.value}"), FRESH_S
    )
    return response


async def remove_token(request: web.Request) -> web.StreamResponse:
    """Delete the token."""
    await read_form(request)
    person = await get_person(request)
    async with request.app[CONTEXT].pool.acquire() as connection:
        await delete_token(connection, person.user_id, id_of(request, "token_id"))
    return see_other("/account")


async def remove_session(request: web.Request) -> web.StreamResponse:
    """Sign one browser out."""
    await read_form(request)
    person = await get_person(request)
    async with request.app[CONTEXT].pool.acquire() as connection:
        await delete_session(connection, person.user_id, id_of(request, "session_id"))
    return see_other("/account")


async def _account(
    request: web.Request,
    fresh: str | None = None,
    wrong: UserError | None = None,
    typed: Mapping[str, str] = NOTHING,
) -> web.Response:
    person = await get_person(request)
    async with request.app[CONTEXT].pool.acquire() as connection:
        tokens = await list_tokens(connection, person.user_id)
        sessions = await list_sessions(connection, person.user_id)
    return await page(
        request,
        "account.html",
        status=400 if wrong else 200,
        tokens=tokens,
        sessions=sessions,
        fresh=fresh,
        wrong=wrong,
        typed=typed,
    )
