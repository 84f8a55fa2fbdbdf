"""Lists what a change of configuration loosens against the base, in words for the first lines of the summary."""

from __future__ import annotations

from collections.abc import Iterable

from forgeguard_app.audit.boundaries.parse import Boundaries
from forgeguard_app.audit.check_kinds import settings_of
from forgeguard_app.audit.check_settings import ENABLED, count_of
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.audit.policy import CheckPolicy
from forgeguard_app.audit.secrets.allowlists import Exceptions


def policy_loosened(code: CheckCode, base: CheckPolicy, head: CheckPolicy) -> list[str]:
    """List what the check's settings at head allow that those at base did not."""
    words = ((s.key, s.loosened(getattr(base, s.key), getattr(head, s.key))) for s in settings_of(code))
    return [f"{code} {word}" if key == ENABLED.key else word for key, word in words if word]


def boundaries_loosened(base: Iterable[Boundaries], head: Iterable[Boundaries]) -> list[str]:
    """List what the boundaries at head allow that those at base did not."""
    before, after = tuple(base), tuple(head)
    loosenings: list[str] = []
    if removed := len(_rules(before) - _rules(after)):
        loosenings.append(f"{count_of(removed, 'rule')} removed")
    if added := len(_exceptions(after) - _exceptions(before)):
        loosenings.append(f"{count_of(added, 'exception')} added")
    if more := len(_allowances(after, before)):
        loosenings.append(f"{count_of(more, 'allowed import')} added")
    if _is_order_loosened(before, after):
        loosenings.append("order of layers changed")
    if narrowed := len(_globs(before) - _globs(after)):
        loosenings.append(f"{count_of(narrowed, 'layer glob')} removed")
    return loosenings


def exceptions_loosened(base: Exceptions, head: Exceptions) -> list[str]:
    """List what the exceptions for secrets at head allow that those at base did not."""
    loosenings: list[str] = []
    if more := len(set(head.allowlists) - set(base.allowlists)):
        loosenings.append(f"{count_of(more, 'allowlist')} added")
    if more := len(head.ignored - base.ignored):
        loosenings.append(f"{count_of(more, 'ignored secret')} added")
    if more := len(set(head.disabled) - set(base.disabled)):
        loosenings.append(f"{count_of(more, 'secret rule')} disabled")
    return loosenings


def _rules(files: Iterable[Boundaries]) -> set[tuple[object, ...]]:
    rules: set[tuple[object, ...]] = set()
    for file in files:
        for layer in file.layers:
            rules |= {(layer.name, "forbidden", rule.pattern) for rule in layer.forbidden}
            rules |= {(layer.name, "forbidden_imports", rule.module) for rule in layer.forbidden_imports}
            if layer.may_import is not None:
                rules.add((layer.name, "may_import"))
        names = [name for group in file.order for name in group]
        rules |= {("order", name) for name in names}
        rules |= {(file.path, flag) for flag in ("exhaustive", "acyclic") if getattr(file, flag)}
    return rules


def _is_order_loosened(before: Iterable[Boundaries], after: Iterable[Boundaries]) -> bool:
    """Return whether some layer may import another one that it might not: one above it, or its neighbour."""
    now = {file.path: {name: rank for rank, group in enumerate(file.order) for name in group} for file in after}
    for file in before:
        ranks, lowest = now.get(file.path, {}), 0
        for group in file.order:
            places = {ranks[name] for name in group if name in ranks}
            if len(places) > 1 or any(place < lowest for place in places):
                return True
            lowest = max(places, default=lowest)
    return False


def _exceptions(files: Iterable[Boundaries]) -> set[object]:
    return {violation for file in files for violation in file.known_violations}


def _allowances(after: Iterable[Boundaries], before: Iterable[Boundaries]) -> set[tuple[str, str]]:
    def of(files: Iterable[Boundaries]) -> dict[str, set[str]]:
        return {
            layer.name: set(layer.may_import) for file in files for layer in file.layers if layer.may_import is not None
        }

    old, new = of(before), of(after)
    return {(name, target) for name in old.keys() & new.keys() for target in new[name] - old[name]}


def _globs(files: Iterable[Boundaries]) -> set[tuple[str, str]]:
    return {(layer.name, glob) for file in files for layer in file.layers for glob in layer.globs}
