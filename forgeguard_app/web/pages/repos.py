"""A repository: its audits in time and their trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from forgeguard_app.audit.check_kinds import CHECK_KINDS, CheckKind
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.flows.people.repo_access import AccessLevel
from forgeguard_app.store.leaked_secrets import list_leaked
from forgeguard_app.store.overview import find_head_run
from forgeguard_app.store.timeline import Filter, Point, list_entries, list_trend
from forgeguard_app.store.versions import find_repo_version
from forgeguard_app.web.access import open_named
from forgeguard_app.web.cursors import cursor_of, read_cursor
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.pages.audits import MAX_LEAKED, leaks_of
from forgeguard_app.web.render import page
from forgeguard_app.web.states import SHOWN, StateKind, filter_of, head_states, states_of

PAGE = 40
TREND = 60
LANE_HEIGHT = 34
TALLEST = 26
MAX_CHARS = 300
# The states that can be asked for, by the word in the address.
CHOICES = {
    "PASS": StateKind.PASSED,
    "PARTLY": StateKind.PARTLY,
    "WARN": StateKind.WARNED,
    "LEAKED": StateKind.LEAKED,
    "FAIL": StateKind.FAILED,
    "ERROR": StateKind.ERROR,
    "NOTHING": StateKind.NOTHING,
    "DISABLED": StateKind.DISABLED,
    "WAITING": "waiting",
    "CANCELLED": StateKind.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Lane:
    """One check's bars in the chart; None where the check evaluated nothing."""

    kind: CheckKind
    numbers: Sequence[int | None]

    @property
    def code(self) -> CheckCode:
        """The check's code."""
        return self.kind.code

    @property
    def scale(self) -> float:
        """Pixels per finding."""
        return TALLEST / max([number for number in self.numbers if number is not None] + [1])

    @property
    def now(self) -> str:
        """The last figure in words."""
        last = self.numbers[-1]
        return "not evaluated" if last is None else f"{last:,}"


def read_filter(request: web.Request) -> tuple[str, Filter]:
    """Return the state that is asked for, as the address names it, and the filter; what cannot be is left out."""
    asked = {
        name: request.query.get(name, "").strip()[:MAX_CHARS].replace("\0", "")
        for name in ("branch", "result", "author")
    }
    state = asked["result"].upper() if asked["result"].upper() in CHOICES else ""
    return state, filter_of(CHOICES.get(state, ""), asked["branch"] or None, asked["author"] or None)


async def show_repo(request: web.Request) -> web.Response:
    """Return the repository's page."""
    view, (state, wanted) = await open_named(request), read_filter(request)
    before = read_cursor(request.query.get("cursor"))
    repo_id = view.repo.id
    async with request.app[CONTEXT].pool.acquire() as connection:
        version = await find_repo_version(connection, repo_id)
        runs = await list_entries(connection, repo_id, wanted, before, PAGE + 1)
        trend = await list_trend(connection, repo_id, view.repo.default_branch, TREND)
        states = await states_of(connection, [run.id for run in runs])
        head = (await head_states(connection, {repo_id: await find_head_run(connection, repo_id)}))[repo_id]
        leaked = await list_leaked(connection, repo_id, secrets=view.may_write, most=MAX_LEAKED)
    here = f"/repos/{view.repo.full_name}"
    asked = {name: value for name, value in request.query.items() if name in ("branch", "result", "author") and value}
    cursor = {"cursor": cursor_of(runs[PAGE - 1].created_at, runs[PAGE - 1].id)} if len(runs) > PAGE else None
    more = None if cursor is None else f"{here}?{urlencode(asked | cursor)}"
    return await page(
        request,
        "repo.html",
        repo=view.repo,
        is_member=view.level >= AccessLevel.READ,
        head=head,
        leaks_found=leaks_of(leaked),
        runs=runs[:PAGE],
        states=states,
        more=more,
        wanted=wanted,
        wanted_state=state,
        choices=[
            (name, "Waiting" if kind == "waiting" else SHOWN[StateKind(kind)].word) for name, kind in CHOICES.items()
        ],
        trend=trend,
        lanes=_lanes(trend),
        lane_height=LANE_HEIGHT,
        address=request.path_qs,
        version=version,
    )


def _lanes(trend: list[Point]) -> list[Lane]:
    return [Lane(kind, [point.standing.get(kind.code) for point in trend]) for kind in CHECK_KINDS.values()]
