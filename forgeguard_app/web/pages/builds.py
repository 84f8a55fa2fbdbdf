"""A build: its phases, its log as it grows, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

from aiohttp import web

from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.flows.builds.answer_review import MAX_WAIT_DAYS, OutdatedAnswer, ReviewAnswer, answer_build
from forgeguard_app.flows.builds.cancel_build import cancel_build
from forgeguard_app.flows.builds.start_build import start_build
from forgeguard_app.flows.people.repo_access import AccessLevel, SignedOut
from forgeguard_app.store.build_changes import BuildChange, list_approved, list_asked
from forgeguard_app.store.build_logs import KEPT_DAYS, LogLine, list_last_lines, list_piece
from forgeguard_app.store.build_phases import list_phases
from forgeguard_app.store.builds import Build, find_build
from forgeguard_app.store.pool import DATABASE_ERRORS
from forgeguard_app.store.shown_state import has_worker
from forgeguard_app.store.states import BuildStatus
from forgeguard_app.store.versions import find_build_version
from forgeguard_app.web.access import find_writable, id_of, open_build, open_project, refuse_who_may_not_push
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.live import LOG_STREAMS
from forgeguard_app.web.log_stream import AT_ONCE, CHUNK_BYTES, ENDED, LONGEST_S
from forgeguard_app.web.pages.contracts import MAX_SHOWN_LINES, DifferenceLine, lines_of
from forgeguard_app.web.pages.projects import project_page
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import find_person, get_person, read_form
from forgeguard_app.web.states import NO_WORKER
from forgeguard_app.web.subjects import ask_again

_DELETED = (
    "The log was deleted, because the builds of its project, or of who started them, took more than their quota.\n"
)
SHOWN = 500
SHOWN_APPROVED = 100
WAITS = "awaiting_approval"
_CUT = (
    "\nThe log goes on, and was cut here: it can no longer be read with this sign-in, or took too long. "
    "Download it again.\n"
)


async def start(request: web.Request) -> web.StreamResponse:
    """Start a build, for a person who may write to the repository today."""
    await read_form(request)
    person, view = (
        await get_person(request),
        await open_project(request, id_of(request, "project_id"), AccessLevel.WRITE),
    )
    try:
        if view.project.repo_name is not None and await find_writable(request, view.project.repo_name) is None:
            raise UserError("You may not write to the project's repository any more, so you start no build there.")
        build_id = await start_build(request.app[CONTEXT].pool, person, view.project.id)
    except UserError as error:
        return await project_page(request, view, error)
    return see_other(f"/builds/{build_id}")


async def show_build(request: web.Request) -> web.Response:
    """Phases, log, cost in time."""
    return await _show(request)


async def _show(request: web.Request, *, status: int = 200, wrong: str = "") -> web.Response:
    build, view = await open_build(request, id_of(request, "build_id"))
    asked = request.query.get("before", "")
    before = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else None
    async with request.app[CONTEXT].pool.acquire() as connection:
        version = await find_build_version(connection, build.id)
        build = await find_build(connection, build.id) or build  # what the version is of, or newer
        phases = await list_phases(connection, build.id)
        lines = await list_last_lines(connection, build.id, before, SHOWN + 1)
        held = "" if build.status in (*ENDED, WAITS) or await has_worker(connection) else NO_WORKER
        asked_for = await list_asked(connection, build.id)
        approved = await list_approved(connection, build.id, SHOWN_APPROVED)
    more, lines = len(lines) > SHOWN, lines[-SHOWN:]
    ended = build.status in ENDED
    changes, left = shown_changes(asked_for)
    return await page(
        request,
        "build.html",
        status=status,
        wrong=wrong,
        changes=changes,
        left=left,
        approved=approved,
        max_wait_days=MAX_WAIT_DAYS,
        build=build,
        project=view.project,
        may_write=view.may_write,
        phases=phases,
        lines=lines,
        more=more,
        before=before,
        ended=ended,
        took=duration(build.started_at, build.completed_at),
        duration=duration,
        kept_days=KEPT_DAYS,
        version=version,
        state_words=state_in_words(build),
        held=held,
    )


def shown_changes(changes: Iterable[BuildChange]) -> tuple[list[tuple[BuildChange, list[DifferenceLine]]], int]:
    """Return the changes with the lines of theirs that are shown, and how many lines are left out.

    A review asks for fewer lines than are shown, but one from before that bound may still wait.
    """
    shown: list[tuple[BuildChange, list[DifferenceLine]]] = []
    room, left_out = MAX_SHOWN_LINES, 0
    for change in changes:
        lines, left = lines_of(change.difference, room)
        shown.append((change, lines))
        room, left_out = room - len(lines), left_out + left
    return shown, left_out


def state_in_words(build: Build) -> str:
    """Return where the build stands, as it is announced."""
    if build.status == BuildStatus.RUNNING:
        return "Build is being cancelled" if build.cancel_requested_at else f"Build running: {build.phase}"
    return "Build needs an approval" if build.status == WAITS else f"Build {build.status}"


async def cancel(request: web.Request) -> web.StreamResponse:
    """End it."""
    await read_form(request)
    person = await get_person(request)
    build, _ = await open_build(request, id_of(request, "build_id"), AccessLevel.WRITE)
    await cancel_build(request.app[CONTEXT].pool, build, person.login)
    return see_other(f"/builds/{build.id}")


async def approve(request: web.Request) -> web.StreamResponse:
    """Let the build go on with the changes that the person saw."""
    return await _answer(request, approves=True)


async def hand_back(request: web.Request) -> web.StreamResponse:
    """Give the changes back to the builder, with what the person says of them."""
    return await _answer(request, approves=False)


async def _answer(request: web.Request, *, approves: bool) -> web.StreamResponse:
    form, person = await read_form(request), await get_person(request)
    build, _ = await open_build(request, id_of(request, "build_id"), AccessLevel.WRITE)
    await refuse_who_may_not_push(request, build)
    try:
        answer = ReviewAnswer(form.get("commit", "")[:64], approves, form.get("reason", ""))
        await answer_build(request.app[CONTEXT].pool, build, person, answer)
    except OutdatedAnswer as error:
        return await _show(request, status=409, wrong=str(error))
    return see_other(f"/builds/{build.id}")


async def download_log(request: web.Request) -> web.StreamResponse:
    """Return the whole log as text, written as it is read, as long as the reader may see it."""
    build, _ = await open_build(request, id_of(request, "build_id"))
    with request.app[LOG_STREAMS].one_of(await find_person(request), ""):
        return await _write_log(request, build)


async def _write_log(request: web.Request, build: Build) -> web.StreamResponse:
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "private, no-store",
        "Content-Disposition": f'attachment; filename="build-{str(build.id)[:8]}.txt"',
    }
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    try:
        async with asyncio.timeout(LONGEST_S):
            if build.log_deleted_at is not None:
                await response.write(_DELETED.encode())
            async for piece in _pieces(request, build):
                await response.write(piece.encode())
    except (TimeoutError, ConnectionError, SignedOut, RetryLater, web.HTTPException, *DATABASE_ERRORS):
        await response.write(_CUT.encode())
    return response


async def _pieces(request: web.Request, build: Build) -> AsyncIterator[str]:
    """Yield the log in pieces; before each, access is asked again: a slow reader takes minutes.

    Raises:
        SignedOut, HTTPNotFound, HTTPUnauthorized: the reader may see it no more.
    """
    at = 0
    while True:
        async with request.app[CONTEXT].pool.acquire() as connection:
            lines = await list_piece(connection, build.id, at, AT_ONCE, CHUNK_BYTES)
        if not lines:
            return
        yield "".join(map(_as_text, lines))
        at = lines[-1].number
        await open_build(await ask_again(request), build.id)


def _as_text(line: LogLine) -> str:
    return f"{line.timestamp:%Y-%m-%dT%H:%M:%SZ} {line.source:7} {line.level:5} {line.message}\n"


def duration(begun: datetime | None, ended: datetime | None) -> str:
    """From one to the other, or to now, in words."""
    if begun is None:
        return ""
    seconds = int(((ended or datetime.now(UTC)) - begun).total_seconds())
    minutes, hours = seconds // 60, seconds // 3_600
    return f"{seconds} s" if seconds < 120 else f"{minutes} min" if minutes < 120 else f"{hours} h {minutes % 60} min"
