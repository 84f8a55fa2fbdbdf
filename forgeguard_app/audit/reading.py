"""Turns nodes of a document into values, noting every problem with its place instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from forgeguard_app.audit.documents import Node
from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.secrets.masking import quoted

MAX_PROBLEMS = 100  # of one file


class Reading:
    """Reads one file; `problems` holds all that is wrong with it, in the order met."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[Problem] = []

    def problem(self, node: Node | tuple[int, int], message: str) -> None:
        """Note what is wrong at a node or a place."""
        line, column = (node.line, node.column) if isinstance(node, Node) else node
        if not self.is_full:
            more = "; there is more wrong below that is not listed" if len(self.problems) == MAX_PROBLEMS - 1 else ""
            self.problems.append(Problem(self.path, line, column, f"{message}{more}"))

    @property
    def is_full(self) -> bool:
        """Return whether as many problems are noted as are listed; a message for another one need not be made."""
        return len(self.problems) >= MAX_PROBLEMS

    def mapping(self, node: Node, what: str, known: Iterable[str] | None = None) -> dict[str, Node]:
        """Return the mapping's nodes by key; with `known`, every other key is a problem."""
        if not isinstance(node.value, dict):
            self.problem(node, f"{what} must be a mapping, not {node.kind}")
            return {}
        for key, line, column in node.duplicates:
            if self.is_full:
                break
            self.problem((line, column), f"the key {quoted(key)} stands here twice")
        if known is None:
            return node.value
        names = list(known)
        for key in node.value:
            if key not in names and not self.is_full:
                self.problem(node.keys[key], f"unknown key {quoted(key)} in {what}{_hint(key, names)}")
        return {key: value for key, value in node.value.items() if key in names}

    def items(self, node: Node, what: str) -> list[Node]:
        """Return the nodes of a list."""
        if not isinstance(node.value, list):
            self.problem(node, f"{what} must be a list, not {node.kind}")
            return []
        return node.value

    def text(self, node: Node, what: str) -> str | None:
        """Return a non-empty text."""
        if not isinstance(node.value, str):
            self.problem(node, f"{what} must be text, not {node.kind}")
        elif not node.value.strip():
            self.problem(node, f"{what} is empty")
        else:
            return node.value
        return None

    def texts(self, node: Node, what: str, *, single: bool = False) -> tuple[str, ...]:
        """Return a list of texts; with `single`, one text alone will do."""
        if single and isinstance(node.value, str):
            text = self.text(node, what)
            return () if text is None else (text,)
        found = (self.text(item, f"an entry of {what}") for item in self.items(node, what))
        return tuple(text for text in found if text is not None)

    def flag(self, node: Node, what: str) -> bool | None:
        """True or false."""
        if isinstance(node.value, bool):
            return node.value
        self.problem(node, f"{what} must be true or false, not {node.kind}")
        return None

    def choice(self, node: Node, what: str, choices: Iterable[str]) -> str | None:
        """Return one of a few words."""
        names = list(choices)
        if isinstance(node.value, str) and node.value in names:
            return node.value
        given = quoted(node.value) if isinstance(node.value, str) else node.kind
        self.problem(node, f"{what} must be one of {', '.join(names)}, not {given}")
        return None


def _hint(key: str, names: list[str]) -> str:
    close = get_close_matches(key, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(names)}"
