"""Remembers how git failed in the audits of this process, so that a failure that repeats itself ends its run."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.git.command import GitError

MAX_RUNS = 1_000  # the oldest are forgotten, and tried once more


class GitFailures:
    """How git failed in a run: which command, and with which status.

    Kept in memory: each worker tries a run twice at the most, and a worker that died knows nothing of its tries.
    """

    def __init__(self) -> None:
        self._failures: dict[UUID, set[tuple[str, str, int]]] = {}

    def is_repeated(self, run_id: UUID, error: GitError) -> bool:
        """Return whether git failed in the same way in the run before, and remember that it did."""
        known = self._failures.setdefault(run_id, set())
        way = (type(error).__name__, error.command, error.status)
        if way in known:
            del self._failures[run_id]
            return True
        known.add(way)
        while len(self._failures) > MAX_RUNS:
            del self._failures[next(iter(self._failures))]
        return False
