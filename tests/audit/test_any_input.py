"""Whatever a stranger writes, every reader gives an answer with places, and never an exception."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.boundaries.parse import read_boundaries
from forgeguard_app.audit.policy import laid_over, read_settings, resolve
from forgeguard_app.audit.requirements.readers import read_manifest
from forgeguard_app.audit.secrets.allowlists import Exceptions
from forgeguard_app.audit.secrets.gitleaks_files import read_exceptions
from forgeguard_app.audit.secrets.scanner import AddedBlock, scan
from forgeguard_app.git.patches import Unshown, read_patch, unquoted
from forgeguard_app.github.payloads import BadPayload, read_event

BOUNDARY_KEYS = [
    "layers",
    "name",
    "glob",
    "forbidden",
    "pattern",
    "reason",
    "forbidden_imports",
    "module",
    "may_import",
    "order",
    "exhaustive",
    "acyclic",
    "known_violations",
    "file",
    "layer",
    "x",
]
POLICY_KEYS = [
    "enabled",
    "gate",
    "ignore",
    "checks",
    "A4",
    "A9",
    "W1",
    "level",
    "boundaries",
    "manifests",
    "provides",
    "ignore_modules",
    "fail_on",
    "notify",
    "enforce",
    "policy",
    "x",
]
WORDS = st.sampled_from(["new", "all", "fail", "a", "**/*.py", "(", "[a", "/abs", "../x", "verified", ""]) | st.text(
    max_size=8
)


def values(keys: list[str]) -> st.SearchStrategy[object]:
    leaves = st.none() | st.booleans() | st.integers(-5, 5) | WORDS
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=5),
        max_leaves=25,
    )


@given(values(BOUNDARY_KEYS))
def test_boundaries(value: object) -> None:
    boundaries, problems = read_boundaries(json.dumps(value, indent=1), "boundaries.json")
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems)
    assert boundaries.path == "boundaries.json"
    assert isinstance(value, dict) or problems


@given(values(POLICY_KEYS), st.booleans())
def test_policies(value: object, owner: bool) -> None:
    settings, problems = read_settings(json.dumps(value), "f.yml", owner=owner)
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in problems)
    assert set(resolve(laid_over(settings, settings))) == {"A4", "A9", "W1"}


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.txt", "setup.cfg", "setup.py", "Pipfile", "tox.ini"])
@given(
    data=st.binary(max_size=200)
    | st.text(alphabet="[]=\"'{},.#\n -:;abcproject()dependencies_\\", max_size=200).map(str.encode)
)
def test_manifests(name: str, data: bytes) -> None:
    manifest = read_manifest(name, data)
    assert manifest.path == name
    assert all(problem.line >= 1 for problem in manifest.problems)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "-" * 50_000 + "1",
        "(" * 50_000,
        "f(" * 5_000 + ")" * 5_000,
        "setup(install_requires=" + "[" * 90 + "]" * 90 + ")",
        "[" * 199_000,
        "a.b" * 60_000,
    ],
)
def test_a_setup_py_that_is_made_to_exhaust_the_parser(text: str) -> None:
    assert read_manifest("setup.py", text.encode()).problems == ()


@given(st.binary(max_size=400) | st.text(alphabet='@+- \n,0123456789abdif/\0\\"', max_size=400).map(str.encode))
def test_patches(data: bytes) -> None:
    for item in read_patch(data):
        assert isinstance(item, Unshown) or (item.first_line >= 0 and item.text)
    assert isinstance(unquoted(data), bytes)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_allowlists(config: bytes, ignore: bytes) -> None:
    exceptions, _ = read_exceptions(config, ignore)
    assert exceptions.cover("a", 1, "line", "value", None, "private-key") in (True, False)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_the_scanner(data: bytes) -> None:
    for secret in scan([AddedBlock("a.py", None, 1, b"token = '" + data + b"'")], Exceptions()):
        assert secret.line >= 1
        assert secret.column >= 1


@pytest.mark.parametrize(
    "name",
    [
        "push",
        "installation",
        "installation_repositories",
        "pull_request",
        "check_suite",
        "check_run",
        "merge_group",
        "repository",
        "star",
    ],
)
@given(
    body=st.binary(max_size=100)
    | values(["action", "ref", "after", "before", "repository", "id", "full_name", "installation"]).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_deliveries(name: str, body: bytes) -> None:
    try:
        event = read_event(name, body)
    except BadPayload as error:
        assert str(error)
    else:
        assert event is None or type(event).__name__.startswith(name.split("_", maxsplit=1)[0].capitalize())
