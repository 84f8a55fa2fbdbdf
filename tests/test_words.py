"""The words and names of the project, as scripts/count_words.py counts them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "count_words.py"


@pytest.fixture(scope="module")
def counts() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("count_words", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_stilted_word_stands_in_what_people_read(counts: ModuleType) -> None:
    assert counts.stilted_words() == []


def test_identifiers_say_what_they_hold(counts: ModuleType) -> None:
    assert counts.vague_names() == []


def test_public_docstrings_begin_with_a_verb_or_a_noun(counts: ModuleType) -> None:
    assert counts.question_docstrings() == []


def test_a_class_name_stands_for_one_idea(counts: ModuleType) -> None:
    assert counts.shared_class_names() == []


def test_five_files_at_most_know_a_check_by_name(counts: ModuleType) -> None:
    found = counts.modules_of_checks()
    assert all(found.values()), "the codes are those of the checks"
    assert {code: files for code, files in found.items() if len(files) > counts.MOST_MODULES_OF_A_CHECK} == {}
