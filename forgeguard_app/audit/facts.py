"""Facts of a repository at one commit: its files, and facts of their contents by blob.

Facts depend on a blob, its language and the extractor's version alone, so that they are kept from push to push;
verdicts are computed from them each time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from forgeguard_app.audit.languages import SUFFIXES, language_of
from forgeguard_app.audit.languages.imports import SourceFacts
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.requirements import PROJECT_FILES

MAX_MATCHES = 1_000


class Match(NamedTuple):
    """One match of a forbidden pattern: 1-based lines and columns, the matched text cut to a bounded length."""

    line: int
    end_line: int
    column: int
    text: str
    end_column: int = 0  # the one after the last character


class Matches(NamedTuple):
    """Matches of one pattern in one blob; `capped` where there were more than MAX_MATCHES, `partly` where the text was
    searched in pieces that long matches do not fit into.
    """

    found: tuple[Match, ...]
    capped: bool = False
    partly: bool = False


class BlobMatches(NamedTuple):
    """The patterns that were searched for in one blob, and the matches of those that match."""

    searched: frozenset[str] = frozenset()
    found: Mapping[str, Matches] = MappingProxyType({})

    def covers(self, patterns: frozenset[str]) -> bool:
        """Return whether all the patterns were searched for; for the same set nothing is compared."""
        return self.searched is patterns or patterns <= self.searched


class LineRanges:
    """Line numbers of one file, as ranges; adding one range costs the same for any number of lines."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []
        self._sorted = True

    def add(self, first: int, count: int) -> None:
        """Add `count` lines from `first` on."""
        if self._ranges and self._ranges[-1][1] == first:
            self._ranges[-1] = (self._ranges[-1][0], first + count)
        elif count:
            self._ranges.append((first, first + count))
            self._sorted = False

    def __contains__(self, line: object) -> bool:
        if not self._sorted:
            self._ranges = _merged(self._ranges)
            self._sorted = True
        if not isinstance(line, int):
            return False
        at = bisect_right(self._ranges, line, key=lambda span: span[0])
        return at > 0 and line < self._ranges[at - 1][1]


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, end in sorted(ranges):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((first, end))
    return merged


@dataclass(frozen=True)
class Tree:
    """The regular files of one commit: path → blob id.

    Submodules are left out, of symbolic links only the paths are known.
    """

    blobs: Mapping[str, str]
    links: frozenset[str] = frozenset()

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """Every path, in order."""
        return tuple(self.blobs)

    @cached_property
    def contents(self) -> tuple[str, ...]:
        """Every blob id, in the order of the paths."""
        return tuple(self.blobs.values())

    @cached_property
    def source_paths(self) -> tuple[str, ...]:
        """Every file of a language whose imports are read, in order."""
        return tuple(path for path in self.blobs if path.endswith(SUFFIXES))

    @cached_property
    def modules(self) -> ModuleIndex:
        """Which module each source file is."""
        return ModuleIndex(self.source_paths, self.manifest_folders)

    @cached_property
    def manifest_folders(self) -> tuple[str, ...]:
        """The folders that hold a project's manifest."""
        folders = {path.rpartition("/")[0] for path in self.blobs if path.rpartition("/")[2] in PROJECT_FILES}
        return tuple(sorted(folders))


def _never() -> None:
    """Raise nothing: there is no limit."""


@dataclass(frozen=True)
class Facts:
    """Facts by blob id, for all blobs that the policy makes relevant."""

    sources: Mapping[tuple[str, str], SourceFacts]  # by the language's name and the blob
    matches: Mapping[str, BlobMatches]
    texts: Mapping[str, bytes] = field(default_factory=dict)
    # Called in every loop over files; raises where the time of the evaluation is over.
    tick: Callable[[], object] = _never

    def source(self, path: str, blob: str) -> SourceFacts | None:
        """Return the facts of a source file; None where it is none, or was not read."""
        language = language_of(path)
        return None if language is None else self.sources.get((language.name, blob))
