"""The names in the questionnaire's table of layers: each layer has its own, and "May import" names layers of the
table.
"""

from __future__ import annotations

from forgeguard_app.projects.answers import Row, Value
from forgeguard_app.projects.questions import Question, QuestionKind

MAX_PROBLEMS = 20
MOST_NAMED = 20  # layers that a message lists


def names_in(cell: str) -> list[str]:
    """Return the names in a cell, separated by commas; "-" alone says that there is none."""
    return [part for piece in cell.replace("\n", ",").split(",") if (part := piece.strip()) and part != "-"]


def layer_problems(question: Question, value: Value) -> list[str]:
    """Return what is wrong with the names in an answer, each with its row and column; nothing for other questions."""
    if question.kind is not QuestionKind.LAYERS or not isinstance(value, list):
        return []
    rows: list[Row] = [row for row in value if isinstance(row, dict)]
    names = [row["name"] for row in rows]
    known = ", ".join(dict.fromkeys(names[:MOST_NAMED]))
    problems: list[str] = []
    taken: set[str] = set()
    for number, row in enumerate(rows, 1):
        if row["name"] in taken:
            problems.append(
                f"Row {number}, Layer: another row is called “{row['name']}” too. Each layer has its own name."
            )
        taken.add(row["name"])
        problems += [
            f"Row {number}, May import: no layer is called “{name[:100]}”. The layers are {known}."
            for name in names_in(row["may_import"])
            if name not in names
        ]
    return problems[:MAX_PROBLEMS]
