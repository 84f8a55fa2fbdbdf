"""The built-in builder's files: what stands in a repository keeps its say."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import pytest

from forgeguard_app.audit.policy import read_settings
from forgeguard_app.projects.build_plan import Phase
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.skeleton import MAX_FOLDERS, MAX_PACKAGE_FILES, Chosen, Laid, lay

FIRST = Phase(0, "First", 1)
SETTINGS, WORKFLOW = ".github/forgeguard.yml", ".github/workflows/tests.yml"


def lay_all(*existing: str, globs: Collection[str] = ("shop/**",)) -> Laid:
    """What is laid beside existing files."""
    layers = [{"name": f"l{number}", "glob": glob} for number, glob in enumerate(globs)]
    contracts = {str(ContractType.BOUNDARIES): json.dumps({"layers": layers}), str(ContractType.UI): "# UI\n"}
    return lay("Shop", contracts, FIRST, Chosen("python-library", [], set(existing)))


def laid(*existing: str) -> Mapping[str, str]:
    """The files that are laid beside existing ones."""
    return lay_all(*existing).files


@pytest.mark.parametrize(
    ("existing", "path"),
    [
        (".forgeguard.yml", SETTINGS),
        (".github/ForgeGuard.yaml", SETTINGS),
        ("Forge/Contracts/boundaries.json", "boundaries.json"),
        ("Boundaries.json", "boundaries.json"),
        ("setup.py", "pyproject.toml"),
        ("requirements.txt", "pyproject.toml"),
        ("requirements/base.txt", "pyproject.toml"),
        ("Pipfile", "pyproject.toml"),
        (".github/workflows/ci.yaml", WORKFLOW),
        (".gitlab-ci.yml", WORKFLOW),
        (".circleci/config.yml", WORKFLOW),
        ("readme.rst", "README.md"),
        ("README", "README.md"),
        (".github/README.md", "README.md"),
        (".GitIgnore", ".gitignore"),
        ("shop", "shop/__init__.py"),
        ("README.md/x", "README.md"),
        ("Forge", "Forge/Contracts/ui.md"),
        ("Shop/__init__.py", "shop/__init__.py"),
    ],
)
def test_nothing_is_laid_where_a_file_of_the_same_role_exists(existing: str, path: str) -> None:
    assert path in laid()
    assert path not in laid(existing)


def test_other_files_keep_nothing_from_being_laid() -> None:
    others = (
        "docs/forgeguard.yml",
        "app/boundaries.json",
        "app/setup.py",
        "package.json",
        "app/readme.md",
        "README_de.md",
    )
    assert laid(*others) == laid()
    assert "Forge/Contracts/ui.md" in laid("Forge/Contracts/ui.md"), "people wrote the contracts"


def test_the_laid_settings_replace_nothing_that_the_owner_set() -> None:
    found, problems = read_settings(laid()[SETTINGS], SETTINGS)
    nothing, _ = read_settings("", SETTINGS)
    assert (found, problems) == (nothing, ())


def test_a_phase_lays_so_many_files_and_says_what_is_left_out() -> None:
    deep = ["a/" * (MAX_FOLDERS + 1) + "**", "b/" * 90_000 + "**", "c" * 1_000 + "/**"]
    wide = [f"d{number}/" + "x/" * (MAX_FOLDERS - 1) + "**" for number in range(MAX_PACKAGE_FILES // MAX_FOLDERS)]
    found = lay_all(globs=[*deep, *wide, "over/**"])
    packages = [path for path in found.files if path.endswith("__init__.py")]
    assert len(packages) == MAX_PACKAGE_FILES
    assert "the packages of 4 layer(s)" in found.left_out
    assert "over" not in found.files["tests/test_layers.py"], "the test imports only what is laid"
    assert lay_all().left_out == ""
