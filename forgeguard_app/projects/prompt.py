"""Writes a builder's prompt: the phase, the contracts' places, and what the last audit found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from forgeguard_app.projects.build_plan import Phase
from forgeguard_app.projects.contract_types import FOLDER

MOST_FINDINGS = 50


def write_prompt(project: str, directive: str, phase: Phase, phases: int, findings: Sequence[Mapping[str, Any]]) -> str:
    """Return the text for the builder's standard input."""
    parts = [
        directive.strip(),
        f"# {phase.title} (of {phases})\n\nProject: {project}\n\nObjective: {phase.objective}",
        "Deliverables:\n" + "\n".join(f"- {deliverable}" for deliverable in phase.deliverables),
        "Exit criteria:\n" + "\n".join(f"- {criterion}" for criterion in phase.exit_criteria),
        "The working folder is a checkout of the repository. The contracts are files in the folder that "
        "FORGEGUARD_CONTRACTS names; "
        f"in the repository they belong under {FOLDER}, where changing them changes nothing about how you are "
        f"evaluated. Leave your work as files: "
        "committing and pushing is done for you.",
    ]
    if findings:
        shown = "\n".join(_line(finding) for finding in findings[:MOST_FINDINGS])
        more = (
            f"\n… and {len(findings) - MOST_FINDINGS} more in the file that FORGEGUARD_FINDINGS names."
            if len(findings) > MOST_FINDINGS
            else ""
        )
        parts.append(
            f"# What has to be fixed first\n\nYour last attempt at this phase was audited and not "
            f"accepted:\n\n{shown}{more}"
        )
    return "\n\n".join(parts) + "\n"


def _line(mapping: Mapping[str, Any]) -> str:
    where = f"{mapping['path']}:{mapping.get('line', 1)} " if mapping.get("path") else ""
    return f"- {mapping.get('check', '')} {where}{mapping.get('message', '')}".replace("  ", " ")
