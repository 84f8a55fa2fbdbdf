"""One audit with its checks and findings, behind a signed link; of a public repository without one."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from forgeguard_app.store.audits import find_run, list_checks, list_findings
from forgeguard_app.store.repos import get_repo
from forgeguard_app.web.keys import GITHUB_URL, LINKS, POOL, TEMPLATES

MAX_SHOWN = 500


async def show_audit(request: web.Request) -> web.Response:
    """The page; whoever may not see the audit learns nothing of it."""
    try:
        run_id = UUID(request.match_info["run_id"])
    except ValueError:
        raise web.HTTPNotFound(reason="There is no such audit.") from None
    signed = request.app[LINKS].holds(f"audit/{run_id}", request.query.get("signature", ""))
    async with request.app[POOL].acquire() as connection:
        run = await find_run(connection, run_id)
        repo = None if run is None else await get_repo(connection, run.repo_id)
        if run is None or repo is None or (repo.private and not signed):
            raise web.HTTPNotFound(reason="There is no such audit, or this link does not open it.")
        checks = []
        for check in await list_checks(connection, run_id):
            found = await list_findings(connection, run_id, check.check_code, counted=False, limit=MAX_SHOWN + 1)
            # Where an existing secret stands is for those who may write to the repository.
            shown = [finding for finding in found if finding.is_new or check.check_code != "W1"]
            checks.append((check, shown[:MAX_SHOWN], len(found) > MAX_SHOWN))
    page = (
        request.app[TEMPLATES]
        .get_template("audit.html")
        .render(run=run, repo=repo, checks=checks, github_url=request.app[GITHUB_URL])
    )
    return web.Response(text=page, content_type="text/html", headers={"Cache-Control": "private, no-cache"})
