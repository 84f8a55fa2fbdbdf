"""Remembers how the audits of this process failed, so that a failure that repeats itself ends its run."""

from __future__ import annotations

import time
from enum import Enum
from traceback import walk_tb
from uuid import UUID

from forgeguard_app.git.command import GitError, GitTimeout

MAX_RUNS = 1_000  # the oldest are forgotten, and tried once more
AGAIN_S = 60.0  # a machine without memory fails everything for a while


class AfterGit(Enum):
    """The steps that may follow a failure of git while it reads."""

    RETRY = "retry"
    RENEW = "renew"  # the mirror, which may be corrupt
    GIVE_UP = "give up"


class AuditFailures:
    """How a run failed: of git which command, and with which status; of our own code the error and its place.

    A failure is repeated where it comes again `again_s` after the first time; until then it is tried again. Kept in
    memory: each worker has its own count, and a worker that died knows nothing of its tries.
    """

    def __init__(self, again_s: float = AGAIN_S) -> None:
        self._again_s = again_s
        self._failures: dict[UUID, dict[tuple[str, str, int], float]] = {}
        self._renewed: dict[UUID, None] = {}

    def after_git(self, run_id: UUID, error: GitError) -> AfterGit:
        """Return what follows a failure of git, and remember it: a repeated one has the mirror made again, once, unless
        git was merely too slow.
        """
        if not self._is_repeated(run_id, (type(error).__name__, error.command, error.status)):
            return AfterGit.RETRY
        if run_id in self._renewed or isinstance(error, GitTimeout):
            del self._failures[run_id]
            self._renewed.pop(run_id, None)
            return AfterGit.GIVE_UP
        self._renewed[run_id] = None
        while len(self._renewed) > MAX_RUNS:
            del self._renewed[next(iter(self._renewed))]
        return AfterGit.RENEW

    def is_repeated_fault(self, run_id: UUID, error: Exception) -> bool:
        """Return whether our own code failed at the same place in the run before, and remember that it did."""
        frames = list(walk_tb(error.__traceback__))
        place = (frames[-1][0].f_code.co_filename, frames[-1][1]) if frames else ("", 0)
        is_repeated = self._is_repeated(run_id, (type(error).__name__, *place))
        if is_repeated:
            del self._failures[run_id]
        return is_repeated

    def _is_repeated(self, run_id: UUID, way: tuple[str, str, int]) -> bool:
        known, now = self._failures.setdefault(run_id, {}), time.monotonic()
        if way in known and now - known[way] >= self._again_s:
            return True
        known.setdefault(way, now)
        while len(self._failures) > MAX_RUNS:
            del self._failures[next(iter(self._failures))]
        return False
