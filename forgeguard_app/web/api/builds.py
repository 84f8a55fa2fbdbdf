"""Operations on builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import web

from forgeguard_app.errors import UserError
from forgeguard_app.flows.builds.answer_review import OutdatedAnswer, ReviewAnswer, answer_build
from forgeguard_app.flows.builds.cancel_build import cancel_build
from forgeguard_app.flows.builds.start_build import TooManyBuilds, start_build
from forgeguard_app.flows.people.repo_access import AccessLevel
from forgeguard_app.store.build_changes import BuildChange, list_asked
from forgeguard_app.store.build_logs import list_lines
from forgeguard_app.store.build_phases import list_phases
from forgeguard_app.store.builds import Build, find_build, list_builds
from forgeguard_app.store.states import BuildStatus
from forgeguard_app.web.access import find_writable, id_of, open_build, open_project, refuse_who_may_not_push
from forgeguard_app.web.api import project_models as shapes
from forgeguard_app.web.api.operations import ApiRequest, EditConflict
from forgeguard_app.web.cursors import cursor_of, read_cursor, read_text_cursor, text_cursor
from forgeguard_app.web.keys import CONTEXT, mark_stream
from forgeguard_app.web.live import LOG_STREAMS
from forgeguard_app.web.log_stream import ENDED, stream_log
from forgeguard_app.web.subjects import ask_again

AGAIN_S = 60  # after how many seconds a refused build may be asked for again


async def show_builds(ask: ApiRequest) -> shapes.Builds:
    """Return a project's builds."""
    view, query = await open_project(ask.request, id_of(ask.request, "project_id")), ask.query
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        found = await list_builds(connection, view.project.id, read_cursor(query.cursor), query.limit + 1)
    items = [shapes.BuildBrief.model_validate(_fields(build, shapes.BuildBrief)) for build in found[: query.limit]]
    return shapes.Builds(
        items=items, next=cursor_of(items[-1].created_at, items[-1].id) if len(found) > query.limit else None
    )


async def start(ask: ApiRequest) -> shapes.Build:
    """Start one; refused with every reason where something is not ready."""
    view = await open_project(ask.request, id_of(ask.request, "project_id"), AccessLevel.WRITE)
    name = view.project.repo_name
    if name is not None and await find_writable(ask.request, name) is None:
        raise UserError("You may not write to the project's repository any more, so you start no build there.")
    try:
        build_id = await start_build(ask.request.app[CONTEXT].pool, ask.user, view.project.id)
    except TooManyBuilds as error:
        raise web.HTTPTooManyRequests(reason=str(error), headers={"Retry-After": str(AGAIN_S)}) from None
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        build = await find_build(connection, build_id)
    if build is None:
        raise web.HTTPNotFound(reason="The project was deleted meanwhile.")
    return await _whole(ask, build)


async def show_build(ask: ApiRequest) -> shapes.Build:
    """Return one build with its phases."""
    build, _ = await open_build(ask.request, id_of(ask.request, "build_id"))
    return await _whole(ask, build)


async def cancel(ask: ApiRequest) -> shapes.Build:
    """Cancel it; its processes are gone within seconds."""
    build, _ = await open_build(ask.request, id_of(ask.request, "build_id"), AccessLevel.WRITE)
    pool = ask.request.app[CONTEXT].pool
    await cancel_build(pool, build, ask.user.login)
    async with pool.acquire() as connection:
        return await _whole(ask, await find_build(connection, build.id) or build)


async def approve(ask: ApiRequest) -> shapes.Build:
    """Let the build go on with the changes of its `review`."""
    return await _answer(ask, ReviewAnswer(ask.body.commit_sha, approves=True))


async def hand_back(ask: ApiRequest) -> shapes.Build:
    """Give the changes of its `review` back to the builder."""
    return await _answer(ask, ReviewAnswer(ask.body.commit_sha, approves=False, reason=ask.body.reason))


async def _answer(ask: ApiRequest, answer: ReviewAnswer) -> shapes.Build:
    build, _ = await open_build(ask.request, id_of(ask.request, "build_id"), AccessLevel.WRITE)
    await refuse_who_may_not_push(ask.request, build)
    pool = ask.request.app[CONTEXT].pool
    try:
        await answer_build(pool, build, ask.user, answer)
    except OutdatedAnswer as error:
        raise EditConflict(str(error)) from error
    async with pool.acquire() as connection:
        build = await find_build(connection, build.id) or build
    return await _whole(ask, build)


async def show_logs(ask: ApiRequest) -> shapes.Logs:
    """Return its log in its order; a live stream for `Accept: text/event-stream`, resumed by `Last-Event-ID`."""
    build, _ = await open_build(ask.request, id_of(ask.request, "build_id"))
    cursor = read_text_cursor(ask.query.cursor) or "0"
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise web.HTTPBadRequest(reason="This cursor is invalid: begin again without it.")
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        found = await list_lines(connection, build.id, int(cursor), ask.query.limit)
    items = [shapes.LogLine.model_validate(asdict(line)) for line in found]
    over = build.status in ENDED and len(found) < ask.query.limit
    last = items[-1].number if items else int(cursor)
    return shapes.Logs(items=items, next=None if over else text_cursor(str(last)))


async def stream(ask: ApiRequest) -> web.StreamResponse:
    """Return the same as a live stream."""
    build, _ = await open_build(ask.request, id_of(ask.request, "build_id"))

    async def open_again() -> None:
        await open_build(await ask_again(ask.request), build.id)

    mark_stream(ask.request)
    with ask.request.app[LOG_STREAMS].one_of(ask.person, ""):
        return await stream_log(ask.request, build.id, ask.user.user_id, open_again)


async def _whole(ask: ApiRequest, build: Build) -> shapes.Build:
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        phases = await list_phases(connection, build.id)
        changes = await list_asked(connection, build.id)
    shown = [{name: getattr(phase, name) for name in shapes.Phase.model_fields} for phase in phases]
    return shapes.Build.model_validate(
        _fields(build, shapes.Build) | {"phases": shown, "review": _review(build, changes)}
    )


def _review(build: Build, changes: Sequence[BuildChange]) -> dict[str, Any] | None:
    if build.status != BuildStatus.AWAITING_APPROVAL or build.waiting_since is None:
        return None
    shown = [{"path": change.path, "kind": change.kind, "difference": change.difference} for change in changes]
    return {"commit_sha": build.review_sha, "waiting_since": build.waiting_since, "changes": shown}


def _fields(build: Build, shape: type[shapes.BuildBrief]) -> dict[str, Any]:
    return {name: getattr(build, name) for name in shape.model_fields if name not in ("phases", "review")}
