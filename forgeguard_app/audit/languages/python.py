"""The imports of one Python source text, whether or not it parses.

A lexer rather than `ast`: it is ten times faster, reads Python 2 and half-written files alike, and loses no
file. It blanks out comments and the insides of string literals, after which every word `import` is a statement.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, islice, pairwise
from unicodedata import normalize

from forgeguard_app.audit.languages.imports import Cut, Guard, Import, SourceFacts
from forgeguard_app.audit.languages.language import Language
from forgeguard_app.audit.languages.python_encoding import decoded
from forgeguard_app.audit.languages.python_literals import without_literals

# Characters of names, as a set of ASCII's that are none: which others there are is Python's to decide, and none of them
# has another meaning.
_LETTER, _LETTERS = r"[^\x00-@\[-^`{-\x7f]", r"[^\x00-/:-@\[-^`{-\x7f]"
_WORD = re.compile(rf"(?:\W|\A)import(?!{_LETTERS})")
# Possessive everywhere: nothing that was read is read again, whatever follows it.
_NAME = rf"{_LETTER}{_LETTERS}*+"
_GAP = r"(?:[ \t\f]|\\\n)*+"
_DOTTED = rf"{_NAME}(?:{_GAP}\.{_GAP}{_NAME})*+"
# Looked for backwards from `import`: the rest of a `from` clause, whose dots may stand apart.
_FROM = re.compile(rf"(?<![\w\x80-\U0010ffff.])from((?:[ \t\f.]|\\\n)*+)({_DOTTED})?+{_GAP}\Z")
_MODULES = re.compile(rf"{_GAP}({_DOTTED})(?:{_GAP}as{_GAP}{_NAME})?(?:{_GAP}(,))?")
_NAMES_IN_PARENTHESES = re.compile(r"\(([^()]*)(?:\)|\Z)")
_NAMES_ON_LINE = re.compile(r"(?:[^\n;\\]|\\\n)*+")
_CLAUSE = re.compile(r"(?:[\w\x80-\U0010ffff. \t\f]|\\\n)*+")  # all that can stand between `from` and `import`
_NEXT_IMPORT = re.compile(rf"import(?<!\wimport)(?!{_LETTERS})")
_IMPORTED_NAME = re.compile(rf"({_NAME}|\*)(?:\s+as\s+{_NAME})?")
_HEADER = re.compile(r"[ \t\f]*(?:async[ \t]+)?([a-z]+)\b")
_IMPORT_ERRORS = re.compile(r"\b(?:ImportError|ModuleNotFoundError|Exception|BaseException)\b")
_BARE_EXCEPT = re.compile(r"[ \t\f]*except[ \t]*:")
# The name is the whole condition, or all of it that matters: `TYPE_CHECKING and x`.
_TYPE_CHECKING = re.compile(
    r"[ \t\f]*(?:el)?if\b[ \t(]*(?:\w+\.)?TYPE_CHECKING\b[ \t)]*(?::|and\b(?![^\n]*\b(?:or|if)\b))"
)
_CODE = re.compile(r'[^ "\\\t\f\n]')
_GAPS = re.compile(_GAP)
_CHUNK_CHARS = 1 << 16  # whose lines are looked at together
_MAX_LINES = 250_000
_MAX_IMPORTS = 20_000
_MAX_LOOKED_AT = 40_000  # words `import`, those without a module among them
_MAX_MODULES = 40_000  # of one statement without `from`
_MAX_PARTS = 64  # of a module's name; what follows is cut off
_MAX_NAME_CHARS = 200  # likewise: what is computed for a name is kept, and a name may have the length of its file
_MAX_HOPS = 50  # lines joined by backslashes
_MAX_CLAUSE = 4_000  # characters between `from` and `import`
_MAX_WORDS = 20  # `from` in a clause
_MAX_NAMES_CHARS = 200_000  # of one statement's names
_MAX_PREFIX = 1_000  # characters before a statement on its line


# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md#the-pointer
_LFS_POINTERS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")


def python_facts(data: bytes) -> SourceFacts:
    """Return the imports and whether there is any code; every input gives an answer."""
    if data.startswith(_LFS_POINTERS):
        return SourceFacts((), has_code=True, cut=Cut.POINTER)
    text, known = decoded(data)
    if text.endswith("\\"):
        text += "\n"  # or a literal that never closes would be tried in every way
    cut = Cut.NONE if known else Cut.ENCODING
    if "import" not in text:
        return SourceFacts((), _has_code(text) if len(text) < _MAX_IMPORTS else True, cut)
    blanked, whole = without_literals(text)
    if not cut and not (whole and "\0" not in text):
        cut = Cut.SYNTAX
    source = _Source(blanked)
    found = _imports(source)
    return SourceFacts(found, _CODE.search(blanked) is not None, cut or (Cut.BOUND if source.cut else Cut.NONE))


def _imports(source: _Source) -> tuple[Import, ...]:
    found: list[Import] = []
    looked_at = 0
    at = source.text.find("import")
    while at != -1:
        if len(found) > _MAX_IMPORTS or looked_at >= _MAX_LOOKED_AT:
            source.cut = True
            break
        if _WORD.match(source.text, max(at - 1, 0)):
            looked_at += 1
            found.extend(source.statement(at, at + len("import")))
        at = source.text.find("import", at + len("import"))
    return tuple(found)


def _has_code(text: str) -> bool:
    return _CODE.search(without_literals(text)[0]) is not None


class _Lines:
    """The first lines of a text, cut out when they are asked for: a list of them may take fifty times its memory."""

    def __init__(self, text: str) -> None:
        self.starts = array("I", (0,))
        for at in range(0, len(text), _CHUNK_CHARS):
            lines = text[at : at + _CHUNK_CHARS].split("\n")
            del lines[-1]
            self.starts.extend(islice(accumulate((len(line) + 1 for line in lines), initial=at), 1, None))
            if len(self.starts) > _MAX_LINES:
                del self.starts[_MAX_LINES + 1 :]
                text = text[: self.starts.pop() - 1]
                break
        self.text = text

    def __iter__(self) -> Iterator[str]:
        for start, after in pairwise(self.starts):
            yield self.text[start : after - 1]
        yield self.text[self.starts[-1] :]

    def __getitem__(self, index: int) -> str:
        following = self.starts[index + 1 : index + 2]
        return self.text[self.starts[index] : following[0] - 1 if following else None]


class _Source:
    """A blanked text with its lines, asked about one statement after the other; `cut` where one passed a bound."""

    def __init__(self, text: str) -> None:
        self.lines = _Lines(text)
        self.text, self.starts = self.lines.text, self.lines.starts
        self.cut = _NEXT_IMPORT.search(text, len(self.text)) is not None
        self._after = 0  # the end of the last `import` that was looked at
        self._blocks: _Blocks | None = None

    def line_index(self, offset: int) -> int:
        return bisect_right(self.starts, offset) - 1

    def statement(self, start: int, end: int) -> list[Import]:
        """Return the imports of the statement whose word `import` stands at start..end."""
        clause = self._from_clause(start)
        self._after = end
        if clause is None:
            return [] if self.text.endswith(".", 0, start) else self._plain(start, end)
        dots, dotted = clause.group(1), clause.group(2)
        level = dots.count(".")
        if dotted is None and not level:
            return []
        names, last = self._names(end)
        place = self._place(clause.start(), last)
        return [Import(self._bounded(_compact(dotted)), names, level, *place)]

    def _from_clause(self, start: int) -> re.Match[str] | None:
        floor = max(self._logical_start(start), start - _MAX_CLAUSE)
        at = start
        for _ in range(_MAX_WORDS):
            at = self.text.rfind("from", max(floor, self._after), at)
            if at == -1:
                self._note_long_clause(floor, start)
                return None
            if (clause := _FROM.match(self.text, at, start)) is not None:
                return clause
        self.cut = True
        return None

    def _note_long_clause(self, floor: int, start: int) -> None:
        """Note that a clause may have begun before the place from which it was looked for."""
        within = floor > 0 and (self.text[floor - 1] != "\n" or self.text.endswith("\\\n", 0, floor))
        if within and self.text.rfind("import", floor, start) == -1 and _CLAUSE.fullmatch(self.text, floor, start):
            self.cut = True

    def _logical_start(self, offset: int) -> int:
        """Return where the line begins that holds the offset, lines continued by a backslash joined."""
        index = self.line_index(offset)
        first = max(index - _MAX_HOPS, 0)
        while index > first and self.text.endswith("\\\n", 0, self.starts[index]):
            index -= 1
        return self.starts[index]

    def _plain(self, start: int, end: int) -> list[Import]:
        modules: list[str] = []
        at = end
        while (match := _MODULES.match(self.text, at)) is not None:
            modules.append(self._bounded(_compact(match.group(1))))
            at = match.end()
            if match.group(2) is None:
                break
            if len(modules) >= _MAX_MODULES:
                self.cut = True
                break
        if not modules:
            return []
        place = self._place(start, max(at - 1, start))
        return [Import(module, (), 0, *place) for module in modules]

    def _names(self, end: int) -> tuple[tuple[str, ...], int]:
        gap = _GAPS.match(self.text, end)
        at = gap.end() if gap else end
        pattern = _NAMES_IN_PARENTHESES if self.text.startswith("(", at) else _NAMES_ON_LINE
        # The names of a half-written statement end where the next statement begins.
        following = _NEXT_IMPORT.search(self.text, at, min(len(self.text), at + _MAX_NAMES_CHARS))
        match = pattern.match(
            self.text, at, following.start() if following else min(len(self.text), at + _MAX_NAMES_CHARS)
        )
        if match is None:
            return (), end
        body = match.group().replace("\\\n", " ")
        found = (name.group(1) for name in _IMPORTED_NAME.finditer(body) if name.group(1) != "as")
        names = tuple(map(self._bounded, found))
        self.cut = self.cut or len(match.group()) == _MAX_NAMES_CHARS
        return names, max(at + len(match.group().rstrip()) - 1, end)

    def _bounded(self, name: str) -> str:
        """Return the name as Python compares it (NFKC), cut at the bound."""
        if not name.isascii():
            name = normalize("NFKC", name[: _MAX_NAME_CHARS + 1])
        if len(name) > _MAX_NAME_CHARS:
            self.cut = True
        return name[:_MAX_NAME_CHARS]

    def _place(self, start: int, last: int) -> tuple[int, int, int, Guard, int]:
        index, end_index = self.line_index(start), self.line_index(last)
        column = start - self.starts[index]
        guard = self._guard(index, column)
        return index + 1, end_index + 1, column + 1, guard, last - self.starts[end_index] + 2

    def _guard(self, index: int, column: int) -> Guard:
        start = self.starts[index]
        prefix = self.text[start : start + min(column, _MAX_PREFIX)]
        if self._blocks is None:
            if not column:
                return Guard.NONE
            self._blocks = _Blocks(self.lines)
        if prefix.strip():
            guard = self._blocks.header_guard(index, prefix)
            if guard is not Guard.NONE:
                return guard
        return self._blocks.guard_above(index)


class _Blocks:
    """Which line heads the block that a line stands in, found for all lines in one pass."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines
        self._parents = array("i")  # the nearest line above that is indented less; -1 for none
        self._catching: set[int] = set()  # the `try` lines one of whose `except` catches an ImportError
        self._above: dict[int, Guard] = {-1: Guard.NONE}
        open_lines: list[tuple[int, int, int]] = []  # indentation, line, and its `try` while handlers may follow
        for index, line in enumerate(lines):
            if not line.strip(' "\\\t\f'):
                self._parents.append(open_lines[-1][1] if open_lines else -1)
                continue
            indent, attempt = _indent(line), -1
            while open_lines and open_lines[-1][0] >= indent:
                same, _, attempt = open_lines.pop()
                attempt = attempt if same == indent else -1
            self._parents.append(open_lines[-1][1] if open_lines else -1)
            open_lines.append((indent, index, self._attempt(index, line, attempt)))

    def _attempt(self, index: int, line: str, before: int) -> int:
        """Return the `try` that handlers after this line belong to; -1 for none."""
        word = _HEADER.match(line)
        if word is not None and word.group(1) == "try":
            return index
        if before == -1 or not line.lstrip().startswith("except"):
            return -1
        if _IMPORT_ERRORS.search(line) or _BARE_EXCEPT.match(line):
            self._catching.add(before)
        return before

    def guard_above(self, index: int) -> Guard:
        """Return the guard of the nearest guarding block that the line stands in."""
        way: list[int] = []
        at = self._parents[index]
        while at not in self._above:
            way.append(at)
            at = self._parents[at]
        guard = self._above[at]
        for at in reversed(way):
            own = self.header_guard(at, self._lines[at])
            guard = self._above[at] = own if own is not Guard.NONE else guard
        return guard

    def header_guard(self, index: int, line: str) -> Guard:
        """Return what the header of a block says about its contents."""
        if _TYPE_CHECKING.match(line):
            return Guard.TYPING
        word = _HEADER.match(line)
        if word is None:
            return Guard.NONE
        if word.group(1) == "try" and index in self._catching:
            return Guard.TRY
        if word.group(1) == "except" and (_IMPORT_ERRORS.search(line) or _BARE_EXCEPT.match(line)):
            return Guard.TRY
        return Guard.NONE


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t\f"))


def _compact(dotted: str | None) -> str:
    name = re.sub(r"[\s\\]+", "", dotted) if dotted else ""
    return ".".join(name.split(".", _MAX_PARTS)[:_MAX_PARTS]) if name.count(".") >= _MAX_PARTS else name


PYTHON = Language(
    "Python", suffixes=(".py", ".pyi", ".pyw"), read=python_facts, unread_suffixes=(".ipynb", ".pyx", ".pxd")
)
