"""Cycles between layers, and which of their imports to name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Arrow = tuple[str, str]


def thinnest_links(
    weights: Mapping[Arrow, int], tick: Callable[[], object] = lambda: None
) -> dict[Arrow, tuple[str, ...]]:
    """The arrows, given with their number of imports, whose removal leaves no cycle, thinnest first, each with the
    cycle it closes.

    An arrow is as thick as it has imports: in a cycle the few imports that go against the many are the mistake.
    Arrows equally thin are all named. `tick` is called at every step.
    """
    named: dict[Arrow, tuple[str, ...]] = {}
    remaining = dict(weights)
    while True:
        tick()
        cyclic = _cyclic_arrows(remaining)
        if not cyclic:
            return named
        thinnest = min(remaining[arrow] for arrow in cyclic)
        chosen = sorted(arrow for arrow in cyclic if remaining[arrow] == thinnest)
        following = _following(remaining)
        trees: dict[str, dict[str, str]] = {}
        for arrow in chosen:
            start = arrow[1]
            if start not in trees:
                tick()
                trees[start] = _shortest(following, start)
            named[arrow] = _way_back(trees[start], arrow)
        for arrow in chosen:
            del remaining[arrow]


def _cyclic_arrows(weights: Mapping[Arrow, int]) -> list[Arrow]:
    component = _components(weights)
    return [(a, b) for a, b in weights if component[a] == component[b]]


def _components(weights: Mapping[Arrow, int]) -> dict[str, int]:
    """Return the number of each node's strongly connected component (Kosaraju), without recursion."""
    out: dict[str, list[str]] = {}
    back: dict[str, list[str]] = {}
    for a, b in weights:
        out.setdefault(a, []).append(b)
        out.setdefault(b, [])
        back.setdefault(b, []).append(a)
        back.setdefault(a, [])
    order: list[str] = []
    visited: set[str] = set()
    for start, first in out.items():
        stack = [(start, iter(first))] if start not in visited else []
        visited.add(start)
        while stack:
            node, following = stack[-1]
            step = next((n for n in following if n not in visited), None)
            if step is None:
                order.append(node)
                stack.pop()
            else:
                visited.add(step)
                stack.append((step, iter(out[step])))
    component: dict[str, int] = {}
    for number, start in enumerate(reversed(order)):
        pending = [start] if start not in component else []
        while pending:
            node = pending.pop()
            if node not in component:
                component[node] = number
                pending.extend(back[node])
    return component


def _following(weights: Mapping[Arrow, int]) -> dict[str, list[str]]:
    following: dict[str, list[str]] = {}
    for a, b in weights:
        following.setdefault(a, []).append(b)
    return following


def _shortest(following: Mapping[str, list[str]], start: str) -> dict[str, str]:
    """Return for each node that can be reached the one before it on a shortest way from the start."""
    came: dict[str, str] = {start: start}
    queue = [start]
    for node in queue:
        for after in following.get(node, ()):
            if after not in came:
                came[after] = node
                queue.append(after)
    return came


def _way_back(came: Mapping[str, str], arrow: Arrow) -> tuple[str, ...]:
    """Return the shortest way from the arrow's end back to its start, both included."""
    start, goal = arrow[1], arrow[0]
    way = [goal]
    while way[-1] != start:
        way.append(came[way[-1]])
    return tuple(reversed(way))
