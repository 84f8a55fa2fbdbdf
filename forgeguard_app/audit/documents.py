"""Documents with the place of every value: what the readers of JSON and YAML give.

Configuration comes from strangers and its errors are shown on the line they stand on; the usual parsers keep no places.
Both readers are iterative or bounded in depth, so that no nesting exhausts the stack.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 50


class DocumentError(Exception):
    """A text that is not JSON or YAML, or not within our bounds; carries the 1-based place."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


@dataclass(slots=True)
class Node:
    """A value with its 1-based place; lists hold nodes, mappings hold nodes by key, `keys` the keys' places."""

    value: Any
    line: int
    column: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    duplicates: list[tuple[str, int, int]] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The value's type in words a person uses."""
        return _KINDS.get(type(self.value), "something else")

    def plain(self) -> Any:
        """Return the value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


_KINDS: dict[type, str] = {
    dict: "a mapping",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "nothing",
}
