"""Authenticates a browser's session or a personal API token, and refuses forms of other sites."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

from aiohttp import web
from multidict import MultiDict, MultiDictProxy

from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.flows.people.keep_form import drop_form
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.store.sessions import LIFE_DAYS, find_session, find_token
from forgeguard_app.vault import digest, new_secret
from forgeguard_app.web.forms import read_fields
from forgeguard_app.web.keys import CONTEXT, context_of

PERSON: web.RequestKey[Person | None] = web.RequestKey("PERSON")
UNKNOWN: web.RequestKey[bool] = web.RequestKey("UNKNOWN")  # whether it cannot be told who asks, as without a database
SESSION, NOTE, SETUP, KEPT_FORMS = "forgeguard_session", "forgeguard_sign_in", "forgeguard_setup", "forgeguard_forms"
MAX_RETURN_CHARS = 500
MADE_FOR_S = 30 * 86_400  # how long a form proves for whom it was rendered, as long as a session lasts
SIGNED_OUT = "You are signed out. Sign in again; what you wrote is still on this page."
_CSRF, KEPT = "csrf", "kept_form"
_LINK_KEYS = ("signature", "expires")


@dataclass(frozen=True, slots=True)
class SentForm:
    """A form as it was sent, without its token.

    `user_id` is the person for whom the form was rendered, None where its token does not prove it.
    `kept_id` is the kept form that it repeats.
    """

    fields: tuple[tuple[str, str], ...]
    user_id: UUID | None
    token: str
    kept_id: UUID | None


SENT: web.RequestKey[SentForm] = web.RequestKey("SENT")


class Interrupted(Exception):
    """A form that cannot be accepted as it is: its session ended, or its page is too old."""

    def __init__(self, sent: SentForm) -> None:
        super().__init__("a form without its session")
        self.sent = sent


def cookie_name(context: WebContext, name: str) -> str:
    """Over HTTPS the browser itself vouches that nobody else set the cookie (RFC 6265bis, __Host- prefix)."""
    # https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
    return f"__Host-{name}" if _secure(context) else name


def _secure(context: WebContext) -> bool:
    return context.address.startswith("https://")


def set_cookie(context: WebContext, response: web.StreamResponse, name: str, value: str, max_age_s: int | None) -> None:
    """Set a cookie that scripts do not see and other sites do not send along with a form."""
    response.set_cookie(
        cookie_name(context, name),
        value,
        max_age=max_age_s,
        path="/",
        httponly=True,
        secure=_secure(context),
        # Strict would leave out the cookie when GitHub sends the browser back:
        # https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie#samesitesamesite-value
        samesite="Lax",
    )


def drop_cookie(context: WebContext, response: web.StreamResponse, name: str) -> None:
    """Let the browser forget the cookie."""
    response.del_cookie(cookie_name(context, name), path="/", httponly=True, secure=_secure(context), samesite="Lax")


def keep_session(context: WebContext, response: web.StreamResponse, secret: str) -> None:
    """Sign the browser in from here on."""
    set_cookie(context, response, SESSION, secret, LIFE_DAYS * 86_400)


async def find_person(request: web.Request) -> Person | None:
    """Return who asks, by token or by cookie; None for nobody.

    Raises:
        HTTPUnauthorized: a token that does not hold.
    """
    if PERSON not in request:
        request[PERSON] = await _look(request)
    return request[PERSON]


async def _look(request: web.Request) -> Person | None:
    context = context_of(request)
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        async with context.pool.acquire() as connection:
            found = await find_token(connection, digest(value.strip()))
        if found is None:
            raise web.HTTPUnauthorized(reason="This token does not hold: it is wrong, expired or deleted.")
        return Person(found.user_id, found.github_id, found.github_login, found.key, found.scope)
    secret = request.cookies.get(cookie_name(context, SESSION))
    if not secret:
        return None
    async with context.pool.acquire() as connection:
        found = await find_session(connection, digest(secret))
    return None if found is None else Person(found.user_id, found.github_id, found.github_login, found.key, None)


async def get_person(request: web.Request) -> Person:
    """Return who asks; a browser in which nobody is signed in is sent to sign in and back.

    Raises:
        HTTPSeeOther: to the sign-in.
    """
    person = await find_person(request)
    if person is None or person.scope is not None:
        raise web.HTTPSeeOther(sign_in_link(request))
    return person


def sign_in_link(request: web.Request) -> str:
    """Return the address of the sign-in that leads back to this page, or to the page with the form that was sent."""
    return sign_in_and_back(request.path_qs if request.method == "GET" else page_before(request))


def sign_in_and_back(path: str) -> str:
    """Return the address of the sign-in that leads to a path of ours."""
    parts = urlsplit(path)
    # A signature in the address is not needed by who is signed in, and would travel further with each redirect.
    query = urlencode([pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in _LINK_KEYS])
    back = parts.path + (f"?{query}" if query else "")
    return "/login?" + urlencode({"return_to": back if len(back) < MAX_RETURN_CHARS else "/"})


def page_before(request: web.Request) -> str:
    """Return the path of our own page that the request came from; the start page where it does not say."""
    parts = urlsplit(request.headers.get("Referer", ""))
    own = f"{parts.scheme}://{parts.netloc}" in (request.app[CONTEXT].address, _origin(request))
    return own_path(parts.path + (f"?{parts.query}" if parts.query else "")) if own else "/"


def is_script(request: web.Request) -> bool:
    """Return whether a script of our pages asks, which shows a problem in its page instead of another page."""
    return "HX-Request" in request.headers or request.headers.get("X-Requested-With") == "forgeguard"


def own_path(text: str) -> str:
    """Return a path on this server, whatever was asked for."""
    parts = urlsplit(text)
    fine = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    clean = fine and len(text) < MAX_RETURN_CHARS and text.isprintable() and "\\" not in text
    return text if clean else "/"


def csrf_token(context: WebContext, person: Person | None) -> str:
    """Return a new token for a form of this session; it differs each time, since a compressed page reveals what stays
    the same.

    Its first signature holds for the session, its second one proves for whom the form was rendered after the session
    ended.
    """
    if person is None:
        return ""
    nonce = f"{int(time.time()):x}-{new_secret()[:16]}"
    user, sign = person.user_id.hex, context.keys.forms.sign
    return f"{nonce}.{user}.{sign(_of_session(person, nonce))}.{sign(_of_person(user, nonce))}"


def _of_session(person: Person, nonce: str) -> str:
    return f"{_CSRF}/{person.key}/{nonce}"


def _of_person(user: str, nonce: str) -> str:
    return f"made-for/{user}/{nonce}"


def _token_holds(context: WebContext, person: Person, token: str) -> bool:
    parts = token.split(".")
    return len(parts) == 4 and context.keys.forms.holds(_of_session(person, parts[0]), parts[2])


def _made_for(context: WebContext, token: str) -> UUID | None:
    """Return the person for whom we rendered the form with this token within the last 30 days."""
    parts = token.split(".")
    if len(parts) != 4 or not context.keys.forms.holds(_of_person(parts[1], parts[0]), parts[3]):
        return None
    made_at = int(parts[0].partition("-")[0], 16)
    return UUID(parts[1]) if time.time() - made_at < MADE_FOR_S else None


async def read_form(request: web.Request, most_bytes: int | None = None) -> MultiDictProxy[str]:
    """Return the form of a signed-in person, sent from our own page; `most_bytes` where it carries more than forms do.

    Raises:
        HTTPForbidden: it came from elsewhere.
        HTTPRequestEntityTooLarge, HTTPBadRequest: it is no form of ours.
        Interrupted: nobody is signed in, or the form carries no token of this session.
    """
    context = request.app[CONTEXT]
    refuse_foreign(request)
    sent = await read_sent(request, most_bytes)
    person = await find_person(request)
    if person is None or person.scope is not None or not _token_holds(context, person, sent.token):
        raise Interrupted(sent)
    if sent.kept_id is not None:
        await drop_form(context, person, sent.kept_id)
    return MultiDictProxy(MultiDict(sent.fields))


async def read_sent(request: web.Request, most_bytes: int | None = None) -> SentForm:
    """Return the form's fields, read once for each request; nothing is checked but its shape.

    Raises:
        HTTPRequestEntityTooLarge, HTTPBadRequest: it is no form of ours.
    """
    if SENT in request:
        return request[SENT]
    texts = [(name, value.replace("\0", "")) for name, value in await read_fields(request, most_bytes)]
    own = dict(reversed([text for text in texts if text[0] in (_CSRF, KEPT)]))
    token, fields = own.get(_CSRF, ""), tuple(text for text in texts if text[0] not in (_CSRF, KEPT))
    request[SENT] = SentForm(fields, _made_for(request.app[CONTEXT], token), token, _uuid(own.get(KEPT, "")))
    return request[SENT]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def refuse_foreign(request: web.Request) -> None:
    """Refuse a write that comes from no page of ours: browsers say where from.

    Raises:
        HTTPForbidden: it comes from elsewhere.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    context = request.app[CONTEXT]
    own = site in ("same-origin", "none") if site is not None else origin in (None, context.address, _origin(request))
    if not own:
        raise web.HTTPForbidden(reason="This was sent from another site. Open the page here and try again.")


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"
