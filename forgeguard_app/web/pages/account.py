"""A person's own page: tokens and sessions."""

from __future__ import annotations

from aiohttp import web

from forgeguard_app.flows.manage_account import make_token
from forgeguard_app.store.sessions import delete_session, delete_token, list_sessions, list_tokens
from forgeguard_app.web.access import id_of
from forgeguard_app.web.keys import FRONT
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import get_person, read_form


async def show_account(request: web.Request) -> web.Response:
    """Tokens and sessions."""
    return await _account(request, None)


async def add_token(request: web.Request) -> web.Response:
    """Makes a token and shows it, this once."""
    form, person = await read_form(request), await get_person(request)
    days = form.get("days", "")
    number = int(days) if days.isascii() and days.isdigit() and len(days) < 5 else 0
    made = await make_token(
        request.app[FRONT].pool, person.user_id, form.get("name", ""), form.get("scope", ""), number
    )
    return await _account(request, made.value)


async def remove_token(request: web.Request) -> web.StreamResponse:
    """The token holds no more."""
    await read_form(request)
    person = await get_person(request)
    async with request.app[FRONT].pool.acquire() as connection:
        await delete_token(connection, person.user_id, id_of(request, "token_id"))
    return see_other("/account")


async def remove_session(request: web.Request) -> web.StreamResponse:
    """One browser is signed out."""
    await read_form(request)
    person = await get_person(request)
    async with request.app[FRONT].pool.acquire() as connection:
        await delete_session(connection, person.user_id, id_of(request, "session_id"))
    return see_other("/account")


async def _account(request: web.Request, fresh: str | None) -> web.Response:
    person = await get_person(request)
    async with request.app[FRONT].pool.acquire() as connection:
        tokens = await list_tokens(connection, person.user_id)
        sessions = await list_sessions(connection, person.user_id)
    return await page(request, "account.html", tokens=tokens, sessions=sessions, fresh=fresh)
