"""Pages from templates, with what every page shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web

from forgeguard_app.audit.check_kinds import CHECK_KINDS, ConfiguringFile, configured_by
from forgeguard_app.web.in_turn import in_turn
from forgeguard_app.web.keys import CONTEXT, TEMPLATES
from forgeguard_app.web.session import PERSON, UNKNOWN, csrf_token, find_person, sign_in_link
from forgeguard_app.web.static_files import StaticFiles
from forgeguard_app.web.texts import add_filters

# Pages as long as strangers' texts make them, each text masked: seconds for the longest.
LONG = frozenset(
    {
        "allowances.html",
        "audit.html",
        "build.html",
        "configuration.html",
        "contract.html",
        "difference.html",
        "questionnaire.html",
        "repo.html",
        "trial.html",
    }
)


def make_templates(folder: Path, files: StaticFiles) -> jinja2.Environment:
    """Return the templates; whatever they are given is text, never markup."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals["static"] = files.address
    env.globals.update(check_kinds=CHECK_KINDS, boundaries_check=configured_by(ConfiguringFile.BOUNDARIES))
    add_filters(env)
    return env


async def page(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """Return the rendered page; it is the person's own and nobody keeps it.

    Raises:
        HTTPServiceUnavailable: it is a long page, and too many of these are being made.
    """
    context = request.app[CONTEXT]
    person = request[PERSON] if PERSON in request else await find_person(request)
    shown: dict[str, Any] = {
        "person": person,
        "is_unknown": request.get(UNKNOWN, False),
        "csrf": csrf_token(context, person),
        "github_url": context.github_url,
        "app_slug": context.app.slug,
        "can_sign_in": context.app.oauth is not None,
        "is_operator": person is not None and person.github_id in context.operators,
        "sign_in": sign_in_link(request),
        "here": request.path,
        "retry_s": None,
        "updates_from": "",  # where a live page is fetched from, if not from its own address
        "status": status,
        "is_audit": request.path.startswith("/audits/"),
    }
    render, given = request.app[TEMPLATES].get_template(template).render, shown | values
    text = await in_turn(request, render, given) if template in LONG else render(given)
    headers = {"Cache-Control": "private, no-store", "Vary": "Accept-Encoding"}
    response = web.Response(text=text, status=status, content_type="text/html", headers=headers)
    response.enable_compression()
    return response


def see_other(address: str) -> web.Response:
    """On to another page, whatever was sent here."""
    return web.Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})
