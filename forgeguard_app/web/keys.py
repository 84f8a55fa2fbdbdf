"""What handlers find on the application, typed."""

from __future__ import annotations

import jinja2
from aiohttp import web

from forgeguard_app.flows.context.web_context import Front
from forgeguard_app.flows.intake.push_batcher import Pushes
from forgeguard_app.store.changes import Changes
from forgeguard_app.store.pool import Pool

FRONT: web.AppKey[Front] = web.AppKey("FRONT")
POOL: web.AppKey[Pool] = web.AppKey("POOL")
PUSHES: web.AppKey[Pushes] = web.AppKey("PUSHES")
CHANGES: web.AppKey[Changes] = web.AppKey("CHANGES")
REQUEST_ID: web.RequestKey[str] = web.RequestKey("REQUEST_ID")
TEMPLATES: web.AppKey[jinja2.Environment] = web.AppKey("TEMPLATES")
