"""Facts by blob, kept from audit to audit: what a blob holds never changes."""

from __future__ import annotations

import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Hashable
from threading import Lock
from typing import Generic, TypeVar

from forgeguard_app.audit.boundaries.pattern_search import MAX_FILE_MATCHES, find_all_matches
from forgeguard_app.audit.facts import BlobMatches
from forgeguard_app.audit.languages.imports import Import, SourceFacts
from forgeguard_app.audit.languages.language import Language
from forgeguard_app.audit.memo import Memo

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
MAX_BLOBS = 60_000
MAX_MATCHED = 200_000  # blobs in which patterns were searched for
# In the cache, and again in each evaluation, which shares most of them with it.
MAX_SOURCES_BYTES = 300_000_000
MAX_MATCHES_BYTES = 120_000_000
MAX_SEARCHED = 20_000  # patterns that are remembered as searched for in one blob
# What CPython 3.11 takes: a name is shared by many imports, so that each adds little but its length.
_BLOB_BYTES, _ITEM_BYTES, _NAME_BYTES, _PATTERN_BYTES = 500, 250, 8, 100


class _Weight(Generic[V]):
    """About how many bytes of memory values take; what several of them share counts once."""

    def __init__(
        self, weigh: Callable[[V], int], shared: Callable[[V], frozenset[str]] = lambda _: frozenset()
    ) -> None:
        self.total = 0
        self._weigh, self._shared = weigh, shared
        self._sharing: Counter[int] = Counter()  # by the identity of what is shared

    def add(self, value: V, own: int | None = None) -> int:
        """Count a value, whose own weight may be known already, and return its own weight."""
        own = self._weigh(value) if own is None else own
        self.total += own
        if shared := self._shared(value):
            self._sharing[id(shared)] += 1
            self.total += _bytes_of_names(shared) if self._sharing[id(shared)] == 1 else 0
        return own

    def remove(self, value: V, own: int) -> None:
        """Count a value no longer."""
        self.total -= own
        if shared := self._shared(value):
            self._sharing[id(shared)] -= 1
            if not self._sharing[id(shared)]:
                del self._sharing[id(shared)]
                self.total -= _bytes_of_names(shared)


class _Bounded(Generic[K, V]):
    """A mapping whose oldest entries leave when there are too many of them, or too much in them."""

    def __init__(self, limit: int, most: int, weight: _Weight[V]) -> None:
        self.limit, self.most = limit, most
        self._weight = weight
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()  # with their own weights
        self._lock = Lock()  # audits of one worker run side by side

    def get(self, key: K) -> tuple[V, int] | None:
        """Return a value with its weight; None where it is not kept, or not any more."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> int:
        """Keep the value, and return its weight."""
        with self._lock:
            if key in self._entries:
                self._weight.remove(*self._entries.pop(key))
            own = self._weight.add(value)
            self._entries[key] = value, own
            while len(self._entries) > self.limit or self._weight.total > self.most:
                self._weight.remove(*self._entries.popitem(last=False)[1])
        return own


class FactsCache:
    """Facts of source files and pattern matches by blob, and the memo of what was evaluated from them.

    Entries leave at any time: an evaluation holds those that it uses.
    """

    def __init__(
        self,
        max_blobs: int = MAX_BLOBS,
        max_sources_bytes: int = MAX_SOURCES_BYTES,
        max_matches_bytes: int = MAX_MATCHES_BYTES,
    ) -> None:
        self.sources: _Bounded[tuple[str, str], SourceFacts] = _Bounded(max_blobs, max_sources_bytes, _of_sources())
        self.matches: _Bounded[str, BlobMatches] = _Bounded(MAX_MATCHED, max_matches_bytes, _of_matches())
        self.memo = Memo()

    def hold(self) -> HeldFacts:
        """Return the facts of one evaluation, none to begin with."""
        return HeldFacts(self)


class _Held(dict[K, V]):
    """The values of one evaluation, as many as the cache would keep."""

    def __init__(self, kept: _Bounded[K, V], weight: _Weight[V]) -> None:
        super().__init__()
        self._kept, self._weight = kept, weight
        self._own: dict[K, int] = {}

    def find(self, key: K) -> V | None:
        """Return a value, which is held from now on where the cache has it and there is room."""
        value = self.get(key)
        if value is None and (found := self._kept.get(key)) is not None:
            value = found[0]
            self._hold(key, *found)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a new value here and in the cache."""
        self._hold(key, value, self._kept.put(key, value))

    def _hold(self, key: K, value: V, own: int) -> None:
        if key in self:
            self._weight.remove(self.pop(key), self._own.pop(key))
        self._weight.add(value, own)
        if len(self) >= self._kept.limit or self._weight.total > self._kept.most:
            self._weight.remove(value, own)
        else:
            self[key], self._own[key] = value, own


class HeldFacts:
    """The facts that one evaluation uses, by blob: what other evaluations push out of the cache stays here.

    There is as much room as the cache has; what is beyond it stays unknown.
    """

    def __init__(self, cache: FactsCache) -> None:
        self.sources: _Held[tuple[str, str], SourceFacts] = _Held(cache.sources, _of_sources())
        self.matches: _Held[str, BlobMatches] = _Held(cache.matches, _of_matches())
        # Unions by the identity of their parts, which stay alive beside them: thousands of files share each.
        self._unions: dict[tuple[int, int], tuple[frozenset[str], frozenset[str], frozenset[str]]] = {}
        self._asked: dict[str, frozenset[str]] = {}  # all patterns that this evaluation wants of a blob

    def lacks(self, blob: str, patterns: frozenset[str], languages: Collection[Language]) -> bool:
        """Return whether the blob must be read to know these facts; those that are known are held from now on."""
        unread = [language for language in languages if not self._has_source(language, blob)]
        return bool(unread) or not self._has_matches(blob, patterns)

    def _has_source(self, language: Language, blob: str) -> bool:
        key = (language.name, blob)
        return self.sources.find(key) is not None and key in self.sources

    def _has_matches(self, blob: str, patterns: frozenset[str]) -> bool:
        if not patterns:
            return True
        self._asked[blob] = self._union(self._asked.get(blob, frozenset()), patterns)
        known = self.matches.find(blob)
        return known is not None and known.covers(patterns) and blob in self.matches

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
            key = (language.name, blob)
            if self.sources.find(key) is None:
                self.sources.put(key, _interned(language.read(data)))
        known = self.matches.find(blob) or BlobMatches()
        if not known.covers(patterns):
            if len(known.searched) + len(patterns) > MAX_SEARCHED:  # only what this evaluation wants is kept
                known, patterns = BlobMatches(), self._union(self._asked.get(blob, frozenset()), patterns)
            unsearched = patterns - known.searched if known.searched else patterns
            more = find_all_matches(data, unsearched, tick, self._room(blob, known))
            searched = self._union(known.searched, patterns if more.covers(unsearched) else more.searched)
            self.matches.put(blob, BlobMatches(searched, {**known.found, **more.found}))

    def _room(self, blob: str, known: BlobMatches) -> int:
        """Return how many matches of the patterns that this evaluation wants may still be kept of the blob."""
        asked = self._asked.get(blob, frozenset())
        return MAX_FILE_MATCHES - sum(len(found.found) for pattern, found in known.found.items() if pattern in asked)

    def _union(self, first: frozenset[str], second: frozenset[str]) -> frozenset[str]:
        if not first or first is second:
            return second
        key = (id(first), id(second))
        if key not in self._unions:
            self._unions[key] = (first | second, first, second)
        return self._unions[key][0]


def _of_sources() -> _Weight[SourceFacts]:
    return _Weight(_bytes_of_source)


def _of_matches() -> _Weight[BlobMatches]:
    return _Weight(_bytes_of_matches, lambda matches: matches.searched)


def _bytes_of_names(names: frozenset[str]) -> int:
    return sum(len(name) + _PATTERN_BYTES for name in names)


def _bytes_of_source(facts: SourceFacts) -> int:
    """Return about how many bytes of memory the facts take."""
    names = sum(
        len(imported.module) + sum(len(name) + _NAME_BYTES for name in imported.names) for imported in facts.imports
    )
    return _BLOB_BYTES + _ITEM_BYTES * len(facts.imports) + names


def _bytes_of_matches(matches: BlobMatches) -> int:
    """Return about how many bytes of memory the matches take, without the patterns that were searched for."""
    found = [match for of_pattern in matches.found.values() for match in of_pattern.found]
    return _BLOB_BYTES + _ITEM_BYTES * (len(matches.found) + len(found)) + sum(len(match.text) for match in found)


def _interned(facts: SourceFacts) -> SourceFacts:
    """Return the facts with one object for each name: modules repeat from file to file."""
    imports = tuple(
        Import(sys.intern(item.module), tuple(map(sys.intern, item.names)), *item[2:]) for item in facts.imports
    )
    return facts._replace(imports=imports)
