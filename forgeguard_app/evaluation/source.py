"""A repository to evaluate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from forgeguard_app.git.command import GitRepository


class Source(Protocol):
    """A repository to evaluate, which may have to bring blobs before they are read."""

    @property
    def repository(self) -> GitRepository:
        """Return the repository to read from."""

    async def ensure(self, needed: set[str]) -> None:
        """Bring the needed blobs."""

    async def ensure_range(self) -> None:
        """Bring the blobs of all commits of the range."""

    async def bring_touched(self) -> None:
        """Bring every blob on either side of a change in the range, whatever is there already."""


@dataclass(frozen=True)
class LocalSource:
    """A repository that is whole."""

    repository: GitRepository

    async def ensure(self, needed: set[str]) -> None:
        """Nothing to bring."""

    async def ensure_range(self) -> None:
        """Nothing to bring."""

    async def bring_touched(self) -> None:
        """Nothing to bring."""
