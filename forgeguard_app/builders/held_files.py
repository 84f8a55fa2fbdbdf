"""Counts what a builder's processes hold that has no name any more, and notices what they hold where nobody can look.

A file that was unlinked takes its room until nobody holds it: https://man7.org/linux/man-pages/man2/unlink.2.html
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from pathlib import Path

from forgeguard_app.builders.file_sizes import BLOCK_BYTES, ENTRY_BYTES, FileKey

MAX_HELD = 200_000  # open files and mappings that one look reads
MAX_TEXT_BYTES = 4 << 20
_DELETED = b" (deleted)"
# In /proc/<pid>/fdinfo: files that lie in a socket or a ring and in no table of open files.
_UNDER_WAY = (b"scm_fds:", b"UserFiles:")


@dataclass(slots=True)
class Held:
    """Files without a name by device and inode, with the bytes that they take, and whether there may be more."""

    sizes: dict[FileKey, int] = field(default_factory=dict)
    is_partial: bool = False
    left: int = MAX_HELD

    @property
    def total(self) -> int:
        """Bytes of all of them."""
        return sum(self.sizes.values())

    def add(self, found: os.stat_result) -> None:
        """Add a file."""
        self.sizes[found.st_dev, found.st_ino] = max(found.st_blocks * BLOCK_BYTES, ENTRY_BYTES)


def list_held(pids: Iterable[int], disks: frozenset[int], place: Path | None, *, exact: bool) -> Held:
    """Return what these processes hold.

    Files in memory are left out, unless they lie on a device of `disks`, and so are those of the file system `place`.
    `exact` looks at every thread's own table of open files too, which takes longer. Linux alone tells of processes.
    """
    if sys.platform != "linux":
        return Held()
    held, always = Held(), {_memory_device(), *([place.stat().st_dev] if place else [])}
    for pid in pids:
        try:
            inside, hides = _memory_of(pid)
            held.is_partial |= hides
            left_out = always | (inside - disks)
            _add_open(held, pid, left_out, exact=exact)
            _add_mapped(held, pid, left_out)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended
        except OSError:
            held.is_partial = True
    return held


def _memory_device() -> int:
    """Return the device on which memfd_create(2) and shared memory have their files."""
    number = os.memfd_create("forgeguard")
    try:
        return os.fstat(number).st_dev
    finally:
        os.close(number)


def _memory_of(pid: int) -> tuple[set[int], bool]:
    """Return the devices of the file systems in memory that a process sees, and whether it has a file mounted that
    has no name any more.
    """
    found: set[int] = set()
    hides = False
    for line in _lines(f"/proc/{pid}/mountinfo"):
        before, _, after = line.partition(b" - ")
        words = before.split()
        hides = hides or (len(words) > 3 and words[3].endswith(b"//deleted"))
        if after.startswith(b"tmpfs ") and len(words) > 2:
            major, _, minor = words[2].partition(b":")
            found.add(os.makedev(int(major), int(minor)))
    return found, hides


def _add_open(held: Held, pid: int, left_out: Set[int], *, exact: bool) -> None:
    threads = os.listdir(f"/proc/{pid}/task") if exact else [str(pid)]
    for thread in threads:
        folder = f"/proc/{pid}/task/{thread}"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for name in os.listdir(f"{folder}/fd"):
                held.left -= 1
                if held.left < 0:
                    held.is_partial = True
                    return
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    _add_one(held, f"{folder}/fd/{name}", f"{folder}/fdinfo/{name}", left_out)


def _add_one(held: Held, path: str, described: str, left_out: Set[int]) -> None:
    found = os.stat(path)
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFREG:
        if found.st_nlink == 0 and found.st_dev not in left_out:
            held.add(found)
    elif kind in (stat.S_IFSOCK, 0):  # 0: what has no file, such as a ring of io_uring
        for line in _lines(described):
            if line.startswith(_UNDER_WAY) and line.split()[-1] != b"0":
                held.is_partial = True


def _add_mapped(held: Held, pid: int, left_out: Set[int]) -> None:
    for line in _lines(f"/proc/{pid}/maps"):
        held.left -= 1
        if held.left < 0:
            held.is_partial = True
            return
        words = line.split(None, 5)
        if not line.endswith(_DELETED) or len(words) < 6:
            continue
        major, _, minor = words[3].partition(b":")
        device = os.makedev(int(major, 16), int(minor, 16))
        if device in left_out or (device, int(words[4])) in held.sizes:
            continue
        first, _, last = words[0].partition(b"-")
        try:
            held.add(os.stat(f"/proc/{pid}/map_files/{int(first, 16):x}-{int(last, 16):x}"))
        except FileNotFoundError:
            continue
        except OSError:  # which takes rights that only root has, and not everywhere
            held.is_partial = True


def _lines(path: str) -> Iterator[bytes]:
    """Yield the lines of a file of the kernel's.

    Raises:
        OSError: it cannot be read, or is too long.
    """
    with open(path, "rb") as file:
        text = file.read(MAX_TEXT_BYTES + 1)
    if len(text) > MAX_TEXT_BYTES:
        raise OSError(f"{path} is too long")
    yield from text.splitlines()
