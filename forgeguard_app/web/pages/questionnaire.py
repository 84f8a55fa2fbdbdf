"""One section of a project's questionnaire: saved on every answer, and by its button without a script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, assert_never

from aiohttp import web
from multidict import MultiDictProxy

from forgeguard_app.flows.people.repo_access import AccessLevel
from forgeguard_app.flows.projects.answer_questionnaire import Answered, answer_questionnaire, seen_code
from forgeguard_app.projects.answers import MAX_ROWS, Answers, Value, progress, read_state
from forgeguard_app.projects.contracts.words import package_of
from forgeguard_app.projects.marks import MAX_PAGE_CHARS, Writer, digest_of
from forgeguard_app.projects.proposals import propose
from forgeguard_app.projects.questions import SECTIONS, Question, QuestionKind, Section, find_section
from forgeguard_app.web.access import SeenProject, id_of, open_project
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.render import page
from forgeguard_app.web.session import get_person, read_form

EMPTY_ROWS = 3
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AnswerConflict:
    """An answer that somebody else saved meanwhile."""

    login: str
    theirs: str


@dataclass(frozen=True, slots=True)
class ShownQuestion:
    """One question as the page shows it: `base` is the digest of the stored answer, which a save begins from."""

    value: Value
    is_proposed: bool
    base: str
    problems: tuple[str, ...]
    conflict: AnswerConflict | None
    is_already: bool


@dataclass(frozen=True, slots=True)
class SentAnswers:
    """Answers as they were sent, and what became of them."""

    given: Mapping[str, Any]
    done: Answered
    writer: Writer

    @property
    def kept(self) -> Mapping[str, Any]:
        """The answers that were not saved, which stay in their fields."""
        return {key: self.given[key] for key in (*self.done.problems, *self.done.conflicts)}

    @property
    def status(self) -> HTTPStatus:
        """The status of the page's answer."""
        if self.done.conflicts:
            return HTTPStatus.CONFLICT
        return HTTPStatus.BAD_REQUEST if self.done.problems else HTTPStatus.OK


async def show_section(request: web.Request) -> web.Response:
    """Return the questions with what was answered, and proposals where nothing was."""
    view, section = await _opened(request, AccessLevel.READ)
    return await _page(request, view, section, read_state(view.project.questionnaire_state))


async def answer_section(request: web.Request) -> web.Response:
    """Keep what is right, and say what is not; what somebody else changed meanwhile is not overwritten."""
    form, person = await read_form(request), await get_person(request)
    view, section = await _opened(request, AccessLevel.WRITE)
    # Saved on the way: only what was touched, since what is merely proposed is nobody's answer yet.
    touched = form.get("touched", "").split(",") if form.get("touched") else None
    given = {
        f"{section.key}.{question.key}": _given(question, form)
        for question in section.questions
        if touched is None or question.key in touched
    }
    bases = {key: form[f"base.{key}"] for key in given if f"base.{key}" in form}
    writer = _writer(person.login, form)
    done = await answer_questionnaire(request.app[CONTEXT].pool, view.project.id, given, bases, writer)
    return await _page(request, view, section, done.answers, SentAnswers(given, done, writer))


def _writer(login: str, form: MultiDictProxy[str]) -> Writer:
    """Return who saves, from which open page."""
    page_id, number = form.get("writer.page", "")[:MAX_PAGE_CHARS], form.get("writer.number", "")
    if not (page_id.isalnum() and number.isascii() and number.isdigit() and len(number) < 16):
        return Writer(login)
    return Writer(login, page_id, int(number))


async def _opened(request: web.Request, least: AccessLevel) -> tuple[SeenProject, Section]:
    view = await open_project(request, id_of(request, "project_id"), least)
    section = find_section(request.match_info["section"])
    if section is None:
        raise web.HTTPNotFound
    return view, section


async def _page(
    request: web.Request,
    project: SeenProject,
    section: Section,
    answers: Answers,
    sent: SentAnswers | None = None,
) -> web.Response:
    async with request.app[CONTEXT].pool.acquire() as connection:
        code = await seen_code(connection, project.project.repo_id if project.sees_code else None)
    package = package_of(project.project.name)
    shown: dict[str, ShownQuestion] = {}
    done, kept, status = (sent.done, sent.kept, sent.status) if sent else (None, NOTHING, HTTPStatus.OK)
    for question in section.questions:
        key = f"{section.key}.{question.key}"
        stored = answers.values.get(key)
        value = kept.get(key, stored)
        proposal = propose(key, answers, code, package) if value is None and project.may_write else ""
        shown[question.key] = ShownQuestion(
            value if value is not None else proposal,
            value is None and bool(proposal),
            digest_of(stored),
            tuple(done.problems.get(key, ())) if done else (),
            _conflict(key, answers, done),
            done is not None and key in done.already,
        )
    place = SECTIONS.index(section)
    return await page(
        request,
        "questionnaire.html",
        status=status,
        project=project.project,
        section=section,
        shown=shown,
        empty_rows=EMPTY_ROWS,
        sections=[(item, *progress(answers, item)) for item in SECTIONS],
        may_write=project.may_write,
        following=SECTIONS[place + 1] if place + 1 < len(SECTIONS) else None,
        changes=done.changes if done else (),
        saved_at=datetime.now(UTC) if done and status == HTTPStatus.OK else None,
        refused=done is not None and status != HTTPStatus.OK,
        accepted=f"{sent.writer.page}:{sent.writer.number}" if sent and sent.writer.page else "",
    )


def _conflict(key: str, answers: Answers, done: Answered | None) -> AnswerConflict | None:
    """Return who saved another answer meanwhile, and which."""
    if done is None or key not in done.conflicts:
        return None
    mark = answers.marks.get(key)
    return AnswerConflict(mark.login if mark and mark.login else "Somebody", as_text(answers.values.get(key)))


def as_text(value: Value | None) -> str:
    """Return an answer as people read it: one line for each item or row."""
    if value is None or isinstance(value, str):
        return value or ""
    return "\n".join(
        item if isinstance(item, str) else " · ".join(cell for cell in item.values() if cell) for item in value
    )


def _given(question: Question, form: MultiDictProxy[str]) -> Any:
    """Return the form's answer to the question, in the form of an answer."""
    match question.kind:
        case QuestionKind.TEXT | QuestionKind.CHOICE:
            return form.get(question.key, "").replace("\r\n", "\n")
        case QuestionKind.LIST:
            return form.get(question.key, "").splitlines()
        case QuestionKind.TABLE | QuestionKind.LAYERS:
            rows = [
                {column.key: form.get(f"{question.key}.{number}.{column.key}", "") for column in question.columns}
                for number in range(MAX_ROWS + EMPTY_ROWS)
                if any(f"{question.key}.{number}.{column.key}" in form for column in question.columns)
            ]
            return [row for row in rows if any(cell.strip() for cell in row.values())]
        case _:
            assert_never(question.kind)
