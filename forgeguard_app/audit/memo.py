"""Caches answers for one tree and one configuration, so that the cost of a push follows its change.

A memo holds answers of pure functions by everything they depend on; without it every answer is the same, only later.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields, is_dataclass
from threading import Lock
from typing import Any, TypeVar, cast

from forgeguard_app.audit.boundaries.layer_map import LayerMap
from forgeguard_app.audit.boundaries.parse import Boundaries
from forgeguard_app.audit.facts import Tree
from forgeguard_app.audit.languages.python_modules import ModuleIndex

T = TypeVar("T")
MAX_CONTEXTS = 24
MAX_BYTES = 200_000_000  # of the texts in the keys
MAX_ANSWER_BYTES = 250_000_000  # of what contexts hold, after an evaluation
MAX_ANSWERS = 100_000
_TEXT_BYTES, _WIDE_BYTES = 60, 4
_SAMPLE = 64  # of the parts of an answer, chosen by Python's hashes of texts: their order is a stranger's


class Memo:
    """A store of contexts, bounded by their number and by what their keys take: the least recently used leave first.

    What a context holds grows with the paths in its key, and with what it is asked: `trim` bounds that.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, max_answer_bytes: int = MAX_ANSWER_BYTES) -> None:
        self._contexts: OrderedDict[Hashable, Any] = OrderedDict()
        self._bytes: dict[Hashable, int] = {}
        self._max_bytes, self._max_answer_bytes = max_bytes, max_answer_bytes
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

    def trim(self) -> None:
        """Let the contexts go that hold most, until all together hold no more than their bound."""
        with self._lock:
            held = {key: getattr(context, "bytes", 0) for key, context in self._contexts.items()}
            total = sum(held.values())
            for key in sorted(held, key=lambda key: held[key], reverse=True):
                if total <= self._max_answer_bytes:
                    break
                total -= held[key]
                del self._contexts[key], self._bytes[key]

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
            return _bytes_of_text(key)
        case tuple():
            return sum(map(_bytes_of, key))
        case _:
            return 0


def _bytes_of_text(text: str) -> int:
    return _TEXT_BYTES + len(text) * (1 if text.isascii() else _WIDE_BYTES)


def bytes_of(value: object) -> int:
    """Return about how many bytes of memory an answer takes, as if it shared nothing; long parts are sampled."""
    match value:
        case str():
            return _bytes_of_text(value)
        case tuple() | list() | frozenset() | set():
            return _TEXT_BYTES + _bytes_of_all(list(value))
        case Mapping():
            return _TEXT_BYTES + _bytes_of_all(list(value.items()))
        case _ if is_dataclass(value):
            return _TEXT_BYTES + _bytes_of_all([getattr(value, name.name) for name in fields(value)])
        case _:
            return 0


def _bytes_of_all(parts: list[object]) -> int:
    if len(parts) <= _SAMPLE:
        return sum(map(bytes_of, parts)) + 8 * len(parts)
    sampled = sum(bytes_of(parts[hash(f"part {number}") % len(parts)]) for number in range(_SAMPLE))
    return sampled * len(parts) // _SAMPLE + 8 * len(parts)


class AnswerCache(dict[Hashable, T]):
    """Answers by key, emptied when there are too many; `bytes` is about what they take in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def put(self, key: Hashable, answer: T) -> T:
        """Keep the answer, and return it."""
        if len(self) >= MAX_ANSWERS:
            self.clear()
        self[key] = answer
        self.bytes += bytes_of(answer)
        return answer

    def clear(self) -> None:
        """Keep nothing any more."""
        super().clear()
        self.bytes = 0

    def get_or(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the answer kept under the key, made where there is none."""
        answer = self.get(key)
        return self.put(key, make()) if answer is None else answer
