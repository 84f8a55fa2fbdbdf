"""The ten contracts of a project."""

from __future__ import annotations

from enum import StrEnum


class ContractType(StrEnum):
    """The contracts by the names that the database uses, in the order in which one reads them."""

    BLUEPRINT = "blueprint"
    MANIFESTO = "manifesto"
    STACK = "stack"
    SCHEMA = "schema"
    PHYSICS = "physics"
    BOUNDARIES = "boundaries"
    PHASES = "phases"
    UI = "ui"
    BUILDER_CONTRACT = "builder_contract"
    BUILDER_DIRECTIVE = "builder_directive"


FILES: dict[ContractType, str] = {
    ContractType.BLUEPRINT: "blueprint.md",
    ContractType.MANIFESTO: "manifesto.md",
    ContractType.STACK: "stack.md",
    ContractType.SCHEMA: "schema.md",
    ContractType.PHYSICS: "physics.yaml",
    ContractType.BOUNDARIES: "boundaries.json",
    ContractType.PHASES: "phases.md",
    ContractType.UI: "ui.md",
    ContractType.BUILDER_CONTRACT: "builder_contract.md",
    ContractType.BUILDER_DIRECTIVE: "builder_directive.md",
}
FOLDER = "Forge/Contracts"


def path_of(kind: ContractType) -> str:
    """Return the contract's path in a repository."""
    return f"{FOLDER}/{FILES[kind]}"
