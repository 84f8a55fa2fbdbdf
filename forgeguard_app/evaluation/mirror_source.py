"""A partial mirror as the evaluation reads it: what is missing is brought in few requests, never file by file."""

from __future__ import annotations

from dataclasses import dataclass

from forgeguard_app.evaluation.request import Request
from forgeguard_app.git.command import GitRepository
from forgeguard_app.git.mirror import Mirror
from forgeguard_app.git.range import touched_blobs


@dataclass
class MirrorSource:
    """A partial mirror as the evaluation reads it: what is missing is brought in few requests, never file by file."""

    mirror: Mirror
    request: Request
    _missing: tuple[set[str], set[str]] | None = None

    @property
    def repository(self) -> GitRepository:
        """Return the repository to read from."""
        return self.mirror.repository

    async def ensure(self, needed: set[str]) -> None:
        """Bring the needed blobs that the mirror lacks."""
        of_trees, of_range = await self._known_missing()
        absent = needed & (of_trees | of_range)
        await self.mirror.fetch_blobs(absent)
        of_trees -= absent
        of_range -= absent

    async def ensure_range(self) -> None:
        """Bring the blobs of all commits of the range."""
        _, of_range = await self._known_missing()
        await self.ensure(set(of_range))

    async def bring_touched(self) -> None:
        """Bring every blob on either side of a change in the range, whatever is there already."""
        head, base = self.request.head, self.request.base
        await self.mirror.fetch_blobs(await touched_blobs(self.repository, base, head))

    async def _known_missing(self) -> tuple[set[str], set[str]]:
        if self._missing is None:
            head, base, target = self.request.head, self.request.base, self.request.target
            commits = dict.fromkeys((head, base, *([target] if target else [])))
            self._missing = await self.mirror.missing_blobs(list(commits), base, head)
        return self._missing
