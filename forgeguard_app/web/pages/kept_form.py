"""The page of a form that was kept over a sign-in."""

from __future__ import annotations

from aiohttp import web

from forgeguard_app.flows.people.keep_form import FormOfAnotherPerson, drop_form, open_form
from forgeguard_app.web.access import id_of
from forgeguard_app.web.interrupted import Again, ask_again
from forgeguard_app.web.keys import CONTEXT, REQUEST_ID
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import KEPT_FORMS, cookie_name, get_person, read_form

_GONE = "This form is not kept any more: it was sent, dropped, or written more than an hour ago or in another browser."
_SIGNED_IN = "You are signed in again, and nothing was changed yet. What you wrote is below."


async def show_kept_form(request: web.Request) -> web.StreamResponse:
    """Show what the person wrote before they had to sign in; a click sends it."""
    context, person = request.app[CONTEXT], await get_person(request)
    browser = request.cookies.get(cookie_name(context, KEPT_FORMS), "")
    try:
        kept = await open_form(context, person, browser, id_of(request, "form_id"))
    except FormOfAnotherPerson as error:
        message = (
            f"{error.login} wrote this form, and you are signed in as {person.login}. Sign in as {error.login} "
            f"to send it."
        )
        return await page(
            request,
            "wrong.html",
            status=403,
            title="Somebody else's form",
            message=message,
            request_id=request[REQUEST_ID],
        )
    if kept is None:
        raise web.HTTPNotFound(reason=_GONE)
    again = Again("Send what you wrote?", _SIGNED_IN, "Send it now", path=kept.path, kept_id=kept.id)
    return await ask_again(request, kept.fields, again)


async def drop_kept_form(request: web.Request) -> web.StreamResponse:
    """Delete a kept form without sending it."""
    await read_form(request)
    await drop_form(request.app[CONTEXT], await get_person(request), id_of(request, "form_id"))
    return see_other("/")
