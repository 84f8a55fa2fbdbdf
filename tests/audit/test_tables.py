"""The tables of checks, languages and manifest readers."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from forgeguard_app.audit.check_kinds import CHECK_KINDS, ConfiguringFile, configured_by, settings_of
from forgeguard_app.audit.check_settings import COMMON
from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.languages import LANGUAGES, language_of
from forgeguard_app.audit.languages.imports import Import, SourceFacts
from forgeguard_app.audit.languages.language import Language
from forgeguard_app.audit.languages.python import PYTHON
from forgeguard_app.audit.loosening import policy_loosened
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.audit.policy import CheckPolicy, CheckSettings, read_settings, resolve
from forgeguard_app.audit.requirements import PROJECT_FILES, READERS
from forgeguard_app.audit.requirements.readers import reader_of
from forgeguard_app.evaluation.facts_cache import FactsCache
from forgeguard_app.web import schemas


def test_every_code_has_its_two_records_in_the_order_of_the_codes() -> None:
    assert list(CHECK_KINDS) == list(CheckCode) == list(CHECKS)
    assert [check.kind for check in CHECKS.values()] == list(CHECK_KINDS.values())


def test_the_published_schema_knows_each_check_and_its_settings() -> None:
    schema = json.loads((Path(schemas.FOLDER) / "forgeguard.json").read_text("utf-8"))
    published = schema["$defs"]["checks"]["properties"]
    assert {code: set(check["properties"]) for code, check in published.items()} == {
        str(code): {setting.key for setting in settings_of(code)} for code in CHECK_KINDS
    }


def test_a_setting_a_rule_and_a_file_belong_to_one_check() -> None:
    settings = [setting.key for kind in CHECK_KINDS.values() for setting in (*COMMON, *kind.settings)]
    assert len(settings) == len(set(settings)) + (len(CHECK_KINDS) - 1) * len(COMMON)
    rules = [rule for kind in CHECK_KINDS.values() for rule in kind.rule_kinds]
    assert len(rules) == len(set(rules))
    for file in ConfiguringFile:
        assert [kind.code for kind in CHECK_KINDS.values() if kind.configured_by is file] == [configured_by(file)]


def test_every_setting_has_a_value_in_a_file_and_in_what_holds() -> None:
    keys = {setting.key for code in CheckCode for setting in settings_of(code)}
    assert {field.name for field in fields(CheckSettings)} == keys | {"places"}
    assert {field.name for field in fields(CheckPolicy)} == keys | {"places", "disabled_by"}


# A value that allows more than the default, and the words for it; a setting without one is seen by no test.
LOOSENED: dict[str, tuple[str, str]] = {
    "enabled": ("enabled: false", "disabled"),
    "gate": ("gate: new", "gate all → new"),
    "level": ("level: warn", "level fail → warn"),
    "ignore": ("ignore: ['a/**']", "1 ignored path added"),
    "boundaries": ("boundaries: [b.json]", "boundaries changed"),
    "manifests": ("manifests: [m.txt]", "manifests changed"),
    "provides": ("provides: {a: [b]}", "1 provided module added"),
    "ignore_modules": ("ignore_modules: [a]", "1 ignored module added"),
    "fail_on": ("", "fail_on removed"),
}
STRICTEST = {"gate": "gate: all", "level": "level: fail", "fail_on": "fail_on: verified"}


@pytest.mark.parametrize(("code", "key"), [(code, setting.key) for code in CheckCode for setting in settings_of(code)])
def test_a_setting_that_is_loosened_is_told(code: CheckCode, key: str) -> None:
    text, words = LOOSENED[key]
    before, after = (_policy(code, line) for line in (STRICTEST.get(key, ""), text))
    assert any(words in sentence for sentence in policy_loosened(code, before, after))
    assert policy_loosened(code, before, before) == []


def _policy(code: CheckCode, line: str) -> CheckPolicy:
    settings, problems = read_settings(f"checks:\n  {code}:\n    {line}\n" if line else "", "forgeguard.yml")
    assert not problems
    return resolve(settings)[code]


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
    cache = FactsCache().hold()
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
