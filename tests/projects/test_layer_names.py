"""The names in the table of layers."""

from __future__ import annotations

import tracemalloc

import pytest

from forgeguard_app.projects.answers import MAX_CELL_LINES, Answers, read_answer, read_state
from forgeguard_app.projects.layer_names import MAX_PROBLEMS, layer_problems
from forgeguard_app.projects.proposals import SeenCode, propose
from forgeguard_app.projects.questions import MAX_CELL_CHARS, MAX_NAME_CHARS, QUESTIONS, STACKS

LAYERS = QUESTIONS["boundaries.layers"]


def row(name: str, may_import: str = "") -> dict[str, str]:
    return {"name": name, "glob": f"{name}/**", "may_import": may_import, "forbidden_imports": "", "reason": ""}


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        ([row("web", "core, store"), row("core", "-"), row("store")], []),
        (
            [row("web", "core, stroe"), row("core")],
            ["Row 1, May import: no layer is called “stroe”. The layers are web, core."],
        ),
        ([row("web"), row("web")], ["Row 2, Layer: another row is called “web” too. Each layer has its own name."]),
        ([], []),
    ],
)
def test_an_unknown_layer_name_is_said_at_its_field_and_not_dropped(
    rows: list[dict[str, str]], problems: list[str]
) -> None:
    assert layer_problems(LAYERS, rows) == problems


@pytest.mark.parametrize("stack", STACKS)
def test_the_proposed_layers_have_names_that_exist(stack: str) -> None:
    proposed = propose("boundaries.layers", Answers({"stack.kind": stack}), SeenCode(), "shop")
    assert isinstance(proposed, list) or proposed == ""
    assert not layer_problems(LAYERS, proposed)


def test_many_unknown_names_make_no_more_messages_than_are_shown() -> None:
    names = [f"{'n' * 90}{number}" for number in range(300)]
    rows = [row(name, "z," * 1_000) for name in names]
    tracemalloc.start()
    try:
        problems = layer_problems(LAYERS, rows)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20, "300,000 messages were made to show 20"
    finally:
        tracemalloc.stop()
    assert len(problems) == MAX_PROBLEMS
    assert len("".join(problems)) < 100_000


@pytest.mark.parametrize(
    ("column", "chars"), [("name", MAX_NAME_CHARS), ("glob", 500), ("reason", 500), ("may_import", MAX_CELL_CHARS)]
)
def test_a_cell_longer_than_its_column_takes_is_said_at_its_field(column: str, chars: int) -> None:
    title = next(known.title for known in LAYERS.columns if known.key == column)
    assert read_answer(LAYERS, [row("web") | {column: "x" * chars}])[1] == []
    long = [row("web") | {column: "x" * (chars + 1)}]
    assert read_answer(LAYERS, long)[1] == [f"Row 1, {title}: at most {chars:,} characters."]


def test_an_answer_saved_before_its_column_had_a_bound_is_kept() -> None:
    stored = {"version": 1, "answers": {"boundaries.layers": [row("x" * 300)]}}
    assert read_state(stored).rows("boundaries.layers") == [row("x" * 300)]


def test_cells_of_several_lines_have_a_bound_of_lines() -> None:
    question = QUESTIONS["phases.phases"]
    rows = [{"name": "a", "objective": "b", "deliverables": "x\n" * MAX_CELL_LINES, "exit_criteria": "x\n" * 51}]
    assert read_answer(question, rows)[1] == [f"Row 1, Exit criteria: at most {MAX_CELL_LINES} lines."]
