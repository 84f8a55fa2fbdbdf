"""pyproject.toml: PEP 621, dependency groups (PEP 735), Poetry, PDM, uv, Hatch, setuptools' dynamic files; Pipfile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement

from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.requirements.bounds import MAX_PROBLEMS, requirement_of
from forgeguard_app.audit.requirements.model import (
    Declared,
    DependencyScope,
    Manifest,
    ManifestReader,
    by_itself,
    development_words,
    normalised,
)
from forgeguard_app.audit.toml_document import TooMuch, load_toml

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


class _Reader:
    """Collects from one TOML document; whatever has another shape than expected becomes a problem."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.declared: list[Declared] = []
        self.problems: list[Problem] = []

    def problem(self, fragment: str, message: str) -> None:
        if len(self.problems) >= MAX_PROBLEMS:
            return
        at = self.text.find(fragment) if fragment else 0
        self.problems.append(Problem(self.path, self.text.count("\n", 0, max(at, 0)) + 1, 1, message))

    def requirements(self, values: Any, scope: DependencyScope, where: str) -> None:
        """A list of PEP 508 texts."""
        if values is None:
            return
        if not isinstance(values, list):
            self.problem(where.rpartition(".")[2], f"{where} must be a list")
            return
        for value in values:
            if isinstance(value, dict) and set(value) == {"include-group"}:
                continue
            if not isinstance(value, str):
                self.problem(where.rpartition(".")[2], f"{where} must hold texts")
                continue
            try:
                requirement = requirement_of(value)
            except InvalidRequirement as error:
                self.problem(value, f"an entry of {where} is not a requirement (PEP 508){_reason(error)}")
                continue
            self.declared.append(Declared(normalised(requirement.name), scope, _after(value, requirement.name)))

    def named(self, table: Any, scope: DependencyScope, where: str) -> None:
        """Read a table whose keys are distributions, as Poetry and Pipenv write it."""
        if table is None:
            return
        if not isinstance(table, dict):
            self.problem(where.rpartition(".")[2], f"{where} must be a table")
            return
        for name, requirement in table.items():
            if name.lower() == "python" and scope is DependencyScope.RUNTIME:
                continue
            optional = isinstance(requirement, dict) and requirement.get("optional") is True
            self.declared.append(
                Declared(normalised(name), DependencyScope.OPTIONAL if optional else scope, str(requirement))
            )


def _reason(error: InvalidRequirement) -> str:
    """Return the first line of the error where it quotes nothing of the entry."""
    first = str(error).partition("\n")[0]
    return "" if "'" in first or '"' in first or "://" in first else f": {first[:200]}"


def _after(text: str, name: str) -> str:
    return re.sub(r"\s+", "", text.removeprefix(name))


def _load(path: str, text: str) -> dict[str, Any] | Manifest:
    try:
        return load_toml(text)
    except TooMuch as error:
        return Manifest(path, is_project=True, problems=(Problem(path, error.line, 1, error.message),))
    except ValueError as error:
        message = str(error)
        place = _PLACE.search(message)
        line = int(place.group(1)) if place and place.group(1) else text.count("\n") + 1
        column = int(place.group(2)) if place and place.group(2) else 1
        problem = Problem(path, line, column, f"not TOML: {_PLACE.sub('', message)}")
        return Manifest(path, is_project=True, problems=(problem,))


def _table(value: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def read_pyproject(path: str, text: str) -> Manifest:
    """Return what the project declares, its name, and what it leaves to other files."""
    document = _load(path, text)
    if isinstance(document, Manifest):
        return document
    reader = _Reader(path, text)
    project, tool = _table(document, "project"), _table(document, "tool")
    if "project" in document and not isinstance(document["project"], dict):
        reader.problem("project", "project must be a table")
    reader.requirements(project.get("dependencies"), DependencyScope.RUNTIME, "project.dependencies")
    for extra, values in _table(project, "optional-dependencies").items():
        scope = DependencyScope.DEVELOPMENT if development_words(extra) else DependencyScope.OPTIONAL
        reader.requirements(values, scope, f"project.optional-dependencies.{extra}")
    for group, values in _table(document, "dependency-groups").items():
        reader.requirements(values, DependencyScope.DEVELOPMENT, f"dependency-groups.{group}")
    reader.requirements(
        _table(document, "build-system").get("requires"), DependencyScope.BUILD, "build-system.requires"
    )
    _read_tools(reader, tool)
    name = project.get("name") or _table(tool, "poetry").get("name")
    includes = tuple(_dynamic_files(tool))
    dynamic = _list(project.get("dynamic"))
    computed = "dependencies" in dynamic and not any(scope is DependencyScope.RUNTIME for _, scope in includes)
    return Manifest(
        path,
        tuple(reader.declared),
        project_name=normalised(name) if isinstance(name, str) else None,
        is_project=bool(project) or "poetry" in tool,
        is_workspace_root=bool(_table(tool, "uv", "workspace")),
        includes=includes,
        provides=_provided(tool),
        opaque="project.dependencies is dynamic" if computed else "",
        problems=tuple(reader.problems),
    )


def _read_tools(reader: _Reader, tool: dict[str, Any]) -> None:
    poetry = _table(tool, "poetry")
    reader.named(poetry.get("dependencies"), DependencyScope.RUNTIME, "tool.poetry.dependencies")
    reader.named(poetry.get("dev-dependencies"), DependencyScope.DEVELOPMENT, "tool.poetry.dev-dependencies")
    for group, table in _table(poetry, "group").items():
        where = f"tool.poetry.group.{group}.dependencies"
        reader.named(_table(table).get("dependencies"), DependencyScope.DEVELOPMENT, where)
    for name in ("uv", "rye"):
        where = f"tool.{name}.dev-dependencies"
        reader.requirements(_table(tool, name).get("dev-dependencies"), DependencyScope.DEVELOPMENT, where)
    for group, values in _table(tool, "pdm", "dev-dependencies").items():
        plain = (
            [v for v in values if isinstance(v, str) and not v.startswith("-e ")]
            if isinstance(values, list)
            else values
        )
        reader.requirements(plain, DependencyScope.DEVELOPMENT, f"tool.pdm.dev-dependencies.{group}")
    for name, table in _table(tool, "hatch", "envs").items():
        for key in ("dependencies", "extra-dependencies"):
            plain = [v for v in _list(_table(table).get(key)) if "{" not in v]
            reader.requirements(plain, DependencyScope.DEVELOPMENT, f"tool.hatch.envs.{name}.{key}")


def _list(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _dynamic_files(tool: dict[str, Any]) -> Iterator[tuple[str, DependencyScope]]:
    dynamic = _table(tool, "setuptools", "dynamic")
    yield from ((file, DependencyScope.RUNTIME) for file in _files(_table(dynamic, "dependencies").get("file")))
    for extra, table in _table(dynamic, "optional-dependencies").items():
        scope = DependencyScope.DEVELOPMENT if development_words(extra) else DependencyScope.OPTIONAL
        yield from ((file, scope) for file in _files(_table(table).get("file")))
    hook = _table(tool, "hatch", "metadata", "hooks", "requirements_txt")
    yield from ((file, DependencyScope.RUNTIME) for file in _files(hook.get("files")))


def _files(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else _list(value)


def _provided(tool: dict[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """deptry's package_module_name_map, turned to module → distributions."""
    provided: dict[str, list[str]] = {}
    for name, modules in _table(tool, "deptry", "package_module_name_map").items():
        for module in _files(modules):
            provided.setdefault(module, []).append(normalised(name))
    return {module: tuple(names) for module, names in provided.items()}


def read_pipfile(path: str, text: str) -> Manifest:
    """Pipenv's Pipfile."""
    document = _load(path, text)
    if isinstance(document, Manifest):
        return document
    reader = _Reader(path, text)
    reader.named(document.get("packages"), DependencyScope.RUNTIME, "packages")
    reader.named(document.get("dev-packages"), DependencyScope.DEVELOPMENT, "dev-packages")
    return Manifest(path, tuple(reader.declared), problems=tuple(reader.problems))


PYPROJECT = ManifestReader(by_itself(read_pyproject), names=("pyproject.toml",), marks_project=True)
PIPFILE = ManifestReader(by_itself(read_pipfile), names=("Pipfile",))
