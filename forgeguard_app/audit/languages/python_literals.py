"""Python source without its comments and the insides of its string literals, in which every word is code.

F-strings and t-strings are read as Python 3.12 and later read them (PEP 701, PEP 750): a replacement field may hold
any string, comment or line end. What older versions accept has the same ends when it is read so.
"""

from __future__ import annotations

import re

# Alternatives side by side: `re` looks for their first characters alone.
_PLAIN = r"""
    \#[^\n]*
  | \"\"\"[^"\\]*+(?:(?:\\.|"(?!""))[^"\\]*+)*+(?:\"\"\"|())
  | '''[^'\\]*+(?:(?:\\.|'(?!''))[^'\\]*+)*+(?:'''|())
  | "[^"\\\n]*+(?:\\.[^"\\\n]*+)*+(?:"|())
  | '[^'\\\n]*+(?:\\.[^'\\\n]*+)*+(?:'|())
"""
# Read as plain text. A triple-quoted literal that never closes runs to the end, a single-quoted one to the end of its
# line; both then have an empty group.
_LITERALS = re.compile(_PLAIN, re.VERBOSE | re.DOTALL)
_NAME_CHARACTER = r"\w\x80-\U0010ffff"
_PREFIX = rf"(?<![{_NAME_CHARACTER}])(?:[fFtT][rR]?|[rR][fFtT])"
_PREFIXED = re.compile(_PREFIX)
_PREFIX_ENDS = frozenset("fFtTrR")
# What may stand in a replacement field.
_IN_FIELD = re.compile(
    rf"(?P<prefix>{_PREFIX})(?P<quote>\"\"\"|'''|\"|')|(?P<mark>[()\[\]{{}}:]) | {_PLAIN}", re.VERBOSE | re.DOTALL
)


def _simple(quote: str, inner: str, text: str) -> re.Pattern[str]:
    """Return the pattern of f-strings that end where a plain text ends: by far the most.

    Their fields hold no comment, no backslash, no brace but those around a width, and a quote only around a text that
    is complete before any colon.
    """
    field = rf"\{{(?!\{{)(?:{inner})*+(?::(?:[^{{}}\"'\\\n\#]|\{{[^{{}}\"'\\\n\#:]*+\}})*+)?\}}"
    return re.compile(rf"{quote}(?:{text}|\\[^N{{}}]|\{{\{{|\}}\}}|{field})*+{quote}", re.DOTALL)


_DOUBLE, _SINGLE = r"\"(?!\"\")[^\"\\\n{}]*+\"", r"'(?!'')[^'\\\n{}]*+'"
_SIMPLE = {
    '"': _simple('"', rf"[^{{}}\"'\\\n\#:]|{_SINGLE}", r"[^{}\\\n\"]"),
    "'": _simple("'", rf"[^{{}}\"'\\\n\#:]|{_DOUBLE}", r"[^{}\\\n']"),
    '"""': _simple('"""', rf"[^{{}}\"'\\\#:]|{_SINGLE}|{_DOUBLE}", r"[^{}\\\"]|\"(?!\"\")"),
    "'''": _simple("'''", rf"[^{{}}\"'\\\#:]|{_SINGLE}|{_DOUBLE}", r"[^{}\\']|'(?!'')"),
}


def _marks(quote: str, raw: bool) -> re.Pattern[str]:
    """Return what has a meaning in the text of an f-string; a backslash takes what follows it, but for a brace."""
    named = "" if raw else r"N\{[^{}\"'\n]*+\}|"
    return re.compile(rf"\\(?:{named}[^{{}}])?|\{{|\}}|{quote}" + (r"|\n" if len(quote) == 1 else ""), re.DOTALL)


_MARKS = {(quote, raw): _marks(quote, raw) for quote in _SIMPLE for raw in (False, True)}
_MAX_OPEN = 600  # CPython takes 200 brackets and 150 f-strings, one in another
_OPENING = {")": "(", "]": "[", "}": "{"}
_FIELD, _SPEC, _TEXT = "field", "spec", "text"

_TO_BLANKS = bytes(10 if code == 10 else 32 for code in range(256))
_EMPTY_TEXTS = tuple('"' + " " * (size - 2) + '"' for size in range(2, 100))  # shared: a file may hold a million texts
_LONG_TEXT_CHARS = 10_000


def without_literals(text: str) -> tuple[str, bool]:
    """Return the text with blanks for comments and literals, and whether each literal ends as Python demands.

    Lines and columns stay. Where a literal does not end, what follows it was read by a guess: it is no Python, or a
    Python that is not known here.
    """
    pieces: list[str] = []
    done, whole = 0, True
    again = True
    while again:
        again = False
        for match in _LITERALS.finditer(text, done):
            start, end = match.span()
            pieces.append(text[done:start])
            done = end
            if text[start] == "#":
                pieces.append(" " * (end - start))
                continue
            if text[start - 1 : start] in _PREFIX_ENDS and whole and _is_complex(text, start, end):
                after = formatted_end(text, start)
                again = whole = after != -1
                done = after if again else end
            elif match.lastindex is not None:
                whole = False
            pieces.append(_blank(text, start, done))
            if again:
                break
    pieces.append(text[done:])
    return "".join(pieces), whole


def _is_complex(text: str, start: int, end: int) -> bool:
    """Return whether a literal that is a plain text at start..end may be an f-string that ends elsewhere."""
    if not _is_formatted(text, start) or text.find("{", start, end) == -1:
        return False
    return _SIMPLE[_quote(text, start)].fullmatch(text, start, end) is None


def _is_formatted(text: str, start: int) -> bool:
    """Return whether the letters before the quote make an f-string or a t-string of it."""
    return any(_PREFIXED.fullmatch(text, start - size, start) for size in (1, 2) if start >= size)


def _quote(text: str, start: int) -> str:
    return text[start] * 3 if text.startswith(text[start] * 3, start) else text[start]


def formatted_end(text: str, start: int) -> int:
    """Return the place after the f-string whose first quote stands at `start`; -1 where it does not end.

    It does not end either where more than 600 brackets, fields and f-strings are open in it at once.
    """
    quote = _quote(text, start)
    return _Formatted(text).end(start + len(quote), quote, "r" in text[max(start - 2, 0) : start].lower())


class _Formatted:
    """The replacement fields of one f-string, whatever they hold, as a stack of what is open."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[str] = []  # brackets, fields, format specifications and texts
        self._texts: list[tuple[str, bool]] = []  # the quotes of the texts, and whether they are raw

    def end(self, at: int, quote: str, raw: bool) -> int:
        """Return the place after the f-string whose text begins at the place."""
        self._open.append(_TEXT)
        self._texts.append((quote, raw))
        while self._open and at != -1:
            if len(self._open) > _MAX_OPEN:
                return -1
            at = self._in_text(at) if self._open[-1] in (_TEXT, _SPEC) else self._in_field(at)
        return at

    def _in_text(self, at: int) -> int:
        found = _MARKS[self._texts[-1]].search(self._text, at)
        if found is None:
            return -1
        mark, in_spec = found.group(), self._open[-1] == _SPEC
        if mark[0] == "\\":
            return found.end()
        if mark == "{":
            return self._opened(found.end(), in_spec)
        if mark == "}":
            return self._closed(found.end(), in_spec)
        if mark == "\n":  # Python 3.12 goes on with the field
            return self._left(found.end()) if in_spec else -1
        self._texts.pop()
        return -1 if in_spec else self._left(found.end())

    def _left(self, at: int) -> int:
        self._open.pop()
        return at

    def _opened(self, at: int, in_spec: bool) -> int:
        if not self._text.startswith("{", at):
            self._open.append(_FIELD)
            return at
        return -1 if in_spec else at + 1  # versions differ in what two braces mean in a specification

    def _closed(self, at: int, in_spec: bool) -> int:
        if in_spec:
            del self._open[-2:]
            return at
        return at + 1 if self._text.startswith("}", at) else -1

    def _in_field(self, at: int) -> int:
        found = _IN_FIELD.search(self._text, at)
        if found is None:
            return -1
        mark = found["mark"]
        if found["quote"]:
            self._open.append(_TEXT)
            self._texts.append((found["quote"], "r" in found["prefix"].lower()))
        elif mark is None:
            return -1 if found.lastindex is not None else found.end()
        elif mark == ":":
            if self._open[-1] == _FIELD:
                self._open.append(_SPEC)
        elif mark not in _OPENING:
            self._open.append(mark)
        elif self._open[-1] == _OPENING[mark] or (mark == "}" and self._open[-1] == _FIELD):
            self._open.pop()
        else:
            return -1
        return found.end()


def _blank(text: str, start: int, end: int) -> str:
    """Return a quote for the first two characters of each line of the literal, or for as many as it has.

    A backslash keeps the lines of one literal one logical line, as they are in Python.
    """
    size = end - start
    if text.find("\n", start, end) == -1:
        if size - 2 < len(_EMPTY_TEXTS):
            return _EMPTY_TEXTS[size - 2] if size > 1 else text[start]
        return '"' + " " * (size - 2) + '"'
    literal = text[start:end]
    if size < _LONG_TEXT_CHARS:
        return "\\\n".join(['"' + " " * (len(part) - 2) for part in literal.split("\n")])
    # The same without an object for each of what may be millions of lines.
    blanks = "\n" + literal.encode("ascii", "replace").translate(_TO_BLANKS).decode("ascii")
    for begin in ("\n  ", "\n ", "\n"):
        blanks = blanks.replace(begin, "\0")
    return '"' + blanks[1:].replace("\0", '\\\n"')
