"""Finds every process of a builder, holds them still, and ends them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from forgeguard_app.builders.confinement import Sandbox, processes, user_of

MARK = "FORGEGUARD_BUILD"  # in every process of a build's environment, by which it is found again
KILL_ROUNDS = 50
HOLD_ROUNDS = 5
_STOPPED = (b"T", b"t")


async def sweep(room: Sandbox, mark: str) -> None:
    """End what an earlier run left: its worker was killed, and could not."""
    await asyncio.to_thread(kill_all, room, mark, None)


def kill_all(room: Sandbox, mark: str, leader: int | None) -> None:
    """Kill every process of the builder, also those that left its session: by its user, else by the mark in its
    environment.
    """
    if leader is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
    for _ in range(KILL_ROUNDS):
        found = [pid for pid in processes() if is_ours(pid, room, mark)]
        if not found:
            return
        # Held first, so that none forks while the others are ended.
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, sign)


def list_of_builder(room: Sandbox, mark: str, leader: int | None) -> list[int]:
    """Return the processes of a builder: by its user, else by the mark and as those that its first one started.

    In a namespace of processes, what loses its parent stays below the first one; elsewhere it is found by the mark.
    """
    found = {pid for pid in processes() if is_ours(pid, room, mark)}
    if room.uid is None and leader is not None:
        found |= _descendants(leader)
    if room.private_tmp:
        found.discard(leader or 0)  # bubblewrap or pasta, which nobody may look into
    return sorted(pid for pid in found if user_of(pid) != -1)


@contextlib.contextmanager
def held_still(find: Callable[[], list[int]]) -> Iterator[list[int]]:
    """Hold the processes that `find` finds, so that none hides from another's look, and let them go on at the end."""
    known: set[int] = set()
    held: list[int] = []
    try:
        for _ in range(HOLD_ROUNDS):
            new = [pid for pid in find() if pid not in known]
            if not new:
                break
            known.update(new)
            for pid in new:
                if _stat_of(pid)[0] in _STOPPED:
                    continue
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGSTOP)
                    held.append(pid)
        yield sorted(known)
    finally:
        for pid in held:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGCONT)


def _descendants(leader: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid in processes():
        children.setdefault(_stat_of(pid)[1], []).append(pid)
    found, left = {leader}, [leader]
    while left:
        new = [pid for pid in children.get(left.pop(), []) if pid not in found]
        found.update(new)
        left.extend(new)
    return found


def _stat_of(pid: int) -> tuple[bytes, int]:
    """Return a process's state and its parent, -1 where it is gone.

    Its name, which comes before them, may hold any character: proc_pid_stat(5).
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            words = file.read(4_096).rpartition(b")")[2].split()
    except OSError:
        return b"X", -1
    return words[0], int(words[1])


def is_ours(pid: int, room: Sandbox, mark: str) -> bool:
    """Return whether a process is the builder's."""
    try:
        if room.uid is not None:
            return user_of(pid) == room.uid
        if user_of(pid) == -1:
            return False
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"{MARK}={mark}".encode() in file.read(1 << 20).split(b"\0")
    except OSError:
        return False
