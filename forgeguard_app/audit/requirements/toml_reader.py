"""Reads the shapes in which TOML files list requirements."""

from __future__ import annotations

import re
from typing import Any

from packaging.requirements import InvalidRequirement

from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.requirements.bounds import MAX_PROBLEMS, requirement_of
from forgeguard_app.audit.requirements.model import Declared, DependencyScope, Manifest, normalised
from forgeguard_app.audit.toml_document import TooMuch, load_toml

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


class TomlReader:
    """Collects from one TOML document; whatever has another shape than expected becomes a problem."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.declared: list[Declared] = []
        self.problems: list[Problem] = []

    def problem(self, fragment: str, message: str) -> None:
        """Note what is wrong on the line that holds the fragment."""
        if len(self.problems) >= MAX_PROBLEMS:
            return
        at = self.text.find(fragment) if fragment else 0
        self.problems.append(Problem(self.path, self.text.count("\n", 0, max(at, 0)) + 1, 1, message))

    def requirements(self, values: Any, scope: DependencyScope, where: str) -> None:
        """Read a list of PEP 508 texts."""
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


def load_document(path: str, text: str) -> dict[str, Any] | Manifest:
    """Return the TOML document, or a manifest that holds the reason why it cannot be read."""
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


def table_at(value: Any, *keys: str) -> dict[str, Any]:
    """Return the table at these keys; an empty one where there is something else."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
