"""Recording known violations leaves every other character as it is, and what is recorded is accepted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.boundaries.record import known_entries, with_known

ENTRY = {"layer": "api", "file": "a.py", "pattern": "asyncpg"}


@pytest.mark.parametrize(
    "text",
    [
        '{"layers": []}',
        '{\n  "layers": [],\n  "known_violations": []\n}\n',
        '{"known_violations":[{"layer": "x", "file": "y", "pattern": "z"}], "layers": []}',
        "{}",
        '\n\t{ "layers": [{"name": "\\u00e4 { [", "glob": "**"}] , "known_violations" : [\n\n] }',
    ],
)
def test_entries_are_added_and_nothing_else_changes(text: str) -> None:
    changed = with_known(text, [ENTRY])
    assert changed is not None
    before, after = json.loads(text), json.loads(changed)
    assert after.pop("known_violations") == [ENTRY, *before.pop("known_violations", [])]
    assert after == before
    assert with_known(changed, [ENTRY]) is None, "done twice it changes nothing"
    added = len(changed) - len(text)
    assert any(changed[:at] + changed[at + added :] == text for at in range(len(text) + 1))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"known_violations": 3}', "null"])
def test_what_is_no_boundaries_file_is_left_alone(text: str) -> None:
    assert with_known(text, [ENTRY]) is None


def test_entries_come_from_rules() -> None:
    found = [
        ("api/forbidden_imports/asyncpg", "a.py"),
        ("api/forbidden_imports/asyncpg", "a.py"),
        ("exhaustive/app", "app/b.py"),
    ]
    assert known_entries(found) == [ENTRY, {"layer": "exhaustive", "file": "app/b.py", "pattern": "app/b.py"}]


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(st.none() | st.text(max_size=5) | st.integers(), lambda x: st.lists(x, max_size=3)),
    )
)
def test_any_mapping_stays_what_it_was(mapping: dict[str, object]) -> None:
    mapping.pop("known_violations", None)
    changed = with_known(json.dumps(mapping), [ENTRY])
    assert changed is not None
    assert json.loads(changed) == {"known_violations": [ENTRY], **mapping}
