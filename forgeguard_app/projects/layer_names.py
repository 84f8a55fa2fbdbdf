"""The names in the questionnaire's table of layers: each layer has its own, and "May import" names layers of the
table.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from forgeguard_app.projects.answers import Row, Value
from forgeguard_app.projects.questions import MAX_NAME_CHARS, Question, QuestionKind

MAX_PROBLEMS = 20
MOST_NAMED = 20  # layers that a message lists


def names_in(cell: str) -> list[str]:
    """Return the names in a cell, separated by commas; "-" alone says that there is none."""
    return [part for piece in cell.replace("\n", ",").split(",") if (part := piece.strip()) and part != "-"]


def layer_problems(question: Question, value: Value) -> list[str]:
    """Return what is wrong with the names in an answer, each with its row and column; nothing for other questions."""
    if question.kind is not QuestionKind.LAYERS or not isinstance(value, list):
        return []
    return list(islice(_problems([row for row in value if isinstance(row, dict)]), MAX_PROBLEMS))


def _problems(rows: list[Row]) -> Iterator[str]:
    """Yield the messages one by one: each lists the known layers, so those beyond the bound are never made."""
    names = {row["name"] for row in rows}
    known = ", ".join(name[:MAX_NAME_CHARS] for name in dict.fromkeys(row["name"] for row in rows[:MOST_NAMED]))
    taken: set[str] = set()
    for number, row in enumerate(rows, 1):
        if row["name"] in taken:
            called = row["name"][:MAX_NAME_CHARS]
            yield f"Row {number}, Layer: another row is called “{called}” too. Each layer has its own name."
        taken.add(row["name"])
        for name in names_in(row["may_import"]):
            if name not in names:
                called = name[:MAX_NAME_CHARS]
                yield f"Row {number}, May import: no layer is called “{called}”. The layers are {known}."
