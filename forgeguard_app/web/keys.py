"""Typed keys of what handlers find on the application."""

from __future__ import annotations

import jinja2
from aiohttp import web

from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.flows.intake.push_batcher import PushBatcher
from forgeguard_app.store.changes import ChangeFeed
from forgeguard_app.store.pool import Pool

CONTEXT: web.AppKey[WebContext] = web.AppKey("CONTEXT")
POOL: web.AppKey[Pool] = web.AppKey("POOL")
PUSHES: web.AppKey[PushBatcher] = web.AppKey("PUSHES")
CHANGES: web.AppKey[ChangeFeed] = web.AppKey("CHANGES")
REQUEST_ID: web.RequestKey[str] = web.RequestKey("REQUEST_ID")
TEMPLATES: web.AppKey[jinja2.Environment] = web.AppKey("TEMPLATES")
