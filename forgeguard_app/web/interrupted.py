"""Answers to forms that cannot be accepted as they are: nothing that was written is lost, and nothing is sent without a
click.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from forgeguard_app.errors import UserError
from forgeguard_app.flows.people.keep_form import Fields, keep_form
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.store.kept_forms import KEPT_S
from forgeguard_app.vault import new_secret
from forgeguard_app.web.keys import CONTEXT, REQUEST_ID
from forgeguard_app.web.problems import problem
from forgeguard_app.web.render import page
from forgeguard_app.web.session import (
    KEPT_FORMS,
    PERSON,
    SESSION,
    SIGNED_OUT,
    SentForm,
    cookie_name,
    csrf_token,
    drop_cookie,
    is_script,
    page_before,
    set_cookie,
    sign_in_and_back,
    sign_in_link,
)

MAX_SHOWN_CHARS = 2_000
# What people type into our forms; every other field is a choice or hidden.
LABELS = {
    "name": "Name",
    "description": "In one sentence",
    "repository": "Repository",
    "reason": "Why",
    "content": "Text",
    "confirmation": "Name of what is deleted",
}
_OWN_FIELDS = ("touched", "version", "check_code", "fingerprint", "chosen", "unlink", "preview", "mine")
_OLD = "This page was open for a long time, or you signed in again meanwhile. Nothing was changed yet."
_FOREIGN = (
    "You are signed in as {login}, and this page was opened by somebody else. Load the page again to see it as {login}."
)
_FORGED = "This form carries no valid token of ours. Load the page again, then send it once more."
_AWAY = "{why} Nothing was changed, and what you wrote is below."


async def answer_interrupted(request: web.Request, sent: SentForm) -> web.StreamResponse:
    """Answer a form whose session ended, or whose page is too old."""
    person = request.get(PERSON)
    if is_script(request) or "text/html" not in request.headers.get("Accept", ""):
        return _to_script(request, person, sent)
    if person is None or person.scope is not None:
        return await _sign_in_to_continue(request, sent)
    if sent.user_id == person.user_id:
        again = Again("Send it again?", _OLD, "Send it again", HTTPStatus.FORBIDDEN)
        return await ask_again(request, sent.fields, again)
    message = _FORGED if sent.user_id is None else _FOREIGN.format(login=person.login)
    return await page(
        request,
        "wrong.html",
        status=403,
        title="Forbidden",
        message=message,
        request_id=request[REQUEST_ID],
    )


def _to_script(request: web.Request, person: Person | None, sent: SentForm) -> web.StreamResponse:
    """Say it so that our script can go on: where to sign in, or a token for the same person's present session."""
    if person is None or person.scope is not None:
        return problem(401, SIGNED_OUT, more={"sign_in": sign_in_and_back(page_before(request))})
    if sent.user_id == person.user_id and is_script(request):
        return problem(403, _OLD, more={"csrf": csrf_token(request.app[CONTEXT], person)})
    return problem(403, _FORGED if sent.user_id is None else _FOREIGN.format(login=person.login))


async def _sign_in_to_continue(request: web.Request, sent: SentForm) -> web.StreamResponse:
    """Keep the form where its token proves for whom we rendered it, and show the way to sign in and back to it."""
    context = request.app[CONTEXT]
    browser = request.cookies.get(cookie_name(context, KEPT_FORMS), "") or new_secret()
    kept_id = await keep_form(context, sent.user_id, browser, request.path, sent.fields) if sent.user_id else None
    sign_in = sign_in_link(request) if kept_id is None else sign_in_and_back(f"/continue/{kept_id}")
    response = await page(
        request,
        "sign_in_to_continue.html",
        status=401,
        kept=kept_id is not None,
        kept_minutes=KEPT_S // 60,
        sign_in=sign_in,
    )
    if kept_id is not None:
        set_cookie(context, response, KEPT_FORMS, browser, KEPT_S)
    if request.get(PERSON) is None:
        drop_cookie(context, response, SESSION)
    return response


@dataclass(frozen=True, slots=True)
class Again:
    """The message around a form that was not accepted as it came.

    `path` is where the form goes, None for where it came.
    `token` is the form's own token, where no other can be made now.
    `edited` says whether its texts can be changed, `wrong` names the field that the text is about.
    """

    title: str
    message: str
    button: str
    status: int = 200
    path: str | None = None
    kept_id: UUID | None = None
    token: str | None = None
    edited: bool = False
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One field as the page shows it; `label` is empty for one that nobody types."""

    name: str
    value: str
    label: str

    @property
    def shown(self) -> str:
        """The beginning of its value; empty for a field of our own, which nobody wrote."""
        is_own = self.name in _OWN_FIELDS or self.name.startswith(("writer.", "base."))
        return "" if is_own else self.value[:MAX_SHOWN_CHARS]


async def ask_again(request: web.Request, fields: Fields, again: Again) -> web.Response:
    """Show a form as it was sent, with a button that sends it again."""
    shown = [Field(name, value, _label(name, again.wrong)) for name, value in fields]
    return await page(
        request,
        "send_again.html",
        status=again.status,
        again=again,
        path=again.path or request.path,
        fields=shown,
        back=page_before(request),
    )


def _label(name: str, wrong: str) -> str:
    return LABELS.get(name, "Value" if name == wrong else "")


async def answer_away(request: web.Request, sent: SentForm, why: str) -> web.Response:
    """Show a form that arrived while the database or GitHub was away; its own token is still good."""
    again = Again(
        "Not saved yet", _AWAY.format(why=why), "Send it again", HTTPStatus.SERVICE_UNAVAILABLE, token=sent.token
    )
    return await ask_again(request, sent.fields, again)


async def answer_refused(request: web.Request, sent: SentForm, error: UserError) -> web.Response:
    """Show a form that was refused, with the reason beside its field and everything that was written."""
    again = Again("Not saved", str(error), "Send it again", HTTPStatus.BAD_REQUEST, edited=True, wrong=error.field)
    return await ask_again(request, sent.fields, again)
