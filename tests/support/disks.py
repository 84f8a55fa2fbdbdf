"""A disk that is full, or soon is."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of so many megabytes at the folder, which only root makes."""
    folder.mkdir(exist_ok=True, mode=0o711)
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=711", "none", str(folder))
    try:
        yield folder
    finally:
        _run("umount", "--lazy", str(folder))


def enlarge(folder: Path, megabytes: int) -> None:
    """Give the file system more room."""
    _run("mount", "-o", f"remount,size={megabytes}m", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=20)
