"""Prints the declared floor of every dependency as a constraint, for a run on the lowest versions that we allow."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def lowest(requirements: Iterable[str]) -> list[str]:
    """Return a constraint for each requirement that has a floor."""
    found = []
    for requirement in map(Requirement, requirements):
        floors = [specifier.version for specifier in requirement.specifier if specifier.operator == ">="]
        found += [f"{requirement.name}=={floor}" for floor in floors]
    return found


def main() -> None:
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    print("\n".join(lowest(project["dependencies"])))


if __name__ == "__main__":
    main()
