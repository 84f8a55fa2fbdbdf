"""Which distributions could provide an imported module, and whose modules we know.

A server has no installed packages to ask, so an import is satisfied where any declared distribution could provide
it. Sources: curated.py, the table of pipreqs, PEP 503 names and the usual ways of naming (`types-X`, `python-X`,
`django-X`, namespace families).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from forgeguard_app.audit.remembered import remembered
from forgeguard_app.audit.requirements.curated import NAMESPACES, RENAMED, SAME_NAME, TOOL_PREFIXES
from forgeguard_app.audit.requirements.model import normalised
from forgeguard_app.audit.requirements.module_table import TABLE


@lru_cache(maxsize=1)
def _renamed() -> Mapping[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for source in (RENAMED, TABLE):
        for line in source.strip().splitlines():
            module, *names = line.split()
            table[module] = tuple(dict.fromkeys((*table.get(module, ()), *names)))
    return table


@lru_cache(maxsize=1)
def _same_name() -> frozenset[str]:
    return frozenset(normalised(name) for name in SAME_NAME.split())


@lru_cache(maxsize=1)
def _known_distributions() -> frozenset[str]:
    return _same_name() | frozenset(name for names in _renamed().values() for name in names)


_NAMESPACES = frozenset(NAMESPACES.split())
_NORMALISED_NAMESPACES = frozenset(map(normalised, _NAMESPACES))
_TOOLS = tuple(TOOL_PREFIXES.split())


@remembered(16_384)
def known_providers(module: str) -> tuple[str, ...]:
    """Return the distributions that are known to provide the module, the usual one first; empty where we know none."""
    parts = module.split(".")
    renamed = _renamed()
    shared = parts[0] in _NAMESPACES  # the root of a shared namespace belongs to nobody
    for size in range(len(parts), int(shared), -1):
        found = renamed.get(".".join(parts[:size]))
        if found is not None:
            return found
    top = normalised(parts[0])
    if shared and len(parts) > 1:
        return ("-".join(normalised(part) for part in parts[:3]),)
    return (top,) if top in _same_name() else ()


@lru_cache(maxsize=1)
def _curated() -> frozenset[str]:
    return frozenset(line.split()[0] for line in RENAMED.strip().splitlines())


@remembered(16_384)
def is_well_known(module: str) -> bool:
    """Return whether the module is surely a distribution's, though the repository may have a file of its name."""
    known = known_providers(module)
    top = module.partition(".")[0]
    return bool(known) and (
        module in _curated() or top in _curated() or normalised(top) in _same_name() or top in _NAMESPACES
    )


def possible_providers(module: str, names: tuple[str, ...] = ()) -> frozenset[str]:
    """Return every distribution name that could provide the module, or one of the names in it, known or by its way of
    naming.
    """
    possible = _possible_providers(module)
    if not names:
        return possible
    joined = _joined(module)
    return possible.union(f"{joined}-{normalised(name)}" for name in names if name != "*")


def stubs_of(module: str) -> frozenset[str]:
    """Return the distributions that have stubs of the module by their names, and nothing that runs."""
    top = normalised(module.partition(".")[0])
    return frozenset((f"types-{top}", f"{top}-stubs"))


def _joined(module: str) -> str:
    return "-".join(part for part in map(normalised, module.split(".", 5)[:5]) if part).strip("-")


@remembered(16_384)
def _possible_providers(module: str) -> frozenset[str]:
    parts = module.split(".")
    top = normalised(parts[0])
    possible = {
        top,
        f"python-{top}",
        f"{top}-python",
        f"py{top}",
        f"py-{top}",
        f"{top}-py",
        f"django-{top}",
        f"python3-{top}",
    }
    possible |= {f"types-{top}", f"{top}-stubs", f"{top}-binary", f"{top}-sdk", f"{top}2", f"{top}3", f"{top}-core"}
    possible.add(top.lstrip("-"))
    joined = ""
    for part in parts[:5]:
        joined = f"{joined}-{normalised(part)}".strip("-")
        possible.add(joined)
    renamed = _renamed()
    for size in range(len(parts), 0, -1):
        possible.update(renamed.get(".".join(parts[:size]), ()))
    return frozenset(possible)


def shares_namespace(module: str, declared: Iterable[str]) -> bool:
    """Return whether a declared distribution lies in the import's namespace at or below it (`google.cloud` and
    google-cloud-x).
    """
    parts = [normalised(part) for part in module.split(".")]
    if parts[0] not in _NORMALISED_NAMESPACES:
        return False
    prefix = "-".join(parts[:2]) + "-"
    return any(name.startswith(prefix) or f"apache-{prefix}" in f"{name}-" for name in declared)


def modules_known(name: str) -> bool:
    """Return whether we know which modules the distribution has."""
    if name in _known_distributions() or name.startswith(_TOOLS) or name.endswith("-stubs"):
        return True
    return name.partition("-")[0] in _NAMESPACES  # what it provides lies below the namespace, by its own name
