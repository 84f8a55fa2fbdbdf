"""Caches answers for one tree and one configuration, so that the cost of a push follows its change.

A memo holds answers of pure functions by everything they depend on; without it every answer is the same, only later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar, cast

from forgeguard_app.audit.boundaries.layer_map import LayerMap
from forgeguard_app.audit.boundaries.parse import Boundaries
from forgeguard_app.audit.facts import Tree
from forgeguard_app.audit.languages.python_modules import ModuleIndex

T = TypeVar("T")
MAX_CONTEXTS = 24
MAX_BYTES = 200_000_000  # of the texts in the keys
MAX_ANSWERS = 100_000
_TEXT_BYTES, _WIDE_BYTES = 60, 4


class Memo:
    """A store of contexts, bounded by their number and by what their keys take: the least recently used leave first.

    What a context holds grows with the paths in its key.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._contexts: OrderedDict[Hashable, Any] = OrderedDict()
        self._bytes: dict[Hashable, int] = {}
        self._max_bytes = max_bytes
        self._lock = Lock()

    def context(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the context kept under the key, made where there is none."""
        with self._lock:  # audits of one worker run side by side
            if key in self._contexts:
                self._contexts.move_to_end(key)
                return cast(T, self._contexts[key])
        made = make()  # without the lock: a hostile tree takes long, and others wait for nothing of it
        size = _bytes_of(key)
        with self._lock:
            if key in self._contexts:
                return cast(T, self._contexts[key])  # another audit made it meanwhile
            if size > self._max_bytes:
                return made
            self._contexts[key], self._bytes[key] = made, size
            while len(self._contexts) > MAX_CONTEXTS or sum(self._bytes.values()) > self._max_bytes:
                left, _ = self._contexts.popitem(last=False)
                del self._bytes[left]
            return made

    def layers(self, boundaries: Boundaries, ignore: tuple[str, ...]) -> LayerMap:
        """Return the layers of a boundaries.json; the paths that it was asked for are remembered."""
        return self.context(("layers", boundaries, ignore), lambda: LayerMap(boundaries, ignore))

    def modules(self, tree: Tree) -> ModuleIndex:
        """Return the tree's modules; two trees of the same source files share one index."""
        return self.context(("modules", tree.source_paths, tree.manifest_folders), lambda: tree.modules)


def _bytes_of(key: Hashable) -> int:
    """Return about how many bytes of memory the texts of a key take, in tuples one in another."""
    match key:
        case str():
            return _TEXT_BYTES + len(key) * (1 if key.isascii() else _WIDE_BYTES)
        case tuple():
            return sum(map(_bytes_of, key))
        case _:
            return 0


class AnswerCache(dict[Hashable, T]):
    """Answers by key, emptied when there are too many."""

    def get_or(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the answer kept under the key, made where there is none."""
        answer = self.get(key)
        if answer is None:
            if len(self) >= MAX_ANSWERS:
                self.clear()
            answer = self[key] = make()
        return answer
