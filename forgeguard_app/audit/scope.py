"""The part of a repository that a report is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """Paths and everything below them; the path '' is the whole repository."""

    paths: frozenset[str]

    def __contains__(self, path: str) -> bool:
        return path in self.paths or "" in self.paths or any(folder in self.paths for folder in folders_of(path))

    def unmatched(self, files: Iterable[str]) -> list[str]:
        """Return the paths of the scope at which and below which none of the files lies."""
        left = set(self.paths - {""})
        for path in files:
            left.discard(path)
            left.difference_update(folders_of(path))
            if not left:
                break
        return sorted(left)


def folders_of(path: str) -> Iterable[str]:
    """Return the folders that the path lies in, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


EVERYWHERE = Scope(frozenset({""}))
