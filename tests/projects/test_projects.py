"""Answers, contracts and plans: pure, for any input; the lifecycle's table; contracts that are what their type says."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgeguard_app.audit.boundaries.parse import CONTRACT_PATH, read_boundaries
from forgeguard_app.errors import UserError
from forgeguard_app.projects.answers import Answers, answered, missing, read_answer, read_state, written_state
from forgeguard_app.projects.build_plan import MAX_PHASES, read_plan
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.contracts.data import sql_of
from forgeguard_app.projects.contracts.render import render
from forgeguard_app.projects.contracts.words import package_of
from forgeguard_app.projects.lifecycle import TABLE, Action, Status, next_status
from forgeguard_app.projects.proposals import SeenCode, propose
from forgeguard_app.projects.questions import QUESTIONS, SECTIONS, STACKS, Question, QuestionKind
from forgeguard_app.projects.validation import problems_of
from tests.support.answers import filled


@pytest.mark.parametrize("stack", [stack for stack in STACKS if stack != "other"])
def test_the_proposals_alone_make_contracts_that_are_valid_and_consistent(stack: str) -> None:
    answers = filled(stack)
    assert missing(answers) == []
    texts = render("Shop", answers)
    assert {kind: problems_of(kind, text) for kind, text in texts.items() if problems_of(kind, text)} == {}
    boundaries, _ = read_boundaries(texts[ContractType.BOUNDARIES], CONTRACT_PATH)
    names = [layer.name for layer in boundaries.layers]
    for name in names:
        assert f"**{name}** lives in" in texts[ContractType.BLUEPRINT]
        assert f"`{name}`" in texts[ContractType.BUILDER_CONTRACT]
    phases, _ = read_plan(texts[ContractType.PHASES])
    assert [phase.number for phase in phases] == list(range(len(phases)))
    assert all(phase.objective and phase.deliverables and phase.exit_criteria for phase in phases)
    for kind, text in texts.items():
        lines = [line for line in text.splitlines() if line.strip()]
        for here, following in pairwise(lines):
            level = len(here) - len(here.lstrip("#"))
            deeper = following.startswith("#" * (level + 1))
            assert not (
                kind.value not in ("boundaries", "physics") and level and following.startswith("#") and not deeper
            ), (kind, here)


async def test_the_schema_runs_as_it_stands(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE SCHEMA trial; SET search_path TO trial")
        await connection.execute(sql_of(render("Shop", filled("python-aiohttp"))[ContractType.SCHEMA]))
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'trial'") == 2
    finally:
        await connection.execute("DROP SCHEMA trial CASCADE")
        await connection.close()


def test_of_a_linked_repository_its_real_parts_are_proposed() -> None:
    code = SeenCode((("Python", 12), ("TOML", 1)), ("pyproject.toml",), (("web", "app/web/**"), ("db", "app/db/**")))
    rows = filled("python-library", code=code).rows("boundaries.layers")
    assert [(row["name"], row["glob"]) for row in rows] == [("web", "app/web/**"), ("db", "app/db/**")]
    assert propose("stack.kind", Answers({}), SeenCode((("Go", 3),)), "x") == "other"


def _value(question: Question) -> st.SearchStrategy[Any]:
    text = st.text(max_size=60)
    match question.kind:
        case QuestionKind.TEXT:
            return text
        case QuestionKind.CHOICE:
            return st.sampled_from(question.choices)
        case QuestionKind.LIST:
            return st.lists(text, max_size=4)
        case _:
            cells = {
                column.key: st.sampled_from(column.choices) if column.choices else text for column in question.columns
            }
            return st.lists(st.fixed_dictionaries(cells), max_size=4)


@pytest.mark.nightly
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_answers_are_kept_as_given_and_render_without_a_fault(data: st.DataObject) -> None:
    answers = Answers({})
    for key, question in QUESTIONS.items():
        value, problems = read_answer(question, data.draw(_value(question)))
        if not problems:
            answers = answered(answers, key, value)
    assert read_state(json.loads(json.dumps(written_state(answers)))) == answers
    for kind, text in render(data.draw(st.text(min_size=1, max_size=30)), answers).items():
        problems_of(kind, text)
        text.encode()


@given(st.text(max_size=40))
def test_any_name_gives_a_package(name: str) -> None:
    assert package_of(name).isidentifier()


@given(st.sampled_from(ContractType), st.text(max_size=300))
def test_any_text_is_validated_without_a_fault(kind: ContractType, text: str) -> None:
    for problem in problems_of(kind, text):
        assert problem.line >= 1
        assert problem.message


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"answers": 3, "version": 1},
        {"version": 1},
        {"version": 9, "answers": {"x.y": 1, "intent.users": "text"}},
        {"intent": 3},
    ],
)
def test_states_that_are_none_of_ours_read_as_nothing(state: dict[str, Any]) -> None:
    assert read_state(state) == Answers({})


def test_a_state_of_before_versions_is_readable() -> None:
    assert read_state({"intent": {"summary": "s", "gone": 1}}).text("intent.summary") == "s"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("intent.summary", 3, "text"),
        ("intent.summary", "x" * 5_001, "At most"),
        ("stack.kind", "cobol", "Choose one"),
        ("intent.users", ["x" * 501], "Line 1"),
        ("intent.users", "x", "list"),
        ("data.tables", [{"table": "a"}], "Row 1, Column"),
        ("data.tables", [{"table": "a", "column": "b", "type": "blob"}], "one of uuid"),
        ("data.tables", [{"evil": "a"}], "not evil"),
        ("data.tables", [{}] * 301, "At most 300 rows"),
    ],
)
def test_a_wrong_answer_says_what_is_wrong(key: str, value: Any, words: str) -> None:
    _, problems = read_answer(QUESTIONS[key], value)
    assert any(words in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("kind", "text", "places"),
    [
        ("boundaries", '{"layers": []}', [(1, 1)]),
        ("boundaries", '{"layers": [{"name": "a"}], "x": 1}', [(1, 13), (1, 29)]),
        (
            "physics",
            "openapi: 3.1.0\npaths:\n  users: {}\n  /a/{id}:\n    get: {}\n    fetch: {}\n",
            [(1, 1), (3, 3), (5, 5), (5, 5), (6, 5)],
        ),
        ("physics", "a: [", [(2, 1)]),
        ("phases", "# Phases\n", [(1, 1)]),
        ("phases", "## Phase 1: x\n**Objective.** o\n### Deliverables\n- d\n### Exit criteria\n- e\n", [(1, 1)]),
        ("phases", "## Phase 0: x\n## Phase 1: y\n**Objective.** o\n", [(1, 1)] * 3 + [(2, 1)] * 2),
        ("schema", "```sql\nCREATE TABLE a ();\n", [(1, 1)]),
        ("schema", "```sql\nCREATE TABLE a ()\n```\n", [(3, 1)]),
        ("ui", " \n", [(1, 1)]),
    ],
)
def test_a_contract_that_is_not_what_its_type_says_is_refused_at_its_places(
    kind: str, text: str, places: list[tuple[int, int]]
) -> None:
    found = [(problem.line, problem.column) for problem in problems_of(ContractType(kind), text)]
    if kind == "physics" and text == "a: [":
        assert found, "wherever the parser stumbles"
    else:
        assert found == places


def test_500_phases_are_refused_and_50_are_not() -> None:
    def plan(number: int) -> str:
        return "".join(
            f"## Phase {n}: p\n**Objective.** o\n### Deliverables\n- d\n### Exit criteria\n- e\n" for n in range(number)
        )

    assert read_plan(plan(MAX_PHASES))[1] == ()
    assert "500 phases" in read_plan(plan(500))[1][0].message


@pytest.mark.parametrize("line", ["## Phase 1{}x", "##{}x", "-{}", "{}x", "- {}x", "1{}", "**Objective.**{}x", "##{}"])
def test_runs_of_blanks_in_a_plan_are_read(line: str) -> None:
    before = "## Phase 0: a\n**Objective.** o\n### Deliverables\n- d\n### Exit criteria\n- e\n"
    phases, problems = read_plan(before + line.format(" " * 190_000))
    assert (len(phases), problems) == (1, ())


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("##  Phase 0", ""),
        ("## Phase 0 \t", ""),
        ("## Phase 0:", ""),
        ("## Phase 0 : a  b ", "a  b"),
        ("## Phase 0—a:", "a:"),
        ("## Phase 0 a", None),
        ("## Phase 00000", None),
    ],
)
def test_headings_of_phases(line: str, name: str | None) -> None:
    phases, _ = read_plan(f"{line}\n### Deliverables\n  -  a b \n1)  c\n-\n2.\n  d\n")
    assert [phase.name for phase in phases] == ([] if name is None else [name])
    assert [phase.deliverables for phase in phases] == ([] if name is None else [["a b", "c d"]])


def test_every_move_is_decided_in_every_state() -> None:
    assert set(TABLE) == set(Action)
    assert all(set(row) == set(Status) for row in TABLE.values())
    assert next_status(Status.CONTRACTS_READY, Action.START_BUILD) is Status.BUILDING
    for status in (Status.DRAFT, Status.QUESTIONNAIRE, Status.BUILDING):
        with pytest.raises(UserError):
            next_status(status, Action.START_BUILD)
    assert next_status(Status.BUILDING, Action.STOP_BUILD) is Status.CONTRACTS_READY
    with pytest.raises(UserError, match="cancel it first"):
        next_status(Status.BUILDING, Action.DELETE)


def test_every_contract_follows_from_some_answer() -> None:
    assert {kind for question in QUESTIONS.values() for kind in question.contracts} == set(ContractType)
    assert [section.key for section in SECTIONS] == [
        "intent",
        "stack",
        "data",
        "api",
        "ui",
        "boundaries",
        "deployment",
        "phases",
    ]
