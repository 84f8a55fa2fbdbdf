"""The shape of a language whose imports are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from forgeguard_app.audit.languages.imports import SourceFacts


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its files, and how the imports of one are read.

    `read` answers every input, whether or not it parses. `unread_suffixes` are those of files that import as the
    language does and that it does not read.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[bytes], SourceFacts]
    unread_suffixes: tuple[str, ...] = ()
