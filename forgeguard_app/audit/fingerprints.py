"""New against existing: head's findings counted against base's, by check, rule, path and subject."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import replace

from forgeguard_app.audit.check import Change
from forgeguard_app.audit.model import CheckCode, Finding, Gate

Key = tuple[str, str, str]


def digest(*parts: str) -> str:
    """Return a short stable name for the parts; 32 hexadecimal digits."""
    joined = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(joined).hexdigest()[:32]


def mark_new(
    code: CheckCode,
    head: Iterable[Finding],
    base: Iterable[Finding],
    renames: Mapping[str, str],
    touched: Mapping[str, Container[int]],
    others: Iterable[tuple[Iterable[Finding], Mapping[str, str]]] = (),
) -> list[Finding]:
    """Head's findings with `new` and `fingerprint`, in their stable order.

    New is what head has more of than base: where it has three of a kind and base two, one is new, and it is one
    on a line that the change touched if there is such a one. `renames` maps a path at head to its path at base.
    `others` are findings and renames of a merge's other parents: what one of them has is not new either.
    """
    parents = [(_counted(base), renames), *((_counted(findings), moved) for findings, moved in others)]
    groups: defaultdict[Key, list[Finding]] = defaultdict(list)
    for finding in head:
        groups[finding.rule, finding.path, finding.subject].append(finding)
    out: list[Finding] = []
    for (rule, path, subject), group in groups.items():
        more = len(group) - max(had[rule, moved.get(path, path), subject] for had, moved in parents)
        lines = touched.get(path, ())
        group.sort(key=lambda f: (f.line, f.column))
        likely = sorted(range(len(group)), key=lambda n: group[n].line not in lines)  # stable: else by place
        fresh = set(likely[: max(more, 0)])
        for ordinal, finding in enumerate(group):
            fingerprint = digest(code, rule, path, subject, str(ordinal))
            out.append(replace(finding, new=ordinal in fresh, fingerprint=fingerprint))
    return sorted(out, key=lambda finding: finding.order)


def _counted(findings: Iterable[Finding]) -> Counter[Key]:
    return Counter((finding.rule, finding.path, finding.subject) for finding in findings)


def apply_gate(findings: Iterable[Finding], gate: Gate, changed: Collection[str]) -> tuple[Finding, ...]:
    """Return the findings with `counted`: whether the gate lets them through to the verdict."""
    if gate is Gate.ALL:
        return tuple(replace(finding, counted=True) for finding in findings)
    if gate is Gate.CHANGED:
        return tuple(replace(finding, counted=finding.new or finding.path in changed) for finding in findings)
    return tuple(replace(finding, counted=True) if finding.new else finding for finding in findings)


def mark_in_scope(
    code: CheckCode,
    change: Change,
    head: Collection[Finding],
    base: Collection[Finding],
    others: Iterable[Collection[Finding]],
) -> tuple[Finding, ...]:
    """Mark what is new, then keep what lies in the change's scope."""
    beside = [(findings, renames) for findings, (_, renames) in zip(others, change.other_parents, strict=True)]
    findings = mark_new(code, head, base, change.renames, change.touched, beside)
    return tuple(finding for finding in findings if finding.path in change.scope)
