"""JSON and YAML with places, within bounds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.documents import DocumentError
from forgeguard_app.audit.json_document import read_json
from forgeguard_app.audit.yaml_document import read_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_json_is_read_as_pythons_own_reader_reads_it(value: object, ascii_only: bool, indent: object) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)  # type: ignore[arg-type]
    expected = json.loads(text)
    assert read_json(text).plain() == json.loads(json.dumps(expected).encode("utf-8", "replace"))


@given(st.text())
def test_any_text_gives_a_document_or_an_error_with_a_place(text: str) -> None:
    for read in (read_json, read_yaml):
        try:
            read(text)
        except DocumentError as error:
            assert error.line >= 1
            assert error.column >= 1
            assert error.message


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ('{"a": 1,\n "b": [1, 2,]}', 2, 12, "no ',' before ']'"),
        ("{'a': 1}", 1, 2, "double quotes"),
        ('{"a": 1} // note', 1, 10, "no comments"),
        ('{"a" 1}', 1, 6, "':' is missing"),
        ('{"a": 1', 1, 8, "',' or '}' is missing"),
        ('{"a": 1}}', 1, 9, "something follows"),
        ("", 1, 1, "ends too early"),
        ("[" * 100_000, 1, 51, "nested more than 50 deep"),
        ('{"a":' * 100_000, 1, 251, "nested more than 50 deep"),
        ("[" + "9" * 5_000 + "]", 1, 2, "so many digits"),
    ],
)
def test_what_is_wrong_in_json_is_told_at_its_place(text: str, line: int, column: int, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_json(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert words in caught.value.message


def test_keys_and_values_know_their_places() -> None:
    node = read_json('{\n  "a": [true,\n    "x"]\n}')
    assert node.keys["a"] == (2, 3)
    inner = node.value["a"].value[1]
    assert (inner.line, inner.column) == (3, 5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x", "anchors"),
        ("a: !!python/object/apply:os.system ['true']", "tags"),
        ("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]", "anchors"),
        ("<<: {a: 1}", "merge keys"),
        ("a: 1\n---\nb: 2", "one document only"),
        ("? [a]\n: 1", "a key must be text"),
        ("a: [1", "flow sequence"),
        ("a: \x07", "does not allow"),
        ("[" * 100_000, "nested more than 50 deep"),
        ("a" * 300_000, "longer than"),
    ],
)
def test_what_yaml_is_abused_for_is_refused(text: str, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_yaml(text)
    assert words in caught.value.message


def test_yaml_scalars_are_what_people_mean() -> None:
    node = read_yaml("a: no\nb: 'no'\nc: 12\nd:\ne: 1.5\nf: 2024-01-01")
    assert node is not None
    assert node.plain() == {"a": False, "b": "no", "c": 12, "d": None, "e": "1.5", "f": "2024-01-01"}


def test_an_empty_yaml_file_says_nothing() -> None:
    assert read_yaml("# only a comment\n") is None
