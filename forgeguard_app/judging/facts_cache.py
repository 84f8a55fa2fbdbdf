"""Facts by blob, kept from audit to audit: what a blob holds never changes."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from forgeguard_app.audit.boundaries.pattern_search import find_all_matches
from forgeguard_app.audit.facts import Matches
from forgeguard_app.audit.languages.python import Import, PythonFacts, python_facts
from forgeguard_app.audit.memo import Memo

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
MAX_BLOBS = 60_000
MAX_MATCHED = 200_000


class _Bounded(Generic[K, V]):
    """A mapping whose oldest entries leave when it is full."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.entries: OrderedDict[K, V] = OrderedDict()

    def put(self, key: K, value: V) -> None:
        self.entries[key] = value
        while len(self.entries) > self.limit:
            self.entries.popitem(last=False)


class FactsCache:
    """Python facts and pattern matches by blob, and the memo of what was judged from them."""

    def __init__(self, max_blobs: int = MAX_BLOBS, max_matched: int = MAX_MATCHED) -> None:
        self._python: _Bounded[str, PythonFacts] = _Bounded(max_blobs)
        self._matches: _Bounded[tuple[str, str], Matches] = _Bounded(max_matched)
        self.memo = Memo()

    @property
    def python(self) -> Mapping[str, PythonFacts]:
        """Facts of Python blobs."""
        return self._python.entries

    @property
    def matches(self) -> Mapping[tuple[str, str], Matches]:
        """Matches by blob and pattern."""
        return self._matches.entries

    def lacks(self, blob: str, patterns: Iterable[str], *, python: bool) -> bool:
        """Whether the blob must be read to know these facts."""
        if python and blob not in self._python.entries:
            return True
        return any((blob, pattern) not in self._matches.entries for pattern in patterns)

    def learn(
        self,
        blob: str,
        data: bytes,
        patterns: Iterable[str],
        *,
        python: bool,
        tick: Callable[[], object] = lambda: None,
    ) -> None:
        """Take the facts from the blob's contents; `tick` is called between its patterns."""
        if python and blob not in self._python.entries:
            self._python.put(blob, _interned(python_facts(data)))
        lacking = [pattern for pattern in patterns if (blob, pattern) not in self._matches.entries]
        for pattern, matches in find_all_matches(data, lacking, tick).items():
            self._matches.put((blob, pattern), matches)


def _interned(facts: PythonFacts) -> PythonFacts:
    """The facts with one object for each name: modules repeat from file to file."""
    imports = tuple(
        Import(sys.intern(item.module), tuple(map(sys.intern, item.names)), *item[2:]) for item in facts.imports
    )
    return facts._replace(imports=imports)
