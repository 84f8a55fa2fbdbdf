"""The web application: its routes in one table."""

from __future__ import annotations

from pathlib import Path

import jinja2
from aiohttp import web

from forgeguard_app.flows.take_pushes import Pushes
from forgeguard_app.store.pool import Pool
from forgeguard_app.vault import Signer
from forgeguard_app.web import keys
from forgeguard_app.web.health import healthz, readyz
from forgeguard_app.web.metrics import metrics
from forgeguard_app.web.middlewares import guarded
from forgeguard_app.web.pages.audits import show_audit
from forgeguard_app.web.webhook import webhook

_HERE = Path(__file__).parent


def make_web(pool: Pool, links: Signer, webhook_secrets: tuple[bytes, ...], github_url: str) -> web.Application:
    """The application over an open pool; without webhook secrets it refuses deliveries."""
    app = web.Application(middlewares=[guarded])
    app[keys.POOL] = pool
    app[keys.PUSHES] = Pushes(pool)
    app[keys.LINKS] = links
    app[keys.WEBHOOK_SECRETS] = webhook_secrets
    app[keys.GITHUB_URL] = github_url
    app[keys.TEMPLATES] = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    app.router.add_routes(
        [
            web.post("/webhooks/github", webhook),
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", metrics),
            web.get("/audits/{run_id}", show_audit),
            web.static("/static", _HERE / "static"),
        ]
    )
    return app
