"""Answers to the questionnaire: read strictly, kept as given, old states readable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from forgeguard_app.projects.marks import Mark, read_marks, written_marks
from forgeguard_app.projects.questions import (
    MAX_CELL_CHARS,
    MAX_NAME_CHARS,
    QUESTIONS,
    SECTIONS,
    Column,
    Question,
    QuestionKind,
    Section,
)

VERSION = 1
MAX_TEXT_CHARS = 5_000
MAX_ITEMS = 200
MAX_ITEM_CHARS = 500
MAX_ROWS = 300
MAX_CELL_LINES = 50
MAX_PROBLEMS = 20  # of one answer
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

    Cells that were saved before their column had a bound of its own are kept.
    States before version 1 held the answers directly, by section.
    """
    given: Mapping[str, Any] = state.get("answers", {}) if "version" in state else _flat(state)
    values: dict[str, Value] = {}
    for key, value in given.items() if isinstance(given, Mapping) else ():
        question = QUESTIONS.get(key)
        if question is not None:
            read, problems = read_answer(question, value, is_stored=True)
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


def read_answer(question: Question, value: Any, *, is_stored: bool = False) -> tuple[Value, list[str]]:
    """Return the answer in the question's form, and the first MAX_PROBLEMS things that are wrong with it.

    An empty answer takes the answer back. A stored answer's cells have the bounds of any cell, not of their columns.
    """
    match question.kind:
        case QuestionKind.TEXT:
            return _text(value)
        case QuestionKind.CHOICE:
            return _choice(question, value)
        case QuestionKind.LIST:
            return _list(value)
        case QuestionKind.TABLE | QuestionKind.LAYERS:
            return _table(question, value, is_stored=is_stored)
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
    return items, problems[:MAX_PROBLEMS]


def _table(question: Question, value: Any, *, is_stored: bool) -> tuple[Value, list[str]]:
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
            other = f", not {unknown[0][:MAX_NAME_CHARS]}" if unknown else ""
            return [], [f"A row has the texts {', '.join(sorted(known))}{other}."]
        row = {column.key: _cell(given.get(column.key, ""), lines=column.lines) for column in question.columns}
        if any(row.values()):
            rows.append(row)
            problems += _row_problems(question, row, len(rows), is_stored=is_stored)
    return rows, problems[:MAX_PROBLEMS]


def _row_problems(question: Question, row: Row, number: int, *, is_stored: bool) -> list[str]:
    wrong = ((column, _cell_problem(column, row[column.key], is_stored=is_stored)) for column in question.columns)
    return [f"Row {number}, {column.title}: {problem}." for column, problem in wrong if problem]


def _cell_problem(column: Column, cell: str, *, is_stored: bool) -> str:
    max_chars = MAX_CELL_CHARS if is_stored else column.max_chars
    if not cell and column.required:
        return "is missing"
    if len(cell) > max_chars:
        return f"at most {max_chars:,} characters"
    if column.lines and cell.count("\n") >= MAX_CELL_LINES and not is_stored:
        return f"at most {MAX_CELL_LINES} lines"
    if cell and column.choices and cell not in column.choices:
        return f"one of {', '.join(column.choices)}"
    return ""


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
