"""The tables of checks, languages and manifest readers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forgeguard_app.audit.check_kinds import CHECK_KINDS, ConfiguringFile, configured_by, kind_with, secrets_kind
from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.languages import LANGUAGES, language_of
from forgeguard_app.audit.languages.imports import Import, SourceFacts
from forgeguard_app.audit.languages.language import Language
from forgeguard_app.audit.languages.python import PYTHON
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.audit.requirements import PROJECT_FILES, READERS
from forgeguard_app.audit.requirements.readers import reader_of
from forgeguard_app.evaluation.facts_cache import FactsCache
from forgeguard_app.web import schemas

COMMON = {"enabled", "gate", "ignore", "level"}


def test_every_code_has_its_two_records_in_the_order_of_the_codes() -> None:
    assert list(CHECK_KINDS) == list(CheckCode) == list(CHECKS)
    assert [check.kind for check in CHECKS.values()] == list(CHECK_KINDS.values())


def test_the_published_schema_knows_each_check_and_its_settings() -> None:
    schema = json.loads((Path(schemas.FOLDER) / "forgeguard.json").read_text("utf-8"))
    published = schema["$defs"]["checks"]["properties"]
    assert {code: set(check["properties"]) for code, check in published.items()} == {
        str(code): COMMON | set(kind.settings) for code, kind in CHECK_KINDS.items()
    }


def test_a_setting_and_a_file_belong_to_one_check() -> None:
    settings = [setting for kind in CHECK_KINDS.values() for setting in kind.settings]
    assert len(settings) == len(set(settings))
    assert [kind_with(setting).code for setting in ("boundaries", "manifests", "fail_on")] == list(CheckCode)
    assert configured_by(ConfiguringFile.BOUNDARIES) is kind_with("boundaries").code
    assert configured_by(ConfiguringFile.EXCEPTIONS) is secrets_kind().code


@pytest.mark.parametrize("code", CheckCode)
def test_the_explanation_of_a_check_begins_with_its_name_and_its_question(code: CheckCode) -> None:
    assert CHECKS[code].about.startswith(f"{CHECK_KINDS[code].name}: ")
    assert CHECKS[code].about.split("\n")[0].endswith("?")


def test_no_two_languages_claim_a_suffix() -> None:
    suffixes = [suffix for language in LANGUAGES for suffix in (*language.suffixes, *language.unread_suffixes)]
    assert len(suffixes) == len(set(suffixes))
    assert [language_of(path) for path in ("a/b.pyi", "b.ipynb", "py")] == [PYTHON, None, None]


def test_one_blob_has_facts_of_its_own_in_each_language() -> None:
    imported = Import("other", (), 0, 1, 1, 1)
    other = Language("Other", (".other",), lambda data: SourceFacts((imported,), has_code=True))
    cache = FactsCache()
    cache.learn("blob", b"import a\n", frozenset(), (PYTHON,))
    assert cache.lacks("blob", frozenset(), (PYTHON, other))
    cache.learn("blob", b"import a\n", frozenset(), (PYTHON, other))
    assert {key: [item.module for item in facts.imports] for key, facts in cache.sources.items()} == {
        ("Python", "blob"): ["a"],
        ("Other", "blob"): ["other"],
    }


def test_no_two_readers_claim_a_name() -> None:
    names = [name for reader in READERS for name in reader.names]
    assert len(names) == len(set(names))
    assert {"pyproject.toml", "setup.py", "setup.cfg"} == PROJECT_FILES
    found = [reader_of(path) for path in ("a/Pipfile", "requirements/dev.in", "package.json")]
    assert [None if reader is None else READERS.index(reader) for reader in found] == [3, 5, None]
