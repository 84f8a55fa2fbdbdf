"""Middleware of every request: an id for the log, security headers, and one place for errors."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from aiohttp import web

from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.flows.people.repo_access import SignedOut
from forgeguard_app.store.pool import DATABASE_ERRORS, RowLocked
from forgeguard_app.web.connections import SERVER, BodyTooSlow, body_deadline
from forgeguard_app.web.interrupted import answer_away, answer_interrupted, answer_refused
from forgeguard_app.web.keys import CONTEXT, REQUEST_ID
from forgeguard_app.web.page_rates import PAGE_RATES
from forgeguard_app.web.problems import problem
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import (
    PERSON,
    SENT,
    SESSION,
    SIGNED_OUT,
    UNKNOWN,
    Interrupted,
    SentForm,
    drop_cookie,
    find_person,
    is_script,
    read_sent,
    sign_in_link,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RETRY_AFTER_S = 5
HSTS_S = 31_536_000
BODY_LIMIT_S: web.AppKey[float] = web.AppKey("BODY_LIMIT_S")
_HEADERS = {
    "Cache-Control": "no-store",  # of what says nothing of it: a problem, a figure
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}
_IN_WORDS = {
    401: "Please sign in.",
    403: "This is not allowed.",
    404: "There is no such page, or you may not see it.",
    405: "This address does not take that.",
    413: "That is more than we read: a form has at most 200 KB.",
}
log = structlog.get_logger()


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what went wrong without telling of our insides."""
    request_id = request[REQUEST_ID] = secrets.token_hex(8)
    in_time = body_deadline(request, request.app[BODY_LIMIT_S])
    with structlog.contextvars.bound_contextvars(request_id=request_id), in_time:
        return await _answered(request, handler, request_id)


async def mark(request: web.Request, response: web.StreamResponse) -> None:
    """Give every answer its headers, streams too, just before it leaves."""
    response.headers["Server"] = SERVER
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.app[CONTEXT].address.startswith("https://"):
        response.headers.setdefault("Strict-Transport-Security", f"max-age={HSTS_S}")


async def _answered(request: web.Request, handler: Handler, request_id: str) -> web.StreamResponse:
    try:
        if "%00" in request.raw_path:  # no name, cursor or filter holds one, and PostgreSQL takes none
            raise web.HTTPBadRequest(reason="The address holds a NUL character.")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise web.HTTPUnsupportedMediaType(reason="Send the body uncompressed.")
        await request.app[PAGE_RATES].take(request)
        return await handler(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            return _elsewhere(request, error.headers.get("Location", "/"))
        plain = error.reason == HTTPStatus(error.status).phrase
        message = _IN_WORDS.get(error.status, error.reason) if plain else error.reason
        wrong = await _wrong(request, error.status, message, request_id)
        for name in ("Allow", "Retry-After"):
            if name in error.headers:
                wrong.headers[name] = error.headers[name]
        return wrong
    except Interrupted as error:
        return await answer_interrupted(request, error.sent)
    except SignedOut:
        return await _signed_out(request, request_id)
    except UserError as error:
        if SENT in request and _is_page(request) and not is_script(request):
            return await answer_refused(request, request[SENT], error)
        return await _wrong(request, HTTPStatus.BAD_REQUEST, str(error), request_id)
    except Exception as error:
        return await _wrong(request, *_meaning(error, request_id), request_id)


def _meaning(error: Exception, request_id: str) -> tuple[int, str]:
    """Return the status and the message; nothing of the error itself unless it was written for people."""
    if isinstance(error, BodyTooSlow):
        return 408, "The body did not arrive in time."
    if isinstance(error, RetryLater):
        log.warning("request.temporary", reason=str(error))
        return 503, "GitHub cannot be asked just now; try again in a moment."
    if isinstance(error, ConnectionError):
        return 400, "The connection ended before the answer did."
    if isinstance(error, DATABASE_ERRORS):
        log.warning("request.database_away", error=type(error).__name__)
        return 503, "The database is away; try again in a moment."
    if isinstance(error, RowLocked):
        log.warning("request.locked", reason=str(error))
        return 503, "Another change of this repository or its account is being stored; try again in a moment."
    log.error("request.failed", error=type(error).__name__, exc_info=error)
    return 500, f"An error on our side. Tell the operator this id: {request_id}"


def _elsewhere(request: web.Request, address: str) -> web.Response:
    """Send the browser on; a script that would have to sign in is told, since GitHub's pages are not for scripts."""
    if is_script(request) and address.startswith("/login?"):
        return problem(HTTPStatus.UNAUTHORIZED, SIGNED_OUT, more={"sign_in": sign_in_link(request)})
    return see_other(address)


async def _signed_out(request: web.Request, request_id: str) -> web.StreamResponse:
    request[PERSON] = None
    if SENT in request:
        return await answer_interrupted(request, request[SENT])
    if not _is_page(request):
        message = "GitHub takes your sign-in no more. Sign in again in the browser."
        return await _wrong(request, 401, message, request_id)
    response = _elsewhere(request, sign_in_link(request))
    drop_cookie(request.app[CONTEXT], response, SESSION)
    return response


def _is_page(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith(("/api/", "/webhooks/"))


async def _wrong(request: web.Request, status: int, message: str, request_id: str) -> web.StreamResponse:
    retry = RETRY_AFTER_S if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    if not _is_page(request):
        return problem(status, message, retry_after_s=retry)
    if PERSON not in request:
        try:
            await find_person(request)
        except Exception:  # what went wrong may be how we know who asks
            request[PERSON], request[UNKNOWN] = None, True
    sent = await _sent(request) if status == HTTPStatus.SERVICE_UNAVAILABLE and request.method == "POST" else None
    if sent is not None:
        response = await answer_away(request, sent, message)
    else:
        title = HTTPStatus(status).phrase
        response = await page(
            request,
            "wrong.html",
            status=status,
            title=title,
            message=message,
            request_id=request_id,
            retry_s=_retry_of(request, retry),
        )
    if retry is not None:
        response.headers["Retry-After"] = str(retry)
    return response


async def _sent(request: web.Request) -> SentForm | None:
    """Return the form that was sent, which is not lost because of us; None where it was none."""
    try:
        return await read_sent(request)
    except web.HTTPException:
        return None


def _retry_of(request: web.Request, retry: int | None) -> int | None:
    """Return after how many seconds the page loads itself again; None where that would do something twice."""
    return retry if request.method == "GET" else None
