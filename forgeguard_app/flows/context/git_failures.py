"""Remembers how the audits of this process failed, so that a failure that repeats itself ends its run."""

from __future__ import annotations

from traceback import walk_tb
from uuid import UUID

from forgeguard_app.git.command import GitError

MAX_RUNS = 1_000  # the oldest are forgotten, and tried once more


class GitFailures:
    """How a run failed: of git which command, and with which status; of our own code the error and its place.

    Kept in memory: each worker tries a run twice at the most, and a worker that died knows nothing of its tries.
    """

    def __init__(self) -> None:
        self._failures: dict[UUID, set[tuple[str, str, int]]] = {}

    def is_repeated(self, run_id: UUID, error: GitError) -> bool:
        """Return whether git failed in the same way in the run before, and remember that it did."""
        return self._is_repeated(run_id, (type(error).__name__, error.command, error.status))

    def is_repeated_fault(self, run_id: UUID, error: Exception) -> bool:
        """Return whether our own code failed at the same place in the run before, and remember that it did."""
        frames = list(walk_tb(error.__traceback__))
        place = (frames[-1][0].f_code.co_filename, frames[-1][1]) if frames else ("", 0)
        return self._is_repeated(run_id, (type(error).__name__, *place))

    def _is_repeated(self, run_id: UUID, way: tuple[str, str, int]) -> bool:
        known = self._failures.setdefault(run_id, set())
        if way in known:
            del self._failures[run_id]
            return True
        known.add(way)
        while len(self._failures) > MAX_RUNS:
            del self._failures[next(iter(self._failures))]
        return False
