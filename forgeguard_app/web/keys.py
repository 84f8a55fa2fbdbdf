"""Typed keys of what handlers find on the application."""

from __future__ import annotations

import jinja2
from aiohttp import web

from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.flows.intake.receive_delivery import IntakeLines
from forgeguard_app.store.changes import ChangeFeed

CONTEXT: web.AppKey[WebContext] = web.AppKey("CONTEXT")
STREAM_CONTEXT: web.AppKey[WebContext] = web.AppKey("STREAM_CONTEXT")
INTAKE: web.AppKey[IntakeLines] = web.AppKey("INTAKE")
CHANGES: web.AppKey[ChangeFeed] = web.AppKey("CHANGES")
REQUEST_ID: web.RequestKey[str] = web.RequestKey("REQUEST_ID")
TEMPLATES: web.AppKey[jinja2.Environment] = web.AppKey("TEMPLATES")
_OF_STREAM: web.RequestKey[bool] = web.RequestKey("_OF_STREAM")


def mark_stream(request: web.Request) -> None:
    """Let the request take connections of the streams' share from here on, and none of the pages'."""
    request[_OF_STREAM] = True


def context_of(request: web.Request) -> WebContext:
    """Return the context with the connections that the request may take."""
    return request.app[STREAM_CONTEXT if request.get(_OF_STREAM, False) else CONTEXT]
