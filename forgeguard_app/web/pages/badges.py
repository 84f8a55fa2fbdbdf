"""The page that offers a repository's badge to copy."""

from __future__ import annotations

import time
from html import escape
from urllib.parse import quote, urlencode

from aiohttp import web

from forgeguard_app.flows.people.repo_access import AccessLevel
from forgeguard_app.vault import LINK_LIFE_S, sign_until
from forgeguard_app.web.access import open_named
from forgeguard_app.web.badges import LABEL, MAX_NAME_CHARS
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.render import page


async def show_badge(request: web.Request) -> web.Response:
    """Markdown, HTML and the endpoint; a private repository's link is for those who see it."""
    context, view = request.app[CONTEXT], await open_named(request)
    repo, branch = view.repo, request.query.get("branch", "")[:MAX_NAME_CHARS].replace("\0", "")
    query = {"branch": branch} if branch else {}
    if repo.private and view.level >= AccessLevel.READ:
        query["signature"] = sign_until(context.keys.badges, str(repo.id), int(time.time()) + LINK_LIFE_S)
    asked = f"?{urlencode(query)}" if query else ""
    base, target = f"/badges/{quote(repo.full_name)}", f"{context.address}/repos/{quote(repo.full_name)}"
    image = f"{context.address}{base}.svg{asked}"
    return await page(
        request,
        "badge.html",
        repo=repo,
        link_days=LINK_LIFE_S // 86_400,
        branch=branch,
        image=f"{base}.svg{asked}",
        markdown=f"[![{LABEL}]({image})]({target})",
        html=f'<a href="{escape(target)}"><img src="{escape(image)}" alt="{LABEL}"></a>',
        endpoint=f"{context.address}{base}.json{asked}",
    )
