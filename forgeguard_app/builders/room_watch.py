"""Watches the room that a builder takes: within its place's size where that has one, else of the machine's disk.

Names, open files and mappings are counted. What a builder can still hide, such as a file in a socket's queue, shows
as room that the disk lost: a builder that holds such things is charged with that, and no builder goes on while the
disk is nearly full.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from forgeguard_app.builders.builder_processes import held_still, list_of_builder
from forgeguard_app.builders.confinement import Sandbox
from forgeguard_app.builders.file_sizes import Tally
from forgeguard_app.builders.held_files import list_held
from forgeguard_app.builders.sized_place import is_nearly_full
from forgeguard_app.builders.visible_files import SHARED

FREED_ROUNDS = 20
FREED_S = 0.1


class RoomWatch:
    """One run's watch; made before the builder starts. `leader` is its first process, once there is one."""

    def __init__(self, room: Sandbox, most_bytes: int, mark: str) -> None:
        self.room, self._most, self._mark = room, most_bytes, mark
        self.leader: int | None = None
        folders = [room.given.parent, *(() if room.private_tmp else map(Path, SHARED))]
        self._disks = [disk for disk in _one_a_device(folders) if not is_nearly_full(disk)]
        self._devices = frozenset(map(_device_of_files, (*folders, *(() if room.place else room.written))))
        self._others = self._used() - self._count(exact=False)[0]  # what others take of the disks
        self._at_end = (0, 0)

    def lacks_disk(self) -> bool:
        """Return whether the builder must end, since the machine's disk is nearly full."""
        return any(map(is_nearly_full, self._disks))

    def is_too_large(self, *, due: bool) -> bool:
        """Return whether what the builder wrote takes more than it may.

        It is counted where a count is `due`, or where the disk lost more than the builder may take.
        """
        if self.room.place is not None and self.room.private_tmp:
            return self._in_place() > self._most
        used = self._used()
        if not due and used - self._others <= self._most:
            return False
        total, _ = self._count(exact=False)
        if total > self._most:
            return True
        if used - self._others <= self._most:
            self._others = min(self._others, used - total)
            return False
        return self._is_hiding()

    def _is_hiding(self) -> bool:
        """Count again while no process of the builder runs, since the disk lost more than was counted."""
        with held_still(self._find) as pids:
            used = self._used()
            total, is_partial = self._count(exact=True, pids=pids)
        if is_partial:
            total = max(total, used - self._others)
        elif total <= self._most:
            self._others = used - total  # others took it
        return total > self._most

    def note_end(self) -> None:
        """Note what is free before the builder's processes are ended."""
        self._at_end = (self._used(), self._count_named())

    def filled_disk(self) -> bool:
        """Return whether the builder took more than it may, by what its processes' end gave back.

        It waits a little for the kernel, which frees files in the queues of sockets later.
        """
        used, named = self._at_end
        for _ in range(FREED_ROUNDS):
            if used - self._used() + named > self._most:
                return True
            time.sleep(FREED_S)
        return False

    def _find(self) -> list[int]:
        return list_of_builder(self.room, self._mark, self.leader)

    def _used(self) -> int:
        return sum(shutil.disk_usage(disk).used for disk in self._disks)

    def _count(self, *, exact: bool, pids: list[int] | None = None) -> tuple[int, bool]:
        """Return what the builder takes, and whether it may hold more where nobody can look.

        Open files come first, so that none counts twice that loses its name meanwhile.
        """
        held = list_held(self._find() if pids is None else pids, self._devices, self.room.place, exact=exact)
        tally = Tally(self._most, counted_files=set(held.sizes), total=held.total)
        self._add_named(tally)
        return tally.total, held.is_partial

    def _in_place(self) -> int:
        return shutil.disk_usage(self.room.place).used if self.room.place else 0

    def _count_named(self) -> int:
        tally = Tally(self._most)
        self._add_named(tally)
        return tally.total

    def _add_named(self, tally: Tally) -> None:
        tally.total += self._in_place()
        for folder in self.room.written if self.room.place is None else ():
            tally.add_folder(folder)
        if self.room.uid is not None and not self.room.private_tmp:
            tally.owner = self.room.uid
            for name in SHARED:
                tally.add_folder(Path(name))


def _one_a_device(folders: list[Path]) -> list[Path]:
    found = {folder.stat().st_dev: folder for folder in reversed(folders) if folder.is_dir()}
    return list(found.values())


def _device_of_files(folder: Path) -> int:
    """Return the device that files have there: in an overlay not always the folder's own."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_dev
    except OSError:
        return folder.stat().st_dev
