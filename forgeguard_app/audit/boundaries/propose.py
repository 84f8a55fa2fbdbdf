"""A first boundaries.json, drawn from how a repository's Python packages import one another today."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product

from forgeguard_app.audit.boundaries.layer_map import LayerMap
from forgeguard_app.audit.boundaries.match import BoundaryMatcher
from forgeguard_app.audit.boundaries.parse import read_boundaries
from forgeguard_app.audit.cycles import Arrow
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.model import Level

MAX_LAYERS = 60  # of one package; where there are more, nobody reads the order
PATH = "boundaries.json"
DESCRIPTION = (
    "Drawn by ForgeGuard from the imports as they are: upper layers may import lower ones, layers in one "
    "inner list not one another. "
    "Rename, merge and reorder until it says what you mean."
)
# Code that stands beside the product and may import all of it.
_BESIDE = {
    "tests",
    "test",
    "testing",
    "docs",
    "doc",
    "examples",
    "example",
    "scripts",
    "tools",
    "benchmarks",
    "bench",
    "setup",
    "conftest",
    "build",
}


@dataclass(frozen=True, slots=True)
class ProposedLayer:
    """One part of a package."""

    name: str
    glob: str


def propose_boundaries(tree: Tree, facts: Facts) -> str | None:
    """Return the text of a boundaries.json that is nearly true of the tree; None where no package has two parts.

    What goes against the order it finds (the few imports against the many) is left to be recorded as known.
    """
    rooms = rooms_of(tree)
    if len(rooms) < 2:
        return None
    weights = _imports(tree, facts, rooms)
    order = _order([room.name for room in rooms], _without_cycles(weights))
    return _text(rooms, order)


def _without_cycles(weights: Mapping[Arrow, int]) -> list[Arrow]:
    """Return the arrows that go downward in an order with few imports against it.

    The order is that of Eades, Lin and Smyth (1993), weighted.
    """
    out: Counter[str] = Counter()
    into: Counter[str] = Counter()
    for (source, target), number in weights.items():
        out[source] += number
        into[target] += number
    left = sorted(out.keys() | into.keys())
    top: list[str] = []
    bottom: list[str] = []
    while left:
        sink = next((name for name in left if not out[name]), None)
        chosen = (
            sink
            or next((name for name in left if not into[name]), None)
            or max(left, key=lambda candidate: out[candidate] - into[candidate])
        )
        (bottom if sink else top).append(chosen)
        left.remove(chosen)
        for (source, target), number in weights.items():
            if target == chosen and source in left:
                out[source] -= number
            elif source == chosen and target in left:
                into[target] -= number
    place = {name: number for number, name in enumerate([*top, *reversed(bottom)])}
    return [arrow for arrow in weights if place[arrow[0]] < place[arrow[1]]]


def rooms_of(tree: Tree) -> list[ProposedLayer]:
    """Return the parts of every package that has at least two, each a folder or a module directly below it."""
    inside: dict[str, set[str]] = {}
    for path in tree.source_paths:
        parts = path.split("/")
        inside.setdefault("", set()).add(parts[0])
        for depth in range(1, len(parts)):
            inside.setdefault("/".join(parts[:depth]), set()).add(parts[depth])
    found: list[ProposedLayer] = []
    roots = frozenset(tree.modules.roots)
    for root in tree.modules.roots:
        for top in sorted(inside.get(root, ())):
            folder = f"{root}/{top}" if root else top
            if top.rpartition(".")[2] == "py" or top in _BESIDE or folder in roots:
                continue
            found += _parts(folder, inside)
    names = Counter(room.name for room in found)
    return [
        room if names[room.name] == 1 else ProposedLayer(_full_name(room), room.glob) for room in dict.fromkeys(found)
    ]


def _parts(folder: str, inside: Mapping[str, set[str]]) -> list[ProposedLayer]:
    """Return a package with one part alone is looked into."""
    for _ in range(10):
        children = sorted(name for name in inside.get(folder, ()) if not name.startswith("__"))
        folders = [name for name in children if f"{folder}/{name}" in inside and name not in _BESIDE]
        modules = [name for name in children if name.endswith(".py") and name[:-3] not in _BESIDE]
        if len(folders) + len(modules) > 1 or not folders:
            rooms = [ProposedLayer(name, f"{folder}/{name}/**") for name in folders]
            rooms += [ProposedLayer(name[:-3], f"{folder}/{name}") for name in modules if name[:-3] not in folders]
            return rooms if 2 <= len(rooms) <= MAX_LAYERS else []
        folder = f"{folder}/{folders[0]}"
    return []


def _full_name(room: ProposedLayer) -> str:
    return room.glob.removesuffix("/**").removesuffix(".py").replace("/", ".")


def _imports(tree: Tree, facts: Facts, rooms: Iterable[ProposedLayer]) -> Counter[Arrow]:
    """Count the imports from one proposed layer into another."""
    boundaries, problems = read_boundaries(_text(rooms, ()), PATH)
    if problems:
        return Counter()
    matcher = BoundaryMatcher(LayerMap(boundaries), tree.modules, Level.FAILURE)
    weights: Counter[Arrow] = Counter()
    for path in tree.source_paths:
        facts.tick()
        source = facts.source(path, tree.blobs[path])
        if source is not None:
            for edge in matcher.file(path, source, {}).edges:
                weights.update(product(edge.sources, edge.targets))
    return weights


def _order(names: list[str], arrows: list[Arrow]) -> list[list[str]]:
    """Return the layers from the top. Each lies above all that it imports, as low as that allows."""
    below: dict[str, set[str]] = {name: set() for name in names}
    for source, target in arrows:
        below[source].add(target)
    placed: dict[str, int] = {}
    left = list(names)
    while left:
        ready = [name for name in left if below[name] <= placed.keys()]
        for name in ready or left:  # `or`: what the graph left in a circle is put at the top
            placed[name] = 1 + max((placed.get(lower, 0) for lower in below[name]), default=0)
        left = [name for name in left if name not in placed]
    height = max(placed.values())
    return [sorted(name for name in names if placed[name] == level) for level in range(height, 0, -1)]


def _text(rooms: Iterable[ProposedLayer], order: Iterable[list[str]]) -> str:
    layers = ",\n".join(
        f"    {json.dumps({'name': room.name, 'glob': room.glob}, ensure_ascii=False)}" for room in rooms
    )
    levels = ",\n".join(
        f"    {json.dumps(group[0] if len(group) == 1 else group, ensure_ascii=False)}" for group in order
    )
    rest = f'"order": [\n{levels}\n  ]' if levels else '"acyclic": true'
    return f'{{\n  "description": {json.dumps(DESCRIPTION)},\n  "layers": [\n{layers}\n  ],\n  {rest}\n}}\n'
