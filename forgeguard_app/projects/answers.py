"""Answers to the questionnaire: read strictly, kept as given, old states readable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from forgeguard_app.projects.marks import Mark, read_marks, written_marks
from forgeguard_app.projects.questions import QUESTIONS, SECTIONS, Question, QuestionKind, Section

VERSION = 1
MAX_TEXT_CHARS = 5_000
MAX_ITEMS = 200
MAX_ITEM_CHARS = 500
MAX_ROWS = 300
MAX_CELL_CHARS = 2_000
Row = dict[str, str]
Value = str | list[str] | list[Row]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers by `section.question`, and who saved each last."""

    values: Mapping[str, Value] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """Return a text or a choice; empty where nothing was answered."""
        value = self.values.get(key, "")
        return value if isinstance(value, str) else ""

    def items(self, key: str) -> list[str]:
        """Return the texts of an answer that is a list."""
        value = self.values.get(key, [])
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def rows(self, key: str) -> list[Row]:
        """Return the rows of an answer that is a table, or of layers."""
        value = self.values.get(key, [])
        return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def read_state(state: Mapping[str, Any]) -> Answers:
    """Return the answers in a stored state; what no question of today asks is left out, what has another form too.

    States before version 1 held the answers directly, by section.
    """
    given: Mapping[str, Any] = state.get("answers", {}) if "version" in state else _flat(state)
    values: dict[str, Value] = {}
    for key, value in given.items() if isinstance(given, Mapping) else ():
        question = QUESTIONS.get(key)
        if question is not None:
            read, problems = read_answer(question, value)
            if not problems and read:
                values[key] = read
    return Answers(values, read_marks(state.get("marks")))


def _flat(state: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for section, answers in state.items():
        if isinstance(answers, Mapping):
            found.update({f"{section}.{key}": value for key, value in answers.items()})
    return found


def written_state(answers: Answers) -> dict[str, Any]:
    """Return the state as it is stored."""
    return {"version": VERSION, "answers": dict(answers.values), "marks": written_marks(answers.marks)}


def read_answer(question: Question, value: Any) -> tuple[Value, list[str]]:
    """Return the answer in the question's form, and all that is wrong with it; an empty one takes the answer back."""
    match question.kind:
        case QuestionKind.TEXT:
            return _text(value)
        case QuestionKind.CHOICE:
            return _choice(question, value)
        case QuestionKind.LIST:
            return _list(value)
        case QuestionKind.TABLE | QuestionKind.LAYERS:
            return _table(question, value)
        case _:
            assert_never(question.kind)


def _text(value: Any) -> tuple[Value, list[str]]:
    if not isinstance(value, str):
        return "", ["This is answered with text."]
    text = _clean(value).strip()
    return text, [f"At most {MAX_TEXT_CHARS:,} characters."] if len(text) > MAX_TEXT_CHARS else []


def _choice(question: Question, value: Any) -> tuple[Value, list[str]]:
    if value in ("", *question.choices):
        return str(value), []
    return "", [f"Choose one of: {', '.join(question.choices)}."]


def _list(value: Any) -> tuple[Value, list[str]]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return [], ["This is answered with a list of texts."]
    items = [text for item in value if (text := " ".join(_clean(item).split()))]
    problems = [f"At most {MAX_ITEMS} lines."] if len(items) > MAX_ITEMS else []
    problems += [
        f"Line {n}: at most {MAX_ITEM_CHARS} characters."
        for n, item in enumerate(items, 1)
        if len(item) > MAX_ITEM_CHARS
    ]
    return items, problems[:20]


def _table(question: Question, value: Any) -> tuple[Value, list[str]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        return [], ["This is answered with a list of rows."]
    if len(value) > MAX_ROWS:
        return [], [f"At most {MAX_ROWS} rows."]
    rows: list[Row] = []
    problems: list[str] = []
    known = {column.key for column in question.columns}
    for given in value:
        unknown = sorted(str(key) for key in given.keys() - known)
        if unknown or not all(isinstance(cell, str) for cell in given.values()):
            return [], [f"A row has the texts {', '.join(sorted(known))}{', not ' + unknown[0] if unknown else ''}."]
        row = {column.key: _cell(given.get(column.key, ""), lines=column.lines) for column in question.columns}
        if any(row.values()):
            rows.append(row)
            problems += _row_problems(question, row, len(rows))
    return rows, problems[:20]


def _row_problems(question: Question, row: Row, number: int) -> list[str]:
    problems: list[str] = []
    for column in question.columns:
        cell, where = row[column.key], f"Row {number}, {column.title}"
        if not cell and column.required:
            problems.append(f"{where}: is missing.")
        elif len(cell) > MAX_CELL_CHARS:
            problems.append(f"{where}: at most {MAX_CELL_CHARS:,} characters.")
        elif cell and column.choices and cell not in column.choices:
            problems.append(f"{where}: one of {', '.join(column.choices)}.")
    return problems


def _cell(text: str, *, lines: bool) -> str:
    if lines:
        return "\n".join(line for raw in _clean(text).splitlines() if (line := " ".join(raw.split())))
    return " ".join(_clean(text).split())


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def answered(answers: Answers, key: str, value: Value, mark: Mark | None = None) -> Answers:
    """Return the answers with this one added. An empty value takes the answer back."""
    values = {name: former for name, former in answers.values.items() if name != key}
    marks = {name: former for name, former in answers.marks.items() if name != key} | ({key: mark} if mark else {})
    return Answers({**values, key: value} if value else values, marks)


def missing(answers: Answers, section: Section | None = None) -> list[str]:
    """Return the required questions that are not answered, as `section.question`."""
    return [
        f"{part.key}.{question.key}"
        for part in ([section] if section else SECTIONS)
        for question in part.questions
        if question.required and not answers.values.get(f"{part.key}.{question.key}")
    ]


def progress(answers: Answers, section: Section) -> tuple[int, int]:
    """Count the answered questions of the section, and all of them."""
    keys = [f"{section.key}.{question.key}" for question in section.questions]
    return sum(key in answers.values for key in keys), len(keys)
