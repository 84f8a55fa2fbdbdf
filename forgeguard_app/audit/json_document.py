"""JSON with the place of every value, read strictly (RFC 8259) and within bounds."""

from __future__ import annotations

import re

from forgeguard_app.audit.documents import MAX_DEPTH, DocumentError, Node

MAX_JSON_CHARS = 2_000_000

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
                raise self.fail("a ':' is missing after this key")
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
    """Return the document as nodes.

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
