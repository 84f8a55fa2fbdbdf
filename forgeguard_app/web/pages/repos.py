"""A repository: its audits in time and their trend."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from forgeguard_app.flows.know_access import Level
from forgeguard_app.store.timeline import Filter, Point, list_entries, list_trend
from forgeguard_app.store.versions import find_repo_version
from forgeguard_app.web.access import open_named
from forgeguard_app.web.cursors import cursor_of, read_cursor
from forgeguard_app.web.keys import FRONT
from forgeguard_app.web.render import page

PAGE = 40
TREND = 60
TALLEST = 56
MAX_CHARS = 300
RESULTS = ("PASS", "FAIL", "ERROR", "WAITING")


def read_filter(request: web.Request) -> Filter:
    """What is asked for; what cannot be is left out."""
    asked = {
        name: request.query.get(name, "").strip()[:MAX_CHARS].replace("\0", "")
        for name in ("branch", "result", "author")
    }
    result = asked["result"].upper()
    return Filter(asked["branch"] or None, result if result in RESULTS else None, asked["author"] or None)


async def show_repo(request: web.Request) -> web.Response:
    """The repository's page."""
    seen, wanted = await open_named(request), read_filter(request)
    before = read_cursor(request.query.get("cursor"))
    async with request.app[FRONT].pool.acquire() as connection:
        version = await find_repo_version(connection, seen.repo.id)
        runs = await list_entries(connection, seen.repo.id, wanted, before, PAGE + 1)
        trend = await list_trend(connection, seen.repo.id, seen.repo.default_branch, TREND)
    here = f"/repos/{seen.repo.full_name}"
    asked = {name: value for name, value in request.query.items() if name in ("branch", "result", "author") and value}
    cursor = {"cursor": cursor_of(runs[PAGE - 1].created_at, runs[PAGE - 1].id)} if len(runs) > PAGE else None
    more = None if cursor is None else f"{here}?{urlencode(asked | cursor)}"
    return await page(
        request,
        "repo.html",
        repo=seen.repo,
        is_member=seen.level >= Level.READ,
        runs=runs[:PAGE],
        more=more,
        wanted=wanted,
        trend=trend,
        scale=_scale(trend),
        address=request.path_qs,
        version=version,
    )


def _scale(trend: list[Point]) -> float:
    return TALLEST / max([point.a4 + point.a9 + point.w1 for point in trend] + [1])
