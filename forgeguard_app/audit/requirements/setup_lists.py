"""The lists of requirements that a setup.py writes in literals, and changes before it passes them to `setup(…)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

MAX_PARTS = 50_000  # texts, lists and names in all lists; an extra may repeat a long one by its name
_ADDING_ONE, _ADDING_MANY = frozenset(("append", "add", "insert")), frozenset(("extend", "update"))
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


class SetupLists:
    """The values that a module gives to its names, of which each may be the one that is passed; `cut` where they have
    more parts than are read.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.cut = False
        self._left = MAX_PARTS
        self._given: dict[str, list[ast.expr]] = {}
        inner: dict[str, list[ast.expr]] = {}  # within functions, where they may be others of the same names
        pending: list[tuple[ast.AST, dict[str, list[ast.expr]]]] = [(tree, self._given)]
        while pending:
            node, given = pending.pop()
            for name, value in _given_by(node):
                given.setdefault(name, []).append(value)
            below = inner if isinstance(node, _SCOPES) else given
            pending.extend((child, below) for child in reversed(list(ast.iter_child_nodes(node))))
        self._given = {**inner, **self._given}

    def value(self, node: ast.expr | None) -> object:
        """Return the literal's value, None where it is not one."""
        if isinstance(node, ast.Name):
            node = self._given.get(node.id, [None])[-1]
        if node is None:
            return None
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, MemoryError, RecursionError, SyntaxError, SystemError):
            return None

    def texts(self, node: ast.expr) -> tuple[list[str], bool]:
        """Return the texts that the list may hold, and whether they are all: nothing of it is computed."""
        found: list[str] = []
        whole = True
        pending, visited = [node], set[str]()
        while pending and not self._is_full():
            match pending.pop():
                case ast.Constant(value=value):
                    found.extend(value.split("\n") if isinstance(value, str) else ())
                case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
                    pending.extend(reversed(parts))
                case ast.Starred(value=part):
                    pending.append(part)
                case ast.BinOp(left=first, op=ast.Add(), right=second) | ast.IfExp(body=first, orelse=second):
                    pending.extend((second, first))
                case ast.Name(id=name) if name in self._given:
                    pending.extend(reversed(self._given[name]) if name not in visited else ())
                    visited.add(name)
                case _:
                    whole = False
        return found, whole and not self.cut

    def _is_full(self) -> bool:
        """Count one more part, and return whether that is one too many."""
        self._left -= 1
        self.cut = self.cut or self._left < 0
        return self.cut

    def extras(self, node: ast.expr | None) -> Iterator[tuple[str, list[str]]]:
        """Yield the name of each extra that is a literal, with the texts that its list may hold."""
        pending, visited = [node], set[str]()
        while pending and not self._is_full():
            match pending.pop():
                case ast.Dict(keys=keys, values=values):
                    for key, value in zip(keys, values, strict=True):
                        if key is None:
                            pending.append(value)
                        elif isinstance(key, ast.Constant):
                            yield str(key.value), self.texts(value)[0]
                case ast.Name(id=name) if name not in visited:
                    visited.add(name)
                    pending.extend(reversed(self._given.get(name, [])))
                case _:
                    pass


def _given_by(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names to which a statement gives a value, or adds one."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                match target:
                    case ast.Name(id=name):
                        yield name, value
                    case ast.Subscript(value=ast.Name(id=name), slice=key):
                        yield name, ast.Dict([key], [value])
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.AugAssign(target=ast.Name(id=name), value=value):
            yield name, value
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr), args=[*_, value]):
            if attr in _ADDING_ONE:
                yield name, ast.List([value])
            elif attr in _ADDING_MANY:
                yield name, value
