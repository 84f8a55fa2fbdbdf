"""The bounds on the findings of one check that are kept: their number, and the bytes of their texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from forgeguard_app.audit.model import Finding

MAX_FINDINGS = 5_000
MAX_BYTES = 4 << 20  # a path alone may have some 4,000 bytes


def first_within_bounds(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the first findings, as many as are kept of one check: the caller puts the worst ones first."""
    first = findings[:MAX_FINDINGS]
    sizes = accumulate(_size(finding) for finding in first)
    return tuple(finding for finding, size in zip(first, sizes, strict=True) if size <= MAX_BYTES)


def _size(finding: Finding) -> int:
    """Return the bytes of the finding's texts; its lines are added later, within bounds of their own."""
    return sum(len(text.encode("utf-8", "surrogateescape")) for text in (finding.path, finding.rule, finding.message))
