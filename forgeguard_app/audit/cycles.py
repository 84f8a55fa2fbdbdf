"""Cycles of a graph, in time that grows with its arrows alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable

Arrow = tuple[str, str]


def cyclic_arrows(arrows: Collection[Arrow]) -> list[Arrow]:
    """Return the arrows that lie on a cycle, an arrow from a node to itself among them."""
    component = _components(arrows)
    return [(a, b) for a, b in arrows if component[a] == component[b]]


def _components(arrows: Iterable[Arrow]) -> dict[str, int]:
    """Return the number of each node's strongly connected component (Kosaraju), without recursion."""
    out: dict[str, list[str]] = {}
    back: dict[str, list[str]] = {}
    for a, b in arrows:
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
