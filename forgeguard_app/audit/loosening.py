"""Lists what a change of configuration loosens against the base, in words for the first lines of the summary."""

from __future__ import annotations

from collections.abc import Iterable

from forgeguard_app.audit.boundaries.parse import Boundaries
from forgeguard_app.audit.model import CheckCode, Gate, Level
from forgeguard_app.audit.policy import CheckPolicy
from forgeguard_app.audit.secrets.allowlists import Exceptions

_STRICTNESS = {Gate.NEW: 0, Gate.CHANGED: 1, Gate.ALL: 2}


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def policy_loosened(code: CheckCode, base: CheckPolicy, head: CheckPolicy) -> list[str]:
    """List what the check's settings at head allow that those at base did not."""
    loosenings: list[str] = []
    if base.enabled and not head.enabled:
        loosenings.append(f"{code} disabled")
    if _STRICTNESS[head.gate] < _STRICTNESS[base.gate]:
        loosenings.append(f"gate {base.gate} → {head.gate}")
    if base.level is Level.FAILURE and head.level is not Level.FAILURE:
        loosenings.append("level fail → warn")
    if base.fail_on and not head.fail_on:
        loosenings.append("fail_on removed")
    if added := len(set(head.ignore) - set(base.ignore)):
        loosenings.append(f"{_count(added, 'ignored path')} added")
    if added := len(set(head.ignore_modules) - set(base.ignore_modules)):
        loosenings.append(f"{_count(added, 'ignored module')} added")
    if added := len(set(head.provides) - set(base.provides)):
        loosenings.append(f"{_count(added, 'provided module')} added")
    for key in ("boundaries", "manifests"):
        if getattr(base, key) != getattr(head, key):
            loosenings.append(f"{key} changed")
    return loosenings


def boundaries_loosened(base: Iterable[Boundaries], head: Iterable[Boundaries]) -> list[str]:
    """List what the boundaries at head allow that those at base did not."""
    before, after = tuple(base), tuple(head)
    loosenings: list[str] = []
    if removed := len(_rules(before) - _rules(after)):
        loosenings.append(f"{_count(removed, 'rule')} removed")
    if added := len(_exceptions(after) - _exceptions(before)):
        loosenings.append(f"{_count(added, 'exception')} added")
    if more := len(_allowances(after, before)):
        loosenings.append(f"{_count(more, 'allowed import')} added")
    if narrowed := len(_globs(before) - _globs(after)):
        loosenings.append(f"{_count(narrowed, 'layer glob')} removed")
    return loosenings


def exceptions_loosened(base: Exceptions, head: Exceptions) -> list[str]:
    """List what the exceptions for secrets at head allow that those at base did not."""
    loosenings: list[str] = []
    if more := len(set(head.allowlists) - set(base.allowlists)):
        loosenings.append(f"{_count(more, 'allowlist')} added")
    if more := len(head.ignored - base.ignored):
        loosenings.append(f"{_count(more, 'ignored secret')} added")
    if more := len(set(head.disabled) - set(base.disabled)):
        loosenings.append(f"{_count(more, 'secret rule')} disabled")
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
