"""The page that explains each rule."""

from __future__ import annotations

from aiohttp import web

from forgeguard_app.audit.check_kinds import secrets_kind
from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.explain import explain
from forgeguard_app.audit.secrets.scanner import RULES
from forgeguard_app.web.render import page


async def show_rules(request: web.Request) -> web.Response:
    """Show all rules."""
    checks = [
        {"code": str(code), "name": check.kind.name, "first": check.about.split("\n\n")[0]}
        for code, check in CHECKS.items()
    ]
    return await page(
        request, "rules.html", title="Rules", text=None, checks=checks, rules=RULES, rules_of=secrets_kind().code
    )


async def show_rule(request: web.Request) -> web.Response:
    """Return one of them, in the words that `forgeguard audit --explain` prints too."""
    name = request.match_info["rule"][:200]
    text = explain(name)
    if text is None:
        raise web.HTTPNotFound(reason="There is no such rule.")
    return await page(request, "rules.html", title=name, text=text, checks=[], rules=[])
