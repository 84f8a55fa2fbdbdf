"""Who asks: a browser's session or a personal API token, and what keeps strangers from asking in their name."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from aiohttp import web
from multidict import MultiDict, MultiDictProxy

from forgeguard_app.flows.front import Front
from forgeguard_app.flows.know_access import Person
from forgeguard_app.store.sessions import LIFE_DAYS, find_session, find_token
from forgeguard_app.vault import digest, new_secret
from forgeguard_app.web.keys import FRONT

PERSON: web.RequestKey[Person | None] = web.RequestKey("PERSON")
SESSION, NOTE, SETUP = "forgeguard_session", "forgeguard_sign_in", "forgeguard_setup"
MAX_RETURN_CHARS = 500
_CSRF = "csrf"


def cookie_name(front: Front, name: str) -> str:
    """Over HTTPS the browser itself vouches that nobody else set the cookie (RFC 6265bis, __Host- prefix)."""
    return f"__Host-{name}" if _secure(front) else name


def _secure(front: Front) -> bool:
    return front.address.startswith("https://")


def set_cookie(front: Front, response: web.StreamResponse, name: str, value: str, max_age_s: int | None) -> None:
    """A cookie that scripts do not see and other sites do not send along with a form."""
    response.set_cookie(
        cookie_name(front, name),
        value,
        max_age=max_age_s,
        path="/",
        httponly=True,
        secure=_secure(front),
        samesite="Lax",
    )


def drop_cookie(front: Front, response: web.StreamResponse, name: str) -> None:
    """The browser forgets the cookie."""
    response.del_cookie(cookie_name(front, name), path="/", httponly=True, secure=_secure(front), samesite="Lax")


def keep_session(front: Front, response: web.StreamResponse, secret: str) -> None:
    """The browser is signed in from here on."""
    set_cookie(front, response, SESSION, secret, LIFE_DAYS * 86_400)


async def find_person(request: web.Request) -> Person | None:
    """Who asks, by token or by cookie; None for nobody.

    Raises:
        HTTPUnauthorized: a token that does not hold.
    """
    if PERSON not in request:
        request[PERSON] = await _look(request)
    return request[PERSON]


async def _look(request: web.Request) -> Person | None:
    front = request.app[FRONT]
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        async with front.pool.acquire() as connection:
            found = await find_token(connection, digest(value.strip()))
        if found is None:
            raise web.HTTPUnauthorized(reason="This token does not hold: it is wrong, expired or deleted.")
        return Person(found.user_id, found.github_id, found.github_login, found.key, found.scope)
    secret = request.cookies.get(cookie_name(front, SESSION))
    if not secret:
        return None
    async with front.pool.acquire() as connection:
        found = await find_session(connection, digest(secret))
    return None if found is None else Person(found.user_id, found.github_id, found.github_login, found.key, None)


async def get_person(request: web.Request) -> Person:
    """Who asks; a browser in which nobody is signed in is sent to sign in and back.

    Raises:
        HTTPSeeOther: to the sign-in.
    """
    person = await find_person(request)
    if person is None or person.scope is not None:
        raise web.HTTPSeeOther(sign_in_link(request))
    return person


def sign_in_link(request: web.Request) -> str:
    """The way to sign in and back to this page."""
    back = request.path_qs if request.method == "GET" and len(request.path_qs) < MAX_RETURN_CHARS else "/"
    return "/login?" + urlencode({"return_to": back})


def own_path(text: str) -> str:
    """A path on this server, whatever was asked for."""
    parts = urlsplit(text)
    fine = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    clean = fine and len(text) < MAX_RETURN_CHARS and text.isprintable() and "\\" not in text
    return text if clean else "/"


def csrf_token(front: Front, person: Person | None) -> str:
    """What every form of this session carries; another one each time, since a compressed page gives away what stays the same."""
    if person is None:
        return ""
    nonce = new_secret()[:16]
    return f"{nonce}.{front.keys.forms.sign(_signed(person, nonce))}"


def _signed(person: Person, nonce: str) -> str:
    return f"{_CSRF}/{person.key}/{nonce}"


async def read_form(request: web.Request, most_bytes: int | None = None) -> MultiDictProxy[str]:
    """The form of a signed-in person, sent from our own page; `most_bytes` where it carries more than forms do.

    Raises:
        HTTPForbidden: it came from elsewhere, or carries no token of this session.
        HTTPRequestEntityTooLarge, HTTPBadRequest: it is no form of ours.
        HTTPSeeOther: nobody is signed in.
    """
    front = request.app[FRONT]
    refuse_foreign(request)
    person = await get_person(request)
    if request.content_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise web.HTTPBadRequest(reason="This is not a form.")
    try:
        large = request if most_bytes is None else request.clone(client_max_size=most_bytes)
        form = await large.post()
    except (ValueError, UnicodeDecodeError):
        raise web.HTTPBadRequest(reason="The form cannot be read.") from None
    texts = [(name, value.replace("\0", "")) for name, value in form.items() if isinstance(value, str)]
    given = next((value for name, value in texts if name == _CSRF), "")
    nonce, _, signature = given.partition(".")
    if not front.keys.forms.holds(_signed(person, nonce), signature):
        raise web.HTTPForbidden(reason="This form is too old. Load the page again, then send it once more.")
    return MultiDictProxy(MultiDict(texts))


def refuse_foreign(request: web.Request) -> None:
    """A write comes from our own pages alone: browsers say where from.

    Raises:
        HTTPForbidden: it comes from elsewhere.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    front = request.app[FRONT]
    own = site in ("same-origin", "none") if site is not None else origin in (None, front.address, _origin(request))
    if not own:
        raise web.HTTPForbidden(reason="This was sent from another site. Open the page here and try again.")


def _origin(request: web.Request) -> str:
    return f"{request.scheme}://{request.host}"
