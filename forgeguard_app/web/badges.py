"""Status badges: our own SVG in the usual look, and shields.io's endpoint format.

Nobody learns from one what is private.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from hashlib import sha256
from html import escape
from typing import assert_never
from uuid import UUID

from aiohttp import web

from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.flows.people.repo_visibility import is_public
from forgeguard_app.store.badges import find_badge_run
from forgeguard_app.store.repos import Repo, find_repo_named
from forgeguard_app.store.shown_state import Stored, list_states
from forgeguard_app.store.states import RunStatus
from forgeguard_app.vault import holds_now
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.states import ShownState, StateKind, shown_state

LABEL = "ForgeGuard"
STALE_S = 900.0  # an audit takes a second: one that waits so long says nothing of the code any more
MAX_NAME_CHARS = 300
_NOBODY = UUID(int=0)
# GitHub's image proxy keeps what it may keep; with these it asks again each time:
# https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-anonymized-urls
_CACHE = "no-cache, no-store, must-revalidate, max-age=0"
_WIDE, _NARROW = set("mwMWGOQ@%"), set("iljtfrI.,:;|!'()[] ")


@dataclass(frozen=True, slots=True)
class Look:
    """The text and the colour of a badge, in shields.io's words and in ours."""

    message: str
    color: str
    hex: str
    is_error: bool = False


PASS = Look("passing", "brightgreen", "#1a7f37")
WARN = Look("warning", "yellow", "#9a6700")
FAIL = Look("failing", "red", "#cf222e")
ERROR = Look("failing", "orange", "#bc4c00", True)
RUNNING = Look("running", "blue", "#0969da")
STALE = Look("stale", "lightgrey", "#6e7781")
UNKNOWN = Look("unknown", "lightgrey", "#6e7781")


def look_of(state: ShownState | None, age_s: float = 0.0) -> Look:
    """Return what a badge says of a state; None is a branch or repository of which nothing may be said."""
    if state is None:
        return UNKNOWN
    match state.kind:
        case StateKind.PASSED | StateKind.PARTLY:
            return PASS
        case StateKind.WARNED | StateKind.LEAKED:
            return WARN
        case StateKind.FAILED:
            return FAIL
        case StateKind.ERROR:
            return ERROR
        case (
            StateKind.RUNNING
            | StateKind.STARTING
            | StateKind.QUEUED
            | StateKind.RETRYING
            | StateKind.LIMITED
            | StateKind.NO_WORKER
        ):
            return RUNNING if age_s < STALE_S else STALE
        case StateKind.SUSPENDED | StateKind.UNINSTALLED | StateKind.CANCELLED:
            return STALE
        case StateKind.NOTHING | StateKind.DISABLED | StateKind.EMPTY | StateKind.NEVER:
            return UNKNOWN
        case _:
            assert_never(state.kind)


async def branch_badge(request: web.Request) -> web.Response:
    """Serve the badge of a branch, the default one unless the address names another."""
    branch = request.query.get("branch", "")[:MAX_NAME_CHARS].replace("\0", "")
    return await _badge(request, branch or None, None)


async def pull_badge(request: web.Request) -> web.Response:
    """Serve the badge of a pull request's head."""
    return await _badge(request, None, int(request.match_info["number"]))


async def _badge(request: web.Request, branch: str | None, number: int | None) -> web.Response:
    context = request.app[CONTEXT]
    full_name = f"{request.match_info['owner']}/{request.match_info['name']}"[:MAX_NAME_CHARS]
    repo = await _open_repo(context, full_name, request.query.get("signature", ""))
    stored: dict[UUID, Stored] = {}
    if repo is not None:
        async with context.pool.acquire() as connection:
            run_id = await find_badge_run(connection, repo.id, branch, number)
            stored = await list_states(connection, [run_id], with_queue=False) if run_id is not None else {}
    state, age_s = None, 0.0
    for run, place in stored.values():
        held = place.installation != "active"  # what was found before says nothing of later commits
        state, age_s = shown_state(replace(run, status=RunStatus.PENDING) if held else run, place), run.age_s
    look = look_of(state, age_s)
    as_json = request.match_info["form"] == "json"
    text = _endpoint(look) if as_json else draw(LABEL, look, _reason(repo, state))
    etag = f'"{sha256(text.encode()).hexdigest()[:16]}"'
    headers = {
        "Cache-Control": _CACHE,
        "ETag": etag,
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    if etag in re.findall(r'"[^"]*"', request.headers.get("If-None-Match", "")):
        return web.Response(status=304, headers=headers)
    kind = "application/json" if as_json else "image/svg+xml"
    return web.Response(text=text, content_type=kind, headers=headers)


async def _open_repo(context: WebContext, full_name: str, signature: str) -> Repo | None:
    """Return the repository where its state may be told: it is public, or the badge's link is signed.

    A private one and one that is not there cost the same: the time of the answer tells nothing.
    """
    async with context.pool.acquire() as connection:
        repo = await find_repo_named(connection, full_name.replace("\0", ""))
    signed = holds_now(context.keys.badges, str(repo.id if repo else _NOBODY), signature)
    return repo if repo is not None and (signed or await is_public(context, repo)) else None


def _reason(repo: Repo | None, state: ShownState | None) -> str:
    """Return why, for public repositories: the link to a private one's badge gives its state and nothing else."""
    return "" if repo is None or repo.private or state is None or state.waits else state.reason


def _endpoint(look: Look) -> str:
    body = {"schemaVersion": 1, "label": LABEL, "message": look.message, "color": look.color, "isError": look.is_error}
    return json.dumps(body)


def draw(label: str, look: Look, reason: str = "") -> str:
    """Draw the SVG, twenty pixels high; the reason is its tooltip and what a screen reader reads."""
    left, right = _width(label) + 10, _width(look.message) + 10
    total, text = left + right, escape(f"{label}: {look.message}{f' ({reason})' if reason else ''}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" '
        f'aria-label="{text}"><title>{text}</title>'
        f'<clipPath id="r"><rect width="{total}" height="20" rx="3" fill="#fff"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left}" height="20" fill="#444c56"/><rect x="{left}" width="{right}" height="20" '
        f'fill="{look.hex}"/></g>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,Geneva,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2}" y="14" textLength="{left - 10}">{escape(label)}</text>'
        f'<text x="{left + right / 2}" y="14" textLength="{right - 10}">{escape(look.message)}</text></g></svg>'
    )


def _width(text: str) -> int:
    """About as wide as Verdana at eleven pixels; the text is stretched to it."""
    return round(sum(9.3 if char in _WIDE else 4.0 if char in _NARROW else 6.9 for char in text))
