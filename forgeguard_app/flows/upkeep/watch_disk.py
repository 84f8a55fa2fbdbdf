"""When a worker's disk is tidied: every hour, and as soon as its mirrors may have passed their bounds."""

from __future__ import annotations

import shutil
from pathlib import Path

PRUNE_EVERY_S = 3_600.0
AGAIN_S = 60.0  # where the disk stays full, since something else fills it
GROWN_SHARE = 0.01  # of what all mirrors may take
LEAST_FREE_SHARE = 0.05
LEAST_FREE_BYTES = 2 << 30  # of a large disk


def lacking_bytes(folder: Path) -> int:
    """Return how many bytes are to be freed on the folder's disk, so that others can work; 0 where there is room."""
    try:
        usage = shutil.disk_usage(folder)
    except FileNotFoundError:  # before the worker's first job
        return 0
    return max(min(int(usage.total * LEAST_FREE_SHARE), LEAST_FREE_BYTES) - usage.free, 0)


class DiskWatch:
    """Decides when the mirrors below `home` are looked at, from what their disk holds: they are not walked for it.

    `most_bytes` is what all mirrors may take. Times are of one clock, in seconds.
    """

    def __init__(self, home: Path, most_bytes: int, now: float) -> None:
        self._home, self._most_grown = home, max(int(most_bytes * GROWN_SHARE), 1)
        self._pruned_at, self._used = now, self._usage()

    @property
    def folder(self) -> Path:
        """The folder whose disk is watched."""
        mirrors = self._home / "mirrors"
        return mirrors if mirrors.is_dir() else self._home

    def is_due(self, now: float) -> bool:
        """Return whether an hour is over, the disk holds more than it did by a hundredth of the bound, or is full."""
        used = self._usage()
        self._used = min(self._used, used)  # what others freed is no room for the mirrors
        elapsed, grown = now - self._pruned_at, used - self._used
        is_full = lacking_bytes(self.folder) > 0 and (grown > 0 or elapsed >= AGAIN_S)
        return elapsed >= PRUNE_EVERY_S or grown >= self._most_grown or is_full

    def note_pruned(self, now: float) -> None:
        """Note that the disk was tidied."""
        self._pruned_at, self._used = now, self._usage()

    def _usage(self) -> int:
        try:
            return shutil.disk_usage(self.folder).used
        except FileNotFoundError:
            return 0
