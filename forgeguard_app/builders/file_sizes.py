"""Counts what the files below a folder take, also where their owner closed a folder or moves them meanwhile."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ENTRY_BYTES = 4_096  # of a file or folder at the least, its name and its rights included
MAX_FOLDERS = 200  # in one another
BLOCK_BYTES = 512  # of st_blocks, whatever the file system's own are: stat(2)
TRIES = 3
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_PATH, which Linux alone has, a folder closed to us cannot be counted, and counts as too large.
_CLOSED = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SEARCH = stat.S_IRUSR | stat.S_IXUSR

_GONE = (FileNotFoundError, NotADirectoryError)

FileKey = tuple[int, int]  # device and inode


class _Uncountable(Exception):
    """A folder cannot be counted."""


@dataclass(slots=True)
class _Open:
    """A folder under way: its descriptor, the folders in it that are left, and the rights that it gets back."""

    number: int
    left: list[str]
    mode: int | None

    def close(self) -> None:
        if self.mode is not None:
            with contextlib.suppress(OSError):
                os.fchmod(self.number, self.mode)
        os.close(self.number)


@dataclass(slots=True)
class Tally:
    """A count of bytes that ends soon after `enough`. A file with several names counts once.

    Only files of the user `owner` count where it is set. `counted_files` holds files that are counted already.
    """

    enough: int
    owner: int | None = None
    counted_files: set[FileKey] = field(default_factory=set)
    total: int = 0

    def add_folder(self, folder: Path) -> None:
        """Add what lies below the folder, holes of files included.

        No link is followed, also not one that takes a folder's place meanwhile. A folder of our user that is closed
        to us is opened while it is counted. What cannot be counted, and what lies below `MAX_FOLDERS` folders, counts
        as more than `enough`.
        """
        for _ in range(TRIES):
            before = self.total
            with contextlib.suppress(_Uncountable):
                self._walk(folder)
                return
            self.total = before
        self.total = self.enough + 1

    def _walk(self, folder: Path) -> None:
        opened: list[_Open] = []
        try:
            if (top := self._opened(str(folder), None)) is not None:
                opened.append(top)
            while opened and self.total <= self.enough:
                if not opened[-1].left:
                    opened.pop().close()
                elif len(opened) > MAX_FOLDERS:
                    raise _Uncountable
                elif (inner := self._opened(opened[-1].left.pop(), opened[-1].number)) is not None:
                    opened.append(inner)
        finally:
            for each in reversed(opened):
                each.close()

    def _opened(self, name: str, parent: int | None) -> _Open | None:
        """Open a folder and count what lies in it; None where it is gone."""
        try:
            folder = _open_folder(name, parent)
            try:
                folder.left.extend(self._folders_in(folder.number))
            except BaseException:
                folder.close()
                raise
        except _GONE:
            return None
        except OSError as error:
            raise _Uncountable from error
        return folder

    def _folders_in(self, folder: int) -> Iterator[str]:
        """Count the files of an open folder; yield the names of the folders in it."""
        with os.scandir(folder) as entries:
            for entry in entries:
                if self.total > self.enough:
                    return
                # Where one owner's files count, mounts of others lie there too.
                with contextlib.suppress(*(_GONE if self.owner is None else (OSError,))):
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(found.st_mode):
                        self.total += ENTRY_BYTES if self.owner in (None, found.st_uid) else 0
                        if self.owner in (None, found.st_uid) or found.st_mode & stat.S_IWOTH:
                            yield entry.name
                    else:
                        self._add_file(found)

    def _add_file(self, found: os.stat_result) -> None:
        key = (found.st_dev, found.st_ino)
        if self.owner not in (None, found.st_uid) or key in self.counted_files:
            return
        if found.st_nlink > 1:
            self.counted_files.add(key)
            self.total += ENTRY_BYTES
        self.total += max(found.st_blocks * BLOCK_BYTES, found.st_size, ENTRY_BYTES)


def _open_folder(name: str, parent: int | None) -> _Open:
    """Open a folder to read it. One that its owner, our user, closed to itself is open meanwhile."""
    with contextlib.suppress(PermissionError):
        return _searchable(os.open(name, _FOLDER, dir_fd=parent))
    handle = os.open(name, _CLOSED, dir_fd=parent)
    try:
        mode, path = stat.S_IMODE(os.fstat(handle).st_mode), f"/proc/self/fd/{handle}"
        os.chmod(path, mode | _SEARCH)
        return _Open(os.open(f"{path}/.", _FOLDER), [], mode)
    finally:
        os.close(handle)


def _searchable(number: int) -> _Open:
    """Return an open folder in which names can be looked up, which takes more than the right to list them."""
    folder = _Open(number, [], None)
    try:
        mode = stat.S_IMODE(os.fstat(number).st_mode)
        if os.geteuid() != 0 and mode & _SEARCH != _SEARCH:
            os.fchmod(number, mode | _SEARCH)
            folder.mode = mode
    except BaseException:
        folder.close()
        raise
    return folder


def size_of(folder: Path, enough: int) -> int:
    """Return how large the files below are, holes included, in bytes; counting stops past `enough`."""
    tally = Tally(enough)
    tally.add_folder(folder)
    return tally.total
