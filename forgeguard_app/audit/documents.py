"""JSON and YAML with the place of every value, read strictly and within bounds.

Configuration comes from strangers and its errors are shown on the line they stand on; the usual parsers
keep no places. Both readers here are iterative or bounded in depth, so that no nesting exhausts the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

MAX_DEPTH = 50
MAX_JSON_CHARS = 2_000_000
MAX_YAML_CHARS = 256_000


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
        """The value without places."""
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

_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<string>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")
      | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (?P<word>true|false|null)
      | (?P<mark>[\[\]{}:,])
      | (?P<end>\Z))""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None}
_MAX_DIGITS = 400


class _Json:
    """A recursive-descent reader whose recursion is bounded by MAX_DEPTH."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.kind = ""
        self.token = ""
        self.start = 0
        self.advance()

    def place(self, offset: int) -> tuple[int, int]:
        line = _line_of(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def fail(self, message: str, offset: int | None = None) -> DocumentError:
        return DocumentError(message, *self.place(self.start if offset is None else offset))

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.at)
        if match is None or match.lastgroup is None:
            gap = re.compile(r"[ \t\r\n]*").match(self.text, self.at)
            self.start = gap.end() if gap else self.at
            raise self.fail(self._strange(self.text[self.start : self.start + 1]))
        self.kind = match.lastgroup
        self.start = match.start(match.lastgroup)
        self.token = match.group(match.lastgroup)
        self.at = match.end()

    def _strange(self, char: str) -> str:
        if char == '"':
            return "this text is not closed on its line, or holds an escape that JSON does not have"
        if char == "'":
            return "JSON writes text in double quotes"
        if self.text.startswith(("//", "/*", "#"), self.start):
            return 'JSON has no comments; a "description" key can hold one'
        return f"unexpected {char!r}"

    def value(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self.fail(f"nested more than {MAX_DEPTH} deep")
        node = Node(None, *self.place(self.start))
        kind, token = self.kind, self.token
        if kind == "mark" and token in ("[", "{"):
            self.advance()
            node.value = self._list(depth) if token == "[" else self._mapping(node, depth)  # noqa: S105
            return node
        if kind == "string":
            node.value = _unescape(token)
        elif kind == "number":
            if len(token) > _MAX_DIGITS:
                raise self.fail("a number with so many digits is not read")
            node.value = int(token) if token.lstrip("-").isdigit() else float(token)
        elif kind == "word":
            node.value = _WORDS[token]
        else:
            raise self.fail("the file ends too early" if kind == "end" else f"a value is missing before {token!r}")
        self.advance()
        return node

    def _list(self, depth: int) -> list[Node]:
        items: list[Node] = []
        while not self._taken("]"):
            if items:
                self._comma("]")
            items.append(self.value(depth + 1))
        return items

    def _mapping(self, node: Node, depth: int) -> dict[str, Node]:
        items: dict[str, Node] = {}
        while not self._taken("}"):
            if items:
                self._comma("}")
            if self.kind != "string":
                raise self.fail("a key in double quotes is missing here")
            key, place = _unescape(self.token), self.place(self.start)
            self.advance()
            if not self._taken(":"):
                raise self.fail(f"a ':' is missing after the key {key!r}")
            if key in items:
                node.duplicates.append((key, *place))
            node.keys[key] = place
            items[key] = self.value(depth + 1)
        return items

    def _taken(self, mark: str) -> bool:
        if self.kind == "mark" and self.token == mark:
            self.advance()
            return True
        return False

    def _comma(self, closing: str) -> None:
        if (self.kind, self.token) != ("mark", ","):
            raise self.fail(f"a ',' or '{closing}' is missing here")
        comma = self.start
        self.advance()
        if self.kind == "mark" and self.token == closing:
            raise self.fail(f"JSON allows no ',' before '{closing}'", comma)


def _line_of(starts: list[int], offset: int) -> int:
    low, high = 0, len(starts)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if starts[middle] <= offset else (low, middle)
    return low + 1


def _unescape(token: str) -> str:
    text = token[1:-1]
    if "\\" not in text:
        return text
    text = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _SHORT.get(m[2], m[2]), text)
    text = _SURROGATES.sub(lambda m: m[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    return text.encode("utf-8", "replace").decode("utf-8")


def read_json(text: str) -> Node:
    """The document as nodes.

    Raises:
        DocumentError: it is not JSON (RFC 8259), is longer than MAX_JSON_CHARS or nested deeper than MAX_DEPTH.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_JSON_CHARS:
        raise DocumentError(f"longer than {MAX_JSON_CHARS} characters", 1, 1)
    reader = _Json(text)
    node = reader.value(1)
    if reader.kind != "end":
        raise reader.fail("something follows after the end of the document")
    return node


# libyaml where the wheel has it: twenty times faster, and events alone never recurse.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = yaml.resolver.Resolver()
_PLAIN = "tag:yaml.org,2002:"


def read_yaml(text: str) -> Node | None:
    """The one document of a YAML text as nodes, None where it is empty.

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
