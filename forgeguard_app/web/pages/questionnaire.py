"""One section of a project's questionnaire: saved on every answer, and by its button without a script."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from multidict import MultiDictProxy

from forgeguard_app.flows.answer_questionnaire import answer_questionnaire, seen_code
from forgeguard_app.flows.know_access import Level
from forgeguard_app.projects.answers import MAX_ROWS, Answers, Value, progress, read_state
from forgeguard_app.projects.contracts.words import package_of
from forgeguard_app.projects.proposals import propose
from forgeguard_app.projects.questions import SECTIONS, Kind, Question, Section, find_section
from forgeguard_app.web.access import SeenProject, id_of, open_project
from forgeguard_app.web.keys import FRONT
from forgeguard_app.web.render import page
from forgeguard_app.web.session import read_form

EMPTY_ROWS = 3


async def show_section(request: web.Request) -> web.Response:
    """The questions with what was answered, and proposals where nothing was."""
    seen, section = await _opened(request, Level.READ)
    return await _page(request, seen, section, read_state(seen.project.questionnaire_state))


async def answer_section(request: web.Request) -> web.Response:
    """Keeps what is right, and says what is not."""
    form = await read_form(request)
    seen, section = await _opened(request, Level.WRITE)
    # Saved on the way: only what was touched, since what is merely proposed is nobody's answer yet.
    touched = form.get("touched", "").split(",") if form.get("touched") else None
    given = {
        f"{section.key}.{one.key}": _given(one, form)
        for one in section.questions
        if touched is None or one.key in touched
    }
    done = await answer_questionnaire(request.app[FRONT].pool, seen.project.id, given)
    wrong = {key: given[key] for key in done.problems}
    return await _page(
        request, seen, section, done.answers, problems=done.problems, wrong=wrong, changes=done.changes, saved=True,
        status=400 if done.problems and "HX-Request" not in request.headers else 200,
    )  # fmt: skip


async def _opened(request: web.Request, least: Level) -> tuple[SeenProject, Section]:
    seen = await open_project(request, id_of(request, "project_id"), least)
    section = find_section(request.match_info["section"])
    if section is None:
        raise web.HTTPNotFound
    return seen, section


async def _page(
    request: web.Request, seen: SeenProject, section: Section, answers: Answers, *, status: int = 200, **more: Any
) -> web.Response:
    async with request.app[FRONT].pool.acquire() as connection:
        code = await seen_code(connection, seen.project.repo_id if seen.sees_code else None)
    package = package_of(seen.project.name)
    wrong = more.pop("wrong", {})
    shown: dict[str, tuple[Value, bool]] = {}
    for question in section.questions:
        key = f"{section.key}.{question.key}"
        value = wrong.get(key, answers.values.get(key))
        proposal = propose(key, answers, code, package) if value is None and seen.may_write else ""
        shown[question.key] = (value if value is not None else proposal, value is None and bool(proposal))
    place = SECTIONS.index(section)
    return await page(
        request, "questionnaire.html", status=status, project=seen.project, section=section, shown=shown, empty_rows=EMPTY_ROWS,
        sections=[(one, *progress(answers, one)) for one in SECTIONS], may_write=seen.may_write,
        following=SECTIONS[place + 1] if place + 1 < len(SECTIONS) else None,
        **({"problems": {}, "changes": (), "saved": False} | more),
    )  # fmt: skip


def _given(question: Question, form: MultiDictProxy[str]) -> Any:
    """What the form says of the question, in the form of an answer."""
    match question.kind:
        case Kind.TEXT | Kind.CHOICE:
            return form.get(question.key, "").replace("\r\n", "\n")
        case Kind.LIST:
            return form.get(question.key, "").splitlines()
        case Kind.TABLE | Kind.LAYERS:
            rows = [
                {column.key: form.get(f"{question.key}.{number}.{column.key}", "") for column in question.columns}
                for number in range(MAX_ROWS + EMPTY_ROWS)
                if any(f"{question.key}.{number}.{column.key}" in form for column in question.columns)
            ]
            return [row for row in rows if any(cell.strip() for cell in row.values())]
