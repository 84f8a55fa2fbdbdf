"""YAML with the place of every value: the plain part of it that a configuration needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import yaml

from forgeguard_app.audit.documents import MAX_DEPTH, DocumentError, Node

MAX_YAML_CHARS = 256_000

# libyaml where the wheel has it: twenty times faster, and events alone never recurse.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = yaml.resolver.Resolver()
_PLAIN = "tag:yaml.org,2002:"


def read_yaml(text: str) -> Node | None:
    """Return the one document of a YAML text as nodes, None where it is empty.

    Aliases, tags, merge keys and keys that are not text are refused: a configuration needs none of them, and
    the first two are how YAML is abused (expansion bombs, object construction).

    Raises:
        DocumentError: it is not such YAML, or not within MAX_YAML_CHARS and MAX_DEPTH.
    """
    if len(text) > MAX_YAML_CHARS:
        raise DocumentError(f"longer than {MAX_YAML_CHARS} characters", 1, 1)
    if bad := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise DocumentError(
            "a character that YAML does not allow", line, bad.start() - text.rfind("\n", 0, bad.start())
        )
    try:
        return _from_events(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(message or "not YAML", line, column) from None
    except yaml.YAMLError:
        raise DocumentError("not YAML", 1, 1) from None


def _from_events(text: str) -> Node | None:
    root: Node | None = None
    documents = 0
    stack: list[tuple[Node, list[Node]]] = []  # a mapping's pending key waits in the list
    for event in cast(Iterator[Any], yaml.parse(text, Loader=_LOADER)):
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise DocumentError("one document only; remove the '---'", line, column)
            continue
        if isinstance(event, yaml.AliasEvent):
            raise DocumentError("aliases (*name) are not read; write the value out", line, column)
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            stack.pop()
            continue
        if not isinstance(event, yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent):
            continue
        node = _node(event, line, column)
        if stack:
            _place_in(stack[-1], node)
        else:
            root = node
        if not isinstance(event, yaml.ScalarEvent):
            if len(stack) >= MAX_DEPTH:
                raise DocumentError(f"nested more than {MAX_DEPTH} deep", line, column)
            stack.append((node, []))
    return None if root is None or (root.value is None and not root.keys) else root


def _node(event: Any, line: int, column: int) -> Node:
    if event.tag not in (None, "!") or event.anchor:
        what = "anchors (&name)" if event.anchor else "tags (!name)"
        raise DocumentError(f"{what} are not read; write the value out", line, column)
    if isinstance(event, yaml.MappingStartEvent):
        return Node({}, line, column)
    if isinstance(event, yaml.SequenceStartEvent):
        return Node([], line, column)
    return Node(_scalar(event), line, column)


def _scalar(event: Any) -> object:
    text = cast(str, event.value)
    if event.style in ("'", '"', "|", ">"):
        return text
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_PLAIN)
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in ("yes", "true", "on")
    if tag == "int" and re.fullmatch(r"[-+]?[0-9]{1,18}", text):
        return int(text)
    return text


def _place_in(top: tuple[Node, list[Node]], node: Node) -> None:
    parent, pending = top
    if isinstance(parent.value, list):
        parent.value.append(node)
    elif not pending:
        if not isinstance(node.value, str):
            raise DocumentError("a key must be text", node.line, node.column)
        if node.value == "<<":
            raise DocumentError("merge keys (<<) are not read; write the keys out", node.line, node.column)
        if node.value in parent.value:
            parent.duplicates.append((node.value, node.line, node.column))
        parent.keys[node.value] = (node.line, node.column)
        pending.append(node)
    else:
        parent.value[pending.pop().value] = node
