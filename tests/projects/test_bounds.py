"""Answers and contracts made to take the square of their size, in time or memory: each is refused or rendered.

No test asserts a time; without the linear algorithms these run for minutes.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.yaml_document import read_yaml
from forgeguard_app.projects.answers import MAX_ROWS, Answers, Value
from forgeguard_app.projects.build_plan import read_plan
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.contracts.data import physics
from forgeguard_app.projects.contracts.render import render, write_drafts
from forgeguard_app.projects.contracts.words import MAX_CHARS, ContractTooLong
from forgeguard_app.projects.contracts.yaml_text import write_yaml
from forgeguard_app.projects.proposals import SeenCode, propose
from forgeguard_app.projects.validation import problems_of
from tests.support.answers import filled

MB = 1 << 20
ENDPOINTS = [
    {"method": "GET", "path": f"/{n}" + "".join(f"{{p{m}}}" for m in range(300)), "purpose": "p"}
    for n in range(MAX_ROWS)
]
FORBIDDEN = [
    {"name": f"l{n}", "glob": "a/**", "may_import": "", "forbidden_imports": "a," * 999, "reason": "y" * 500}
    for n in range(MAX_ROWS)
]


def _peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("kind", "key", "rows"),
    [
        (ContractType.PHYSICS, "api.endpoints", ENDPOINTS),
        (ContractType.BOUNDARIES, "boundaries.layers", FORBIDDEN),
    ],
)
def test_a_contract_that_the_answers_make_too_long_is_refused_before_it_is_made(
    kind: ContractType, key: str, rows: Value
) -> None:
    answers = Answers({**filled("python-aiohttp").values, key: rows})
    with pytest.raises(ContractTooLong):
        render("Shop", answers)
    state = {"version": 1, "answers": dict(answers.values)}
    drafts = write_drafts("Shop", state)
    assert [problem.message for problem in drafts[kind].problems] == [
        f"it would have more than {MAX_CHARS:,} characters"
    ]
    assert [other for other, draft in drafts.items() if draft.problems] == [kind]
    assert _peak_bytes(lambda: write_drafts("Shop", state)) < 64 * MB


def test_a_parameter_that_a_path_names_often_is_described_once() -> None:
    row = {"method": "GET", "path": "/" + "{a}" * 600, "purpose": "Gives it"}
    text = physics("Shop", Answers({"api.endpoints": [row]}))
    described = yaml.safe_load(text)["paths"][row["path"]]["get"]
    assert [parameter["name"] for parameter in described["parameters"]] == ["a"]
    assert problems_of(ContractType.PHYSICS, text) == ()


def test_tables_that_refer_to_the_next_come_after_it() -> None:
    rows = [
        {"table": f"t{n}", "column": "x" * 2_000, "type": "uuid", "rule": "", "references": f"t{n + 1}"}
        for n in range(MAX_ROWS)
    ]
    text = render("Shop", Answers({"data.tables": rows}))[ContractType.SCHEMA]
    assert text.index("CREATE TABLE t299 ") < text.index("CREATE TABLE t7 ") < text.index("CREATE TABLE t0 ")


def test_proposals_have_no_more_rows_than_an_answer_may_have() -> None:
    rows = [{"table": f"t{n}", "column": "id", "type": "uuid", "rule": "", "references": ""} for n in range(MAX_ROWS)]
    assert len(propose("api.endpoints", Answers({"data.tables": rows}), SeenCode(), "shop")) == MAX_ROWS


@pytest.mark.nightly
def test_a_plan_of_millions_of_lines_is_read() -> None:
    lines = 1_000_000
    text = (
        "## Phase 0: A\n**Objective.** o\n"
        + "o\n" * lines
        + "### Deliverables\n- d\n"
        + "  d\n" * lines
        + "### Exit criteria\n- e\n"
    )
    (phase,), problems = read_plan(text)
    assert problems == ()
    assert len(phase.objective) == len(phase.deliverables[0]) == 2 * lines + 1


def test_messages_about_a_long_path_repeat_its_beginning_alone() -> None:
    text = f"openapi: 3.1.0\ninfo: {{title: x}}\npaths:\n  ? /{''.join(f'{{p{n}}}' for n in range(20_000))}\n"
    text += "  :\n    get: {responses: {}}\n"
    problems = problems_of(ContractType.PHYSICS, text)
    assert len(problems) == 100
    assert max(len(problem.message) for problem in problems) < 400


_SCALARS = st.text(max_size=200) | st.booleans()
_KEYS = st.text(max_size=200)


@given(
    st.dictionaries(
        _KEYS,
        st.recursive(
            _SCALARS,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
            max_leaves=9,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_written_yaml_reads_as_what_was_written(value: dict[str, Any]) -> None:
    assert yaml.safe_load(write_yaml(value, MAX_CHARS)) == value


@given(
    st.lists(
        st.sampled_from(
            [
                "a: b",
                " #c",
                "- d",
                "? e",
                "true",
                "12",
                "'f'",
                '"',
                "\\",
                "\n",
                "\n\n",
                " ",
                "é",
                "😀",
                "\x85",
                "\x01",
                ":",
                "{g}",
                "%",
                "@",
                "*h",
                "&i",
                "|",
                ">",
                "---",
                "...",
            ]
        )
    ).map("".join)
)
def test_texts_that_yaml_could_mistake_are_quoted(text: str) -> None:
    assert (
        yaml.safe_load(write_yaml({text: text, "list": [text, {text: [text]}]}, MAX_CHARS))
        == {
            text: text,
            "list": [text, {text: [text]}],
        }
        or text == "list"
    )
    assert read_yaml(write_yaml({"a": text}, MAX_CHARS)) is not None


def test_typical_contracts_are_written_as_yaml_s_own_writer_writes_them() -> None:
    text = physics("Shop", filled("python-aiohttp"))
    assert yaml.safe_dump(yaml.safe_load(text), sort_keys=False, allow_unicode=True, width=10_000) == text
