"""A place of a fixed size for what a builder writes: a file system in a file, mounted where root may.

Whatever the builder does, it takes no more of the machine's disk than that; and at the end the file goes, so that
nobody with more rights than the builder walks through what it left.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from forgeguard_app.builders.probing import once_it_works
from forgeguard_app.errors import RetryLater

TIMEOUT_S = 60.0
LEAST_BYTES = 32 << 20
OVERHEAD = 1.15  # what the file system needs for itself, so that the bound of a checkout is reached first
BYTES_PER_INODE = 8_192
LEAST_FREE_BYTES = 256 << 20  # of the machine's disk beside what is kept, without which no builder is started
KEPT_SHARE, KEPT_BYTES = 0.025, 1 << 30  # of the machine's disk for others, the smaller of both
FULL_BYTES = 64 << 20
_MAKE = (
    "mkfs.ext4",
    "-q",
    "-F",
    "-m",
    "0",
    "-O",
    "^has_journal",
    "-E",
    "nodiscard,root_owner=0:0",
    "-i",
    str(BYTES_PER_INODE),
)
_OPTIONS = "loop,nosuid,nodev,noinit_itable"  # noinit_itable: the tables are not written before they are used
_PATH = f"{os.defpath}:/usr/sbin:/sbin"


def refuse_full_disk(folder: Path) -> None:
    """Refuse to start where the disk has no room for what a builder writes.

    Raises:
        RetryLater: as it says; an attempt is not lost for it.
    """
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES + kept_bytes(folder):
        raise RetryLater(f"this machine's disk has {free >> 20} MB left, too little for a build")


def kept_bytes(folder: Path) -> int:
    """Return how much of the disk is kept from builders: what a database and mirrors need to go on."""
    return min(int(shutil.disk_usage(folder).total * KEPT_SHARE), KEPT_BYTES)


def is_nearly_full(folder: Path) -> bool:
    """Return whether the disk has less left than is kept from builders."""
    return shutil.disk_usage(folder).free < kept_bytes(folder)


def is_full(folder: Path) -> bool:
    """Return whether the disk has no room left for what we write beside a builder. Words of git are no proof of it."""
    return shutil.disk_usage(folder).free < FULL_BYTES


def mount_sized(folder: Path, most_bytes: int) -> bool:
    """Make the folder a place of about that size; False where this machine does not let us."""
    return can_mount() and _mount(folder, most_bytes)


def unmount(folder: Path) -> None:
    """Take the place away with all that is in it; nothing happens where there is none."""
    for _ in range(8):  # a worker that was killed between two mounts may have left more than one
        if not os.path.ismount(folder):
            break
        if not _run("umount", str(folder)):
            _run("umount", "--lazy", str(folder))
    with contextlib.suppress(FileNotFoundError):
        _image(folder).unlink()


@once_it_works
def can_mount() -> bool:
    """Return whether places of a size can be made here; containers often forbid it."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4", path=_PATH) is None:
        return False
    with tempfile.TemporaryDirectory(prefix="forgeguard-place-") as name:
        folder = Path(name) / "place"
        try:
            return _mount(folder, LEAST_BYTES)
        finally:
            unmount(folder)


def _mount(folder: Path, most_bytes: int) -> bool:
    image = _image(folder)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o711)
    descriptor = os.open(image, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, max(int(most_bytes * OVERHEAD), LEAST_BYTES))
    finally:
        os.close(descriptor)
    if _run(*_MAKE, str(image)) and _run("mount", "-o", _OPTIONS, str(image), str(folder)):
        folder.chmod(0o711)
        return True
    unmount(folder)
    return False


def _image(folder: Path) -> Path:
    return folder.with_suffix(".img")


def _run(*command: str) -> bool:
    try:
        done = subprocess.run(
            command,
            env={"PATH": _PATH, "LANG": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
