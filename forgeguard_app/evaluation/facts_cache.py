"""Facts by blob, kept from audit to audit: what a blob holds never changes."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping
from threading import Lock
from typing import Generic, TypeVar

from forgeguard_app.audit.boundaries.pattern_search import find_all_matches
from forgeguard_app.audit.facts import BlobMatches
from forgeguard_app.audit.languages.imports import Import, SourceFacts
from forgeguard_app.audit.languages.language import Language
from forgeguard_app.audit.memo import Memo

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
MAX_BLOBS = 60_000
MAX_MATCHED = 200_000  # blobs in which patterns were searched for
MAX_SOURCES_BYTES = 600_000_000
MAX_MATCHES_BYTES = 250_000_000
# What CPython 3.11 takes: a name is shared by many imports, so that each adds little but its length.
_BLOB_BYTES, _ITEM_BYTES, _NAME_BYTES = 500, 250, 8


class _Bounded(Generic[K, V]):
    """A mapping whose oldest entries leave when there are too many of them, or too much in them."""

    def __init__(self, limit: int, most: int, weigh: Callable[[V], int]) -> None:
        self.limit, self._most, self._weigh = limit, most, weigh
        self._weight = 0
        self.entries: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()  # audits of one worker run side by side

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._remove(self.entries.pop(key, None))
            self.entries[key] = value
            self._weight += self._weigh(value)
            while len(self.entries) > self.limit or self._weight > self._most:
                self._remove(self.entries.popitem(last=False)[1])

    def _remove(self, value: V | None) -> None:
        self._weight -= 0 if value is None else self._weigh(value)


class FactsCache:
    """Facts of source files and pattern matches by blob, and the memo of what was evaluated from them."""

    def __init__(
        self,
        max_blobs: int = MAX_BLOBS,
        max_sources_bytes: int = MAX_SOURCES_BYTES,
        max_matches_bytes: int = MAX_MATCHES_BYTES,
    ) -> None:
        self._sources: _Bounded[tuple[str, str], SourceFacts] = _Bounded(max_blobs, max_sources_bytes, _bytes_of_source)
        self._matches: _Bounded[str, BlobMatches] = _Bounded(MAX_MATCHED, max_matches_bytes, _bytes_of_matches)
        self.memo = Memo()

    @property
    def sources(self) -> Mapping[tuple[str, str], SourceFacts]:
        """Facts of source files, by the language's name and the blob."""
        return self._sources.entries

    @property
    def matches(self) -> Mapping[str, BlobMatches]:
        """Match by blob."""
        return self._matches.entries

    def lacks(self, blob: str, patterns: frozenset[str], languages: Collection[Language]) -> bool:
        """Return whether the blob must be read to know these facts."""
        if any((language.name, blob) not in self._sources.entries for language in languages):
            return True
        return bool(patterns) and not self._matches.entries.get(blob, BlobMatches()).covers(patterns)

    def learn(
        self,
        blob: str,
        data: bytes,
        patterns: frozenset[str],
        languages: Collection[Language],
        tick: Callable[[], object] = lambda: None,
    ) -> None:
        """Take the facts from the blob's contents; `tick` is called between its patterns."""
        for language in languages:
            if (language.name, blob) not in self._sources.entries:
                self._sources.put((language.name, blob), _interned(language.read(data)))
        known = self._matches.entries.get(blob, BlobMatches())
        if not known.covers(patterns):
            unsearched = patterns - known.searched if known.searched else patterns
            found = find_all_matches(data, unsearched, tick)
            searched = known.searched | patterns if known.searched else patterns
            self._matches.put(blob, BlobMatches(searched, {**known.found, **found}))


def _bytes_of_source(facts: SourceFacts) -> int:
    """Return about how many bytes of memory the facts take."""
    names = sum(
        len(imported.module) + sum(len(name) + _NAME_BYTES for name in imported.names) for imported in facts.imports
    )
    return _BLOB_BYTES + _ITEM_BYTES * len(facts.imports) + names


def _bytes_of_matches(matches: BlobMatches) -> int:
    """Return about how many bytes of memory the matches take; the patterns' own texts are the configuration's."""
    found = [match for of_pattern in matches.found.values() for match in of_pattern.found]
    return _BLOB_BYTES + _ITEM_BYTES * (len(matches.found) + len(found)) + sum(len(match.text) for match in found)


def _interned(facts: SourceFacts) -> SourceFacts:
    """Return the facts with one object for each name: modules repeat from file to file."""
    imports = tuple(
        Import(sys.intern(item.module), tuple(map(sys.intern, item.names)), *item[2:]) for item in facts.imports
    )
    return facts._replace(imports=imports)
