"""Renders all contracts of a project from its answers, by one table."""

from __future__ import annotations

from collections.abc import Callable

from forgeguard_app.projects.answers import Answers
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.contracts.builder import builder_contract, builder_directive
from forgeguard_app.projects.contracts.data import physics, schema
from forgeguard_app.projects.contracts.documents import blueprint, manifesto, stack, ui
from forgeguard_app.projects.contracts.rules import boundaries, phases

TEMPLATES: dict[ContractType, Callable[[str, Answers], str]] = {
    ContractType.BLUEPRINT: blueprint,
    ContractType.MANIFESTO: manifesto,
    ContractType.STACK: stack,
    ContractType.SCHEMA: schema,
    ContractType.PHYSICS: physics,
    ContractType.BOUNDARIES: boundaries,
    ContractType.PHASES: phases,
    ContractType.UI: ui,
    ContractType.BUILDER_CONTRACT: builder_contract,
    ContractType.BUILDER_DIRECTIVE: builder_directive,
}


def render(name: str, answers: Answers) -> dict[ContractType, str]:
    """Return every contract's text."""
    return {kind: template(name, answers) for kind, template in TEMPLATES.items()}
