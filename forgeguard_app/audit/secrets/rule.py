"""The record of one secret rule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SecretRule:
    """One kind of credential.

    `pattern` is re2's; its first group, where it has one, is the value. `keywords` are lower-case fragments of
    which at least one stands in every match. `entropy` is the least Shannon entropy of the value in bits a
    character. `prefix` is what the provider puts before every such value, which may be shown; '' shows nothing.
    `example` and `counterexample` are pieces to be joined, so that no file of ours holds what looks like a secret.
    """

    id: str
    provider: str
    source: str
    pattern: str
    keywords: tuple[str, ...]
    entropy: float
    example: tuple[str, ...]
    counterexample: tuple[str, ...]
    prefix: str = ""
    checksum: str = ""
