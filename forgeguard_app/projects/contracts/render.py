"""Renders all contracts of a project from its answers, by one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from forgeguard_app.audit.model import Problem
from forgeguard_app.projects.answers import Answers, read_state
from forgeguard_app.projects.contract_types import FILES, ContractType
from forgeguard_app.projects.contracts.builder import builder_contract, builder_directive
from forgeguard_app.projects.contracts.data import physics, schema
from forgeguard_app.projects.contracts.documents import blueprint, manifesto, stack, ui
from forgeguard_app.projects.contracts.rules import boundaries, phases
from forgeguard_app.projects.contracts.words import MAX_CHARS, ContractTooLong
from forgeguard_app.projects.validation import problems_of

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


@dataclass(frozen=True, slots=True)
class Draft:
    """A contract as the answers make it; with problems, it is not to be kept, and `text` is empty where it is long."""

    text: str
    problems: tuple[Problem, ...] = ()


def render(name: str, answers: Answers) -> dict[ContractType, str]:
    """Return every contract's text.

    Raises:
        ContractTooLong: one of them has more than MAX_CHARS characters.
    """
    return {kind: template(name, answers) for kind, template in TEMPLATES.items()}


def write_drafts(name: str, state: Mapping[str, Any]) -> dict[ContractType, Draft]:
    """Return every contract as a stored questionnaire makes it, with all that is wrong with it."""
    answers = read_state(state)
    return {kind: _draft(kind, name, answers) for kind in TEMPLATES}


def _draft(kind: ContractType, name: str, answers: Answers) -> Draft:
    try:
        text = TEMPLATES[kind](name, answers)
    except ContractTooLong:
        text = ""
    if not text or len(text) > MAX_CHARS:
        return Draft("", (Problem(FILES[kind], 1, 1, f"it would have more than {MAX_CHARS:,} characters"),))
    return Draft(text, problems_of(kind, text))
