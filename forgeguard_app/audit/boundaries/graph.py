"""Cycles between layers, and which of their imports to name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forgeguard_app.audit.cycles import Arrow, cyclic_arrows


def thinnest_links(
    weights: Mapping[Arrow, int], tick: Callable[[], object] = lambda: None
) -> dict[Arrow, tuple[str, ...]]:
    """Return the arrows, given with their number of imports, whose removal leaves no cycle, thinnest first, each with
    the cycle it closes.

    An arrow is as thick as it has imports: in a cycle the few imports that go against the many are the mistake.
    Arrows equally thin are all named. `tick` is called at every step.
    """
    named: dict[Arrow, tuple[str, ...]] = {}
    remaining = dict(weights)
    while True:
        tick()
        cyclic = cyclic_arrows(remaining)
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
