"""What every request passes: an id for the log, security headers, and one place for what went wrong."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from forgeguard_app.store.pool import AWAY
from forgeguard_app.web.problems import problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
RETRY_AFTER_S = 5
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}
log = structlog.get_logger()


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers what went wrong without telling of our insides, and marks every answer."""
    request_id = secrets.token_hex(8)
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        response = await _answered(request, handler, request_id)
        response.headers["X-Request-Id"] = request_id
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response


async def _answered(request: web.Request, handler: Handler, request_id: str) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return problem(error.status, error.reason) if error.status >= 400 else error
    except AWAY as error:
        log.warning("request.database_away", error=type(error).__name__)
        return problem(503, "The database is away; try again in a moment.", retry_after_s=RETRY_AFTER_S)
    except Exception as error:
        log.error("request.failed", error=type(error).__name__, exc_info=True)
        return problem(500, f"Our mistake. Tell the operator this id: {request_id}")
