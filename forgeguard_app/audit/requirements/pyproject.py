"""pyproject.toml: PEP 621, dependency groups (PEP 735), Poetry, PDM, uv, Hatch, setuptools' dynamic files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from forgeguard_app.audit.requirements.model import (
    DependencyScope,
    Manifest,
    ManifestReader,
    by_itself,
    development_words,
    normalised,
)
from forgeguard_app.audit.requirements.toml_reader import TomlReader, load_document, table_at


def read_pyproject(path: str, text: str) -> Manifest:
    """Return what the project declares, its name, and what it leaves to other files."""
    document = load_document(path, text)
    if isinstance(document, Manifest):
        return document
    reader = TomlReader(path, text)
    project, tool = table_at(document, "project"), table_at(document, "tool")
    if "project" in document and not isinstance(document["project"], dict):
        reader.problem("project", "project must be a table")
    reader.requirements(project.get("dependencies"), DependencyScope.RUNTIME, "project.dependencies")
    for extra, values in table_at(project, "optional-dependencies").items():
        scope = DependencyScope.DEVELOPMENT if development_words(extra) else DependencyScope.OPTIONAL
        reader.requirements(values, scope, f"project.optional-dependencies.{extra}")
    for group, values in table_at(document, "dependency-groups").items():
        reader.requirements(values, DependencyScope.DEVELOPMENT, f"dependency-groups.{group}")
    reader.requirements(
        table_at(document, "build-system").get("requires"), DependencyScope.BUILD, "build-system.requires"
    )
    _read_tools(reader, tool)
    poetry = table_at(tool, "poetry")
    name = project.get("name") or poetry.get("name")
    includes = tuple(_dynamic_files(tool))
    is_resolved = any(scope is DependencyScope.RUNTIME for _, scope in includes) or bool(
        table_at(poetry, "dependencies")
    )
    computed = "dependencies" in _list(project.get("dynamic")) and not is_resolved
    return Manifest(
        path,
        tuple(reader.declared),
        project_name=normalised(name) if isinstance(name, str) else None,
        is_project=bool(project) or "poetry" in tool,
        is_workspace_root=bool(table_at(tool, "uv", "workspace")),
        includes=includes,
        provides=_provided(tool),
        opaque="project.dependencies is dynamic" if computed else "",
        problems=tuple(reader.problems),
    )


def _read_tools(reader: TomlReader, tool: dict[str, Any]) -> None:
    poetry = table_at(tool, "poetry")
    reader.named(poetry.get("dependencies"), DependencyScope.RUNTIME, "tool.poetry.dependencies")
    reader.named(poetry.get("dev-dependencies"), DependencyScope.DEVELOPMENT, "tool.poetry.dev-dependencies")
    for group, table in table_at(poetry, "group").items():
        where = f"tool.poetry.group.{group}.dependencies"
        reader.named(table_at(table).get("dependencies"), DependencyScope.DEVELOPMENT, where)
    for name in ("uv", "rye"):
        where = f"tool.{name}.dev-dependencies"
        reader.requirements(table_at(tool, name).get("dev-dependencies"), DependencyScope.DEVELOPMENT, where)
    for group, values in table_at(tool, "pdm", "dev-dependencies").items():
        plain = (
            [v for v in values if isinstance(v, str) and not v.startswith("-e ")]
            if isinstance(values, list)
            else values
        )
        reader.requirements(plain, DependencyScope.DEVELOPMENT, f"tool.pdm.dev-dependencies.{group}")
    for name, table in table_at(tool, "hatch", "envs").items():
        for key in ("dependencies", "extra-dependencies"):
            plain = [v for v in _list(table_at(table).get(key)) if "{" not in v]
            reader.requirements(plain, DependencyScope.DEVELOPMENT, f"tool.hatch.envs.{name}.{key}")


def _list(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _dynamic_files(tool: dict[str, Any]) -> Iterator[tuple[str, DependencyScope]]:
    dynamic = table_at(tool, "setuptools", "dynamic")
    yield from ((file, DependencyScope.RUNTIME) for file in _files(table_at(dynamic, "dependencies").get("file")))
    for extra, table in table_at(dynamic, "optional-dependencies").items():
        scope = DependencyScope.DEVELOPMENT if development_words(extra) else DependencyScope.OPTIONAL
        yield from ((file, scope) for file in _files(table_at(table).get("file")))
    hook = table_at(tool, "hatch", "metadata", "hooks", "requirements_txt")
    yield from ((file, DependencyScope.RUNTIME) for file in _files(hook.get("files")))


def _files(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else _list(value)


def _provided(tool: dict[str, Any]) -> Mapping[str, tuple[str, ...]]:
    """deptry's package_module_name_map, turned to module → distributions."""
    provided: dict[str, list[str]] = {}
    for name, modules in table_at(tool, "deptry", "package_module_name_map").items():
        for module in _files(modules):
            provided.setdefault(module, []).append(normalised(name))
    return {module: tuple(names) for module, names in provided.items()}


PYPROJECT = ManifestReader(by_itself(read_pyproject), names=("pyproject.toml",), marks_project=True)
