"""The project keeps its own rules."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def test_our_own_boundaries_hold_for_ourselves() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "forgeguard_app.cli.main", "audit", "--all", "--strict", str(ROOT)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No boundary violations" in done.stdout


def test_the_readme_opens_with_the_two_commands_that_the_makefile_has() -> None:
    readme = (ROOT / "README.md").read_text()
    assert readme.index("make demo") < readme.index("make test") < 1_500
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {name for name in re.findall(r"`make ([a-z]+)", readme)} <= targets


def test_no_pin_has_an_address_and_every_dependency_has_a_pin() -> None:
    pins = (ROOT / "constraints.txt").read_text()
    assert "://" not in pins
    names = {re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower() for line in pins.splitlines() if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(text).name for text in (*project["dependencies"], *project["optional-dependencies"]["dev"])]
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in wanted} - names == set()


def test_every_file_and_function_stays_within_sight() -> None:
    long = [
        f"{path}: {len(path.read_text().splitlines())}"
        for path in (ROOT / "forgeguard_app").rglob("*.py")
        if len(path.read_text().splitlines()) > 400
        and "provider_rules" not in path.name
        and "module_table" not in path.name
    ]
    assert long == []


def test_no_line_of_a_template_is_longer_than_a_line_of_code() -> None:
    templates = (ROOT / "forgeguard_app" / "web" / "templates").glob("*.html")
    lines = [
        (path.name, number, line) for path in templates for number, line in enumerate(path.read_text().split("\n"), 1)
    ]
    assert [(name, number) for name, number, line in lines if len(line) > 120] == []


def test_every_runtime_dependency_has_a_floor_to_run_the_tests_on() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/lowest_versions.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert len(done.stdout.splitlines()) == len(project["dependencies"])
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", line) for line in done.stdout.splitlines())


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "security.md").read_text("utf-8"))
    assert len(named) > 30
    missing = [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text("utf-8")]
    assert not missing


def test_no_test_module_imports_from_another_one() -> None:
    imports = re.compile(r"^from tests\.[\w.]*\btest_\w+ import", re.MULTILINE)
    found = [str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py") if imports.search(path.read_text())]
    assert found == []


def test_every_module_that_a_document_names_exists() -> None:
    rooms = "|".join(path.name for path in (ROOT / "forgeguard_app").iterdir() if path.is_dir() and path.name.isalpha())
    named = re.compile(rf"(?<![\w./-])((?:{rooms})/(?:[a-z_]+/)*[a-z_]+)(?:\.py)?\b(?![/.-])")
    documents = [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    found = {
        (str(path.relative_to(ROOT)), name) for path in documents for name in named.findall(path.read_text("utf-8"))
    }
    package = ROOT / "forgeguard_app"
    missing = [(document, name) for document, name in found if not any(package.glob(f"{name}*"))]
    assert len(found) > 20
    assert missing == []
