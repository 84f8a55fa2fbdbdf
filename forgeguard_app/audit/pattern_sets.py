"""Sets of regular expressions and globs: which of them match a text is found without trying each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from forgeguard_app.audit.bounded_search import Tick, is_found, no_tick, room_bytes
from forgeguard_app.audit.globs import glob_regex
from forgeguard_app.audit.line_patterns import stays_in_line
from forgeguard_app.audit.patterns import PatternError, compile_bytes

JOINED_CHARS = 100_000  # of one expression made of many; more would cost more than each alone
Compile = Callable[[str], Any]
_Test = Callable[[bytes, Tick], bool | None]  # None: no search in bounded time can tell


class PatternSet:
    """A set of expressions of re2's syntax. A text that none matches costs one search, whatever their number.

    Halves of the set are joined into one expression each, down to single ones, and compiled when they are first needed.
    An expression that re2 refuses matches nothing. Neither does one that is too large for the text to be searched in
    bounded time, unless `keep_unsearched`.
    """

    def __init__(
        self,
        expressions: Sequence[str],
        *,
        prefix: str = "(?m)",
        whole: bool = False,
        joined_chars: int = JOINED_CHARS,
        compile_joined: Compile = compile_bytes,
        keep_unsearched: bool = False,
    ) -> None:
        self._expressions = expressions
        self._prefix, self._whole, self._joined_chars, self._compile = prefix, whole, joined_chars, compile_joined
        self._keep_unsearched = keep_unsearched
        self._tests: dict[tuple[int, int], _Test | None] = {}
        self._ends = [0]  # how many characters stand up to each expression
        for expression in expressions:
            self._ends.append(self._ends[-1] + len(expression))

    def any(self, text: bytes) -> bool:
        """Return whether any expression matches the text."""
        return any(self._walk(text, first=True))

    def matching(self, text: bytes, tick: Tick = no_tick) -> list[int]:
        """Return the numbers of the expressions that match the text, in order; `tick` is called before every search."""
        return [start for start, _ in self._walk(text, tick)]

    def _walk(self, text: bytes, tick: Tick = no_tick, *, first: bool = False) -> Iterator[tuple[int, int]]:
        """Yield ranges that match: single expressions, or the first range of any size."""
        ranges = [(0, len(self._expressions))] if self._expressions else []
        while ranges:
            start, end = found = ranges.pop()
            tick()
            test = self._test(found)
            matches = None if test is None else test(text, tick)
            if matches is False:
                continue
            if end - start == 1:
                if matches or (test is not None and self._keep_unsearched):
                    yield found
            elif first and matches:
                yield found
                return
            else:
                middle = (start + end) // 2
                ranges += [(middle, end), (start, middle)]

    def _test(self, wanted: tuple[int, int]) -> _Test | None:
        """Return the test of the range; None where it cannot be made, so that its parts are tried."""
        if wanted not in self._tests:
            self._tests[wanted] = self._made(*wanted)
        return self._tests[wanted]

    def _made(self, start: int, end: int) -> _Test | None:
        if end - start > 1 and self._ends[end] - self._ends[start] > self._joined_chars:
            return None
        try:
            if end - start == 1:
                compiled = self._compile(self._prefix + self._expressions[start])
            else:
                compiled = self._compile(self._prefix + "|".join(map(self._group, self._expressions[start:end])))
        except PatternError:
            return None
        if self._whole:
            # A glob alone is always compared: its length and a path's are bounded where they are read.
            room = None if end - start == 1 else room_bytes(compiled)
            return lambda text, tick: (
                None if room is not None and len(text) > room else compiled.fullmatch(text) is not None
            )
        by_line = all(map(stays_in_line, self._expressions[start:end]))
        return lambda text, tick: is_found(compiled, text, by_line=by_line, tick=tick)

    def _group(self, expression: str) -> str:
        """Return the expression in parentheses of its own; a quotation that it leaves open is closed."""
        if "\\Q" in expression:
            try:
                self._compile(f"(?:{expression})")
            except PatternError:
                return f"(?:{expression}\\E)"
        return f"(?:{expression})"


class GlobSet:
    """A set of globs. A path is compared with those alone whose folder, up to the first wildcard, is above it."""

    def __init__(self, globs: Sequence[str], compile_joined: Compile = compile_bytes) -> None:
        self._exact: dict[str, list[int]] = {}
        self._below: dict[str, list[int]] = {}  # `folder/**`
        folders: dict[str, list[tuple[int, str]]] = {}
        for number, glob in enumerate(globs):
            text = glob.removeprefix("./")
            text += "**" if text.endswith("/") else ""
            folder, _, rest = text[: _first_wildcard(text)].rpartition("/")
            if len(rest) + len(folder) + bool(folder) == len(text):
                self._exact.setdefault(text, []).append(number)
            elif text == (f"{folder}/**" if folder else "**"):
                self._below.setdefault(folder, []).append(number)
            else:
                folders.setdefault(folder, []).append((number, text))
        self._sets = {
            folder: (
                [number for number, _ in own],
                PatternSet(
                    [glob_regex(text) for _, text in own], prefix="(?s)", whole=True, compile_joined=compile_joined
                ),
            )
            for folder, own in folders.items()
        }

    def any(self, path: str) -> bool:
        """Return whether any glob matches the path."""
        if path in self._exact:
            return True
        text = path.encode("utf-8", "replace")
        for folder in _folders(path):
            if folder in self._below or (folder in self._sets and self._sets[folder][1].any(text)):
                return True
        return False

    def matching(self, path: str) -> list[int]:
        """Return the numbers of the globs that match the path, in order."""
        found = list(self._exact.get(path, ()))
        text = path.encode("utf-8", "replace")
        for folder in _folders(path):
            found += self._below.get(folder, ())
            if folder in self._sets:
                numbers, patterns = self._sets[folder]
                found += (numbers[at] for at in patterns.matching(text))
        return sorted(found)


def any_glob(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return whether a path matches any of the globs, as a function of the path."""
    return GlobSet(tuple(patterns)).any


def _first_wildcard(glob: str) -> int:
    return min((at for char in "*?[" if (at := glob.find(char)) != -1), default=len(glob))


def _folders(path: str) -> Iterator[str]:
    """Yield every folder above the path, from the root on."""
    yield ""
    at = path.find("/")
    while at != -1:
        yield path[:at]
        at = path.find("/", at + 1)
