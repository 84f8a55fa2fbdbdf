"""The contracts that machines read: boundaries, which the check takes as they are, and phases, which a build works
through.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from forgeguard_app.projects.answers import Answers, Row
from forgeguard_app.projects.contracts.words import MAX_CHARS, ContractTooLong, bullets, document, sentence

_ENTRY_CHARS = 60  # of a forbidden module, at least: its keys, brackets and blanks


def boundaries(name: str, answers: Answers) -> str:
    """Return a boundaries.json: the layers from the top, and what each must not import.

    Raises:
        ContractTooLong: it has more than MAX_CHARS characters. A reason stands with every module, so it is refused
            before it is made.
    """
    rows = answers.rows("boundaries.layers")
    names = [row["name"] for row in rows]
    known = frozenset(names)
    layers: list[dict[str, Any]] = []
    chars = 0
    for row in rows:
        modules = _names(row["forbidden_imports"])
        chars += len(modules) * (len(row["reason"] or row["name"]) + _ENTRY_CHARS)
        if chars > MAX_CHARS:
            raise ContractTooLong
        layers.append(_layer(row, modules, known))
    described: dict[str, Any] = {
        "description": f"The layers of {name}, from the top: upper ones may import lower ones.",
        "layers": layers,
    }
    if len(names) > 1:
        described["order"] = names
    described["exhaustive"] = answers.text("boundaries.exhaustive") == "yes"
    described["acyclic"] = True
    return json.dumps(described, ensure_ascii=False, indent=2) + "\n"


def _layer(row: Row, modules: list[str], known: Collection[str]) -> dict[str, Any]:
    layer: dict[str, Any] = {"name": row["name"], "glob": row["glob"]}
    if modules:
        reason = row["reason"] or f"{row['name']} does not reach for it"
        layer["forbidden_imports"] = [{"module": module, "reason": reason} for module in modules]
    if row["may_import"]:
        layer["may_import"] = [name for name in _names(row["may_import"]) if name in known and name != row["name"]]
    return layer


def _names(text: str) -> list[str]:
    return [part for piece in text.split(",") if (part := piece.strip()) and part != "-"]


def phases(name: str, answers: Answers) -> str:
    """Render the phases in their order, in the form that `build_plan` reads."""
    parts = [_phase(number, row) for number, row in enumerate(answers.rows("phases.phases"))]
    return document(
        f"{name}: phases",
        "A build works through these one by one. Each is audited by the boundaries before the next begins, "
        "and each has to meet its exit criteria.\n",
        *parts,
    )


def _phase(number: int, row: Row) -> str:
    return (
        f"## Phase {number}: {row['name']}\n\n**Objective.** {sentence(row['objective'])}\n\n"
        f"### Deliverables\n\n{bullets(row['deliverables'].splitlines())}\n\n### Exit "
        f"criteria\n\n{bullets(row['exit_criteria'].splitlines())}\n"
    )
