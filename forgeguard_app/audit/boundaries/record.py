"""Writes known violations into a boundaries.json, leaving every other character as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from forgeguard_app.audit.documents import DocumentError, Node
from forgeguard_app.audit.json_document import read_json


def known_entry(rule: str, path: str) -> dict[str, str]:
    """Return the entry that covers the violations of the rule in a file."""
    layer, _, rest = rule.partition("/")
    return {"layer": layer, "file": path, "pattern": rest.partition("/")[2] or path}


def known_entries(findings: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Return the entries that cover boundary violations, given as (rule, path), each once."""
    entries: list[dict[str, str]] = []
    for rule, path in findings:
        entry = known_entry(rule, path)
        if entry not in entries:
            entries.append(entry)
    return entries


def with_known(text: str, entries: Sequence[dict[str, str]]) -> str | None:
    """Return the text of a boundaries.json with the entries that it lacks.

    None where the text is no such file, or lacks no entry.
    """
    try:
        root = read_json(text)
    except DocumentError:
        return None
    if not isinstance(root.value, dict):
        return None
    listed = root.value.get("known_violations")
    recorded = [] if listed is None else listed.plain()
    if not isinstance(recorded, list):
        return None
    unrecorded = [entry for entry in entries if entry not in recorded]
    if not unrecorded:
        return None
    lines = ",\n".join(f"    {json.dumps(entry, ensure_ascii=False)}" for entry in unrecorded)
    if listed is None:
        at = _offset(text, root) + 1
        comma = "," if root.value else ""
        return f'{text[:at]}\n  "known_violations": [\n{lines}\n  ]{comma}{text[at:]}'
    at = _offset(text, listed) + 1
    return f"{text[:at]}\n{lines}{',' if recorded else ''}{text[at:]}"


def _offset(text: str, node: Node) -> int:
    start = 0
    for _ in range(node.line - 1):
        start = text.index("\n", start) + 1
    return start + node.column - 1
