"""Takes a builder's files out of its checkout: the builder's own user reads them, and we write what is sound.

Another build may exchange names in the checkout while it is read. So nobody with more rights than the builder opens a
name there: `tar` runs as the builder, with what the builder may read, and its output is written to a folder that only
we can reach.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import IO

from forgeguard_app.builders.confinement import Sandbox
from forgeguard_app.errors import as_transient

TIMEOUT_S = 300.0
MAX_FILES = 200_000
MAX_DEPTH = 100
MAX_PATH_BYTES = 2_000
MAX_PATHS_BYTES = 64 << 20  # of all files and folders together, so that many of them lie in no deep folders
MAX_ERROR_BYTES = 4_000
COPY_BYTES = 1 << 20
_TAR = ("tar", "--create", "--file=-", "--format=posix", "--exclude=./.git", "--numeric-owner", "--directory=.", ".")


class Unsound(Exception):
    """The checkout holds something that is not taken over; the text says what, and what to do."""


@dataclass(slots=True)
class _Copy:
    """A copy under way: where the files go, and how much of the bounds is left.

    The stream is not trusted: names may have been exchanged while it was written, so that one comes twice, as a link
    and as a folder. Only folders that were made here are entered, and no name is written twice.
    """

    target: Path
    bytes_left: int
    ends_at: float  # of the monotonic clock, in seconds
    files_left: int = MAX_FILES
    path_bytes_left: int = MAX_PATHS_BYTES
    repositories: set[str] = field(default_factory=set)
    _folders: set[str] = field(default_factory=lambda: {""})
    _files: set[str] = field(default_factory=set)

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Write one member.

        Raises:
            Unsound: it is nothing that a commit may hold, or passes a bound.
        """
        if time.monotonic() > self.ends_at:
            raise Unsound(
                f"Reading the checkout took longer than {TIMEOUT_S:.0f} s. Remove what does not belong there."
            )
        path = _sound_path(member.name)
        if not path:
            return
        if (outer := _repository_around(path)) is not None:
            self.repositories.add(outer)
            return
        self.files_left -= 1
        if self.files_left < 0:
            raise Unsound(f"The checkout holds more than {MAX_FILES:,} files. Remove those that do not belong there.")
        if member.isdir():
            self._enter(path)
            return
        self._enter(path.rpartition("/")[0])
        self._spend_path(path)
        place = self._place(path)
        if os.path.lexists(place):
            raise _changed(path)
        if member.issym():
            os.symlink(member.linkname, place)
        elif member.islnk():
            self._link(path, member.linkname)
        elif member.isreg():
            self._write(archive, member, path)
        # Pipes and devices are nothing that a commit holds.

    def _enter(self, path: str) -> None:
        """Make the folder and those above it. What lies there already and was not made as a folder is not entered."""
        missing = []
        while path not in self._folders:
            missing.append(path)
            path = path.rpartition("/")[0]
        for folder in reversed(missing):
            self._spend_path(folder)
            try:
                os.mkdir(self._place(folder), 0o700)
            except FileExistsError:
                raise _changed(folder) from None
            self._folders.add(folder)

    def _place(self, path: str) -> str:
        return f"{self.target}/{path}"  # pathlib would read every part of the path

    def _spend_path(self, path: str) -> None:
        self.path_bytes_left -= len(path)
        if self.path_bytes_left < 0:
            raise Unsound(
                f"The paths of the checkout's files take more than {MAX_PATHS_BYTES >> 20} MiB together. Remove files, "
                "or put them in folders that are less deep."
            )

    def _link(self, path: str, name: str) -> None:
        """Write another name of a file that was written before."""
        first = _sound_path(name)
        if first not in self._files:
            raise Unsound(f"{name} is a link to a file that is not in the checkout. Remove it.")
        self._spend(os.stat(self._place(first)).st_size)
        shutil.copy2(self._place(first), self._place(path), follow_symlinks=False)
        self._files.add(path)

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        self._spend(member.size)
        source = archive.extractfile(member)
        assert source is not None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        mode = 0o755 if member.mode & 0o100 else 0o644
        with os.fdopen(os.open(self._place(path), flags, mode), "wb") as file:
            shutil.copyfileobj(source, file, COPY_BYTES)
        self._files.add(path)

    def _spend(self, size: int) -> None:
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise Unsound("The builder's files take more room than a checkout may take.")


def take_out(room: Sandbox, target: Path, max_bytes: int, stop: Event | None = None) -> list[str]:
    """Copy the checkout's files, without any `.git`, into `target`, a new folder that only we can reach.

    Return the folders below the checkout that are repositories of their own. It ends soon after `stop` is set.

    Raises:
        Unsound: a file cannot be read by the builder itself, is nothing that a commit may hold, or passes a bound.
        OSError: this machine lacks something that passes, such as room on its disk.
    """
    target.mkdir(mode=0o700)
    ends_at = time.monotonic() + TIMEOUT_S
    with _reading(room, stop or Event()) as (process, output):
        try:
            repositories = copy_stream(output, target, max_bytes, ends_at)
        except (tarfile.TarError, OSError, ValueError) as error:
            if isinstance(error, OSError) and as_transient(error):
                raise  # our own disk is full, or the like: the builder can do nothing about it
            if process.poll() not in (None, 0):
                raise _unread(process) from error
            raise Unsound(f"The checkout could not be read: {type(error).__name__}.") from error
        process.wait(TIMEOUT_S)
        if process.returncode:
            raise _unread(process)
    return repositories


def copy_stream(archive: IO[bytes], target: Path, max_bytes: int, ends_at: float = math.inf) -> list[str]:
    """Write what a tar archive holds below `target`; return the folders that are repositories of their own.

    The time is linear in the archive. `ends_at` is a time of the monotonic clock, in seconds.

    Raises:
        Unsound: as `take_out`, where the archive would have us leave `target`, or at `ends_at`.
        TarError, OSError, ValueError: it cannot be read or written.
    """
    copy = _Copy(target, max_bytes, ends_at)
    with tarfile.open(fileobj=archive, mode="r|", errorlevel=2) as members:
        for member in members:
            members.members = []  # type: ignore[attr-defined]  # of a stream, nothing is looked up again
            copy.take(members, member)
    while archive.read(COPY_BYTES):
        pass  # what pads the archive
    return sorted(copy.repositories)


@contextlib.contextmanager
def _reading(room: Sandbox, stop: Event) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Run tar as the builder, in its confinement; at the end of the block nothing of it is left."""
    with subprocess.Popen(
        room.command(list(_TAR)),
        cwd=room.work,
        env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        user=room.uid,
        group=room.uid,
        extra_groups=None if room.uid is None else [],
    ) as process:
        watcher = Thread(target=_kill_at, args=(process, stop))
        watcher.start()
        try:
            assert process.stdout is not None
            yield process, process.stdout
        finally:
            stop.set()
            watcher.join()


def _kill_at(process: subprocess.Popen[bytes], stop: Event) -> None:
    """End the process once `stop` is set, or after the longest time."""
    stop.wait(TIMEOUT_S)
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def _unread(process: subprocess.Popen[bytes]) -> Unsound:
    """Return what tar said: which file the builder itself cannot read."""
    process.wait(TIMEOUT_S)
    assert process.stderr is not None
    lines = process.stderr.read(MAX_ERROR_BYTES).decode("utf-8", "replace").splitlines()
    first = lines[0].removeprefix("tar: ").removeprefix("./") if lines else "it took too long"
    return Unsound(f"The checkout cannot be read whole: {first}. Make it readable, or remove it.")


def _changed(path: str) -> Unsound:
    return Unsound(f"{path} was changed while the checkout was read.")


def _sound_path(name: str) -> str:
    """Return the path below the checkout, '' for the checkout itself.

    Raises:
        Unsound: it leads out of the checkout, or is too deep.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise Unsound(f"{name} leads out of the checkout. Remove it.")
    if len(parts) > MAX_DEPTH or len(os.fsencode(name)) > MAX_PATH_BYTES:
        shown = os.fsencode(name)[:200].decode("utf-8", "replace")
        raise Unsound(
            f"The path {shown}… is too long or deep: at most {MAX_DEPTH} folders and {MAX_PATH_BYTES:,} bytes."
        )
    return "/".join(parts)


def _repository_around(path: str) -> str | None:
    """Return the folder of whose `.git` the path is a part, `.` for the checkout; None where it is part of none."""
    if ".git" not in (lower := path.lower()):
        return None
    parts = lower.split("/")
    return "/".join(path.split("/")[: parts.index(".git")]) or "." if ".git" in parts else None
