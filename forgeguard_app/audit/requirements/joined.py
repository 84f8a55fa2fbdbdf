"""Joins what several manifests declare, and copies nothing long: one list may count for thousands of folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from forgeguard_app.audit.requirements.model import Declared, DependencyScope, Manifest

V = TypeVar("V")
Scopes = Mapping[str, frozenset[DependencyScope]]
MAX_COPIED = 20  # entries of one manifest
_ALONE = {scope: frozenset((scope,)) for scope in DependencyScope}
_SETS: dict[frozenset[DependencyScope], frozenset[DependencyScope]] = {}  # one object for each of the few that are


class Layered(Mapping[str, V]):
    """Mappings one above the other: of what several have, the first one's value counts."""

    def __init__(self, parts: Iterable[Mapping[str, V]]) -> None:
        self.parts = tuple(part for part in parts if part)

    def __getitem__(self, name: str) -> V:
        for part in self.parts:
            if name in part:
                return part[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name in part for part in self.parts)

    def __iter__(self) -> Iterator[str]:
        given = set[str]()
        for part in self.parts:
            yield from (name for name in part if name not in given)
            given.update(part)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return bool(self.parts)


class JoinedScopes(Layered[frozenset[DependencyScope]]):
    """Scopes by distribution: of what several declare, the scopes of all."""

    def __getitem__(self, name: str) -> frozenset[DependencyScope]:
        found = [part[name] for part in self.parts if name in part]
        if not found:
            raise KeyError(name)
        return found[0] if len(found) == 1 else frozenset().union(*found)


def walked(names: Iterable[str], tick: Callable[[], object]) -> Iterator[str]:
    """Yield the names, of which there may be millions; `tick` is called for each hundredth."""
    for number, name in enumerate(names):
        if number % 100 == 0:
            tick()
        yield name


class ManifestGroup:
    """The manifests of one folder that count together, and what they declare. `doubts` are those by which the list is
    not complete, `doubts_beside_lists` those that remain so where a list of requirements counts too.
    """

    def __init__(self, manifests: Sequence[Manifest], scopes: Iterable[Scopes]) -> None:
        saying = [m for m in manifests if any(item.scope is DependencyScope.RUNTIME for item in m.declared)]
        # A project that computes its list is complete where another manifest of it says the list.
        complete = {m.home for m in saying if m.is_project and not m.opaque}
        self.manifests = manifests
        self.scopes = tuple(scopes)
        self.provides = tuple(m.provides for m in manifests if m.provides)
        self.names = frozenset(m.project_name for m in manifests if m.project_name)
        self.project = next((m for m in manifests if m.is_project), None)
        self.says = any(m.declared or m.is_project or m.includes or m.problems or is_list(m) for m in manifests)
        self.has_list = any(map(is_list, saying))
        self.doubts = tuple(
            m for m in manifests if m.problems or (m.opaque and not (m.is_project and m.home in complete))
        )
        self.doubts_beside_lists = tuple(m for m in self.doubts if m.problems or not m.is_project)


class ScopesByManifest:
    """The scopes that manifests declare, found once for all folders that one counts for."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[tuple[Declared, ...], Scopes]] = {}  # by the identity of the entries

    def of(self, manifests: Iterable[Manifest]) -> Iterator[Scopes]:
        """Yield the scopes of the manifests: of long ones each by itself, of all short ones together."""
        short: list[tuple[Declared, ...]] = []
        for manifest in manifests:
            declared = manifest.declared
            if len(declared) <= MAX_COPIED:
                short.append(declared)
                continue
            if id(declared) not in self._known:
                self._known[id(declared)] = declared, _scopes(declared)
            yield self._known[id(declared)][1]
        yield _scopes(chain.from_iterable(short))


def _scopes(declared: Iterable[Declared]) -> Scopes:
    found: dict[str, frozenset[DependencyScope]] = {}
    for item in declared:
        known, alone = found.get(item.name), _ALONE[item.scope]
        if known is None:
            found[item.name] = alone
        elif item.scope not in known:
            both = known | alone
            found[item.name] = _SETS.setdefault(both, both)
    return found


def is_list(manifest: Manifest) -> bool:
    """Return whether the manifest is a mere list of requirements, by its name."""
    return manifest.path.endswith((".txt", ".in", ".pip"))
