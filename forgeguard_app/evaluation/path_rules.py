"""Tells what a path decides about a search for secrets, so that a file that moves is searched for what that changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from forgeguard_app.audit.pattern_sets import any_glob
from forgeguard_app.audit.scope import Scope
from forgeguard_app.audit.secrets.allowlists import Exceptions
from forgeguard_app.audit.secrets.scanner import kind_of
from forgeguard_app.git.patches import Unshown


@dataclass(frozen=True)
class PathRules:
    """The rules of one search; `ignored` tells whether a path is ignored."""

    ignored: Callable[[str], bool]
    scope: Scope
    exceptions: Exceptions

    @classmethod
    def of(cls, ignore: Sequence[str], scope: Scope, exceptions: Exceptions) -> PathRules:
        """Return the rules where these globs are ignored."""
        return cls(any_glob(ignore), scope, exceptions)

    def passes_over(self, path: str) -> bool:
        """Return whether nothing that stands at the path is looked for."""
        return path not in self.scope or self.ignored(path)

    def wanted(self, item: Unshown) -> Unshown | None:
        """Return the file as it is searched: what ignored paths held before is new in it. None where it is not.

        Of a file that moved, the lines that are not shown were searched before, unless they are read otherwise now.
        """
        if self.passes_over(item.path) or any(self._are_alike(old, item.path) for old in item.moved_from):
            return None
        return item._replace(parents=tuple(parent for parent in item.parents if not self.ignored(parent.path)))

    def _are_alike(self, old: str, path: str) -> bool:
        """Return whether all that is found at `path` was found at the path `old`."""
        return kind_of(old) == kind_of(path) and not self.ignored(old) and not self.exceptions.names_path(old)
