"""Removal of what a killed git leaves in a bare repository: its locks, and files that it had not finished."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

_UNFINISHED = "tmp_"  # packs, indexes, objects; https://git-scm.com/docs/gitrepository-layout names the finished ones


def remove_leftovers(folder: Path) -> None:
    """Remove the locks and unfinished files of earlier git processes. The caller holds the repository, and no git
    works in it.

    No ref ends in `.lock`: https://git-scm.com/docs/git-check-ref-format
    """
    for here, folders, files in os.walk(folder):
        for name in folders:
            if name.startswith(_UNFINISHED):
                shutil.rmtree(os.path.join(here, name), ignore_errors=True)
        for name in _leftovers(files):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(here, name))


def _leftovers(files: Iterable[str]) -> Iterator[str]:
    """Yield the names of locks, of temporary files, and of parts of packs that have no index, which git never reads."""
    names = set(files)
    for name in names:
        is_part = name.startswith("pack-") and f"{name.partition('.')[0]}.idx" not in names
        if name.endswith(".lock") or name.startswith(_UNFINISHED) or is_part:
            yield name
