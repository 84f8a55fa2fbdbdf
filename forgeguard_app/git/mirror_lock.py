"""The lock of a mirror: waited for in a moment, and then by coming again, so that who waits holds no slot of a
worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from forgeguard_app.errors import RetryLater

MOMENT_S = 1.0
AGAIN_S = 0.25  # who waits first comes again so soon, each of the others so much later
LONGEST_AGAIN_S = 5.0
GONE_S = 60.0  # who did not come again for so long waits no more: another worker took its work
FIRST_LOOK_S, LONGEST_LOOK_S = 0.005, 0.1


class MirrorBusy(RetryLater):
    """Another job uses the repository's mirror; nothing was begun."""


@dataclass(slots=True)
class _Queue:
    """The jobs of this process that wait for one mirror, in the order in which they first came, with when they last
    did.
    """

    last_came: dict[str, float] = field(default_factory=dict)
    here: set[str] = field(default_factory=set)

    def enter(self, who: str) -> None:
        """Take the place at the end, or again the one that `who` had."""
        oldest = time.monotonic() - GONE_S
        for gone in [name for name, came in self.last_came.items() if came < oldest and name not in self.here]:
            del self.last_came[gone]
        self.last_came[who] = time.monotonic()
        self.here.add(who)

    def is_first(self, who: str) -> bool:
        """Return whether nobody came before `who` of those that are here now."""
        return next(name for name in self.last_came if name in self.here) == who

    def again_s(self, who: str) -> float:
        """Return when `who` is to come again."""
        return min(AGAIN_S * (1 + list(self.last_came).index(who)), LONGEST_AGAIN_S)


_queues: dict[Path, _Queue] = {}


@contextlib.asynccontextmanager
async def lock_file(path: Path, who: str, *, is_use: bool = True) -> AsyncIterator[None]:
    """Hold the file against all others of this machine, of this process in the order in which they first came.

    Raises:
        MirrorBusy: somebody else held it for longer than a moment.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _acquire(handle, path, who)
        if is_use:
            os.utime(handle)  # when the mirror was last used
        yield
    finally:
        os.close(handle)


async def _acquire(handle: int, path: Path, who: str) -> None:
    queue = _queues.setdefault(path, _Queue())
    queue.enter(who)
    try:
        if not await _try_for(MOMENT_S, handle, queue, who):
            raise MirrorBusy("another job uses the repository's mirror", delay_s=queue.again_s(who))
        del queue.last_came[who]
    finally:
        queue.here.discard(who)
        if not queue.last_came:
            _queues.pop(path, None)


async def _try_for(seconds: float, handle: int, queue: _Queue, who: str) -> bool:
    ends, look_s = time.monotonic() + seconds, FIRST_LOOK_S
    while True:
        if queue.is_first(who):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        if time.monotonic() >= ends:
            return False
        await asyncio.sleep(look_s)
        look_s = min(look_s * 1.5, LONGEST_LOOK_S)
