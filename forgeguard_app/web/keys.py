"""What handlers find on the application, typed."""

from __future__ import annotations

import jinja2
from aiohttp import web

from forgeguard_app.flows.take_pushes import Pushes
from forgeguard_app.store.pool import Pool
from forgeguard_app.vault import Signer

POOL: web.AppKey[Pool] = web.AppKey("POOL")
PUSHES: web.AppKey[Pushes] = web.AppKey("PUSHES")
WEBHOOK_SECRETS: web.AppKey[tuple[bytes, ...]] = web.AppKey("WEBHOOK_SECRETS")
LINKS: web.AppKey[Signer] = web.AppKey("LINKS")
TEMPLATES: web.AppKey[jinja2.Environment] = web.AppKey("TEMPLATES")
GITHUB_URL: web.AppKey[str] = web.AppKey("GITHUB_URL")
