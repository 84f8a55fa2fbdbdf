"""Which layers of a boundaries.json a path belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from forgeguard_app.audit.boundaries.parse import Boundaries, Layer
from forgeguard_app.audit.pattern_sets import GlobSet, any_glob

MAX_PATHS = 400_000  # whose layers are remembered
MAX_COMBINED = 5_000_000  # layers in remembered combinations


@dataclass
class LayerMap:
    """The layers of one boundaries.json, asked for the layers of a path; answers are remembered."""

    boundaries: Boundaries
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._owners: dict[str, list[int]] = {}  # by glob, of which layers may share some
        for number, layer in enumerate(self.boundaries.layers):
            for glob in layer.globs:
                self._owners.setdefault(glob, []).append(number)
        self._names = tuple(self._owners)
        self._globs = GlobSet(self._names)
        # Many paths share one combination of layers.
        self._combined: dict[tuple[int, ...], tuple[Layer, ...]] = {}
        self._patterns: dict[int, tuple[tuple[Layer, ...], frozenset[str]]] = {}
        self._remembered = 0  # layers and patterns in all combinations
        self._ignored = any_glob(self.ignore)
        self._known: dict[str, tuple[Layer, ...]] = {}
        self.bytes = 0  # about what the remembered paths take in memory

    def layers_of(self, path: str) -> tuple[Layer, ...]:
        """Return the layers whose globs match the path, in their order; none for an ignored path."""
        layers = self._known.get(path)
        if layers is None:
            if len(self._known) >= MAX_PATHS or self._remembered > MAX_COMBINED:
                self._forget()
            layers = self._known[path] = () if self._ignored(path) else self._layers(self._numbers(path))
            self.bytes += 200 + len(path)
        return layers

    def _forget(self) -> None:
        self._known.clear()
        self.bytes = 0
        self._combined.clear()
        self._patterns.clear()
        self._remembered = 0

    def _numbers(self, path: str) -> tuple[int, ...]:
        globs = self._globs.matching(path)
        return tuple(sorted({number for glob in globs for number in self._owners[self._names[glob]]}))

    def _layers(self, numbers: tuple[int, ...]) -> tuple[Layer, ...]:
        layers = self._combined.get(numbers)
        if layers is None:
            layers = self._combined[numbers] = tuple(self.boundaries.layers[number] for number in numbers)
            self._remembered += len(layers)
        return layers

    def patterns_of(self, path: str) -> frozenset[str]:
        """Return the forbidden patterns of the path's layers."""
        layers = self.layers_of(path)
        kept, patterns = self._patterns.get(id(layers), ((), frozenset[str]()))
        if kept is not layers:
            patterns = frozenset(rule.pattern for layer in layers for rule in layer.forbidden)
            self._patterns[id(layers)] = (layers, patterns)
            self._remembered += len(patterns)
        return patterns

    def is_ignored(self, path: str) -> bool:
        """Return whether the configuration takes the path out of this check."""
        return self._ignored(path)

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """The place of each layer in `order`, 0 at the top."""
        return {name: rank for rank, group in enumerate(self.boundaries.order) for name in group}

    @cached_property
    def by_name(self) -> Mapping[str, Layer]:
        """The layers by name."""
        return {layer.name: layer for layer in self.boundaries.layers}
