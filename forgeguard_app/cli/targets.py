"""Resolves the command line's arguments: which repository or folder to audit, and which files of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forgeguard_app.audit.plain_text import escaped
from forgeguard_app.audit.scope import EVERYWHERE, Scope
from forgeguard_app.errors import UserError
from forgeguard_app.git.locate import Location, locate


@dataclass(frozen=True, slots=True)
class Target:
    """A repository, or a folder without one (`location` None). `missing` are named paths that do not exist on disk."""

    location: Location | None
    folder: Path
    scope: Scope
    missing: tuple[str, ...] = ()


def find_target(paths: Sequence[str], files: Sequence[str]) -> Target:
    """Return what PATH and FILE… mean. Several paths are taken for files, as the pre-commit framework passes them.

    Raises:
        UserError: a path lies outside the repository, or in none and does not exist.
    """
    here = _here()
    path = _plain(paths[0]) if len(paths) == 1 else None
    names = [*(paths if len(paths) > 1 else ()), *files]
    location = locate(_existing(path) if path is not None else None, os.environ)
    if location is None and path is not None and path.is_symlink():
        path = _real(path)  # a link that no repository holds stands for what it leads to
        location = locate(_existing(path), os.environ)
    root = location.work_tree or location.git_folder if location is not None else None
    if root is None:
        if path is not None and not os.path.lexists(path):
            raise UserError(f"{escaped(str(path))} does not exist")
        folder = path if path is not None and path.is_dir() else path.parent if path is not None else here
        root = folder.resolve()
    if location is not None and location.work_tree is None and path is not None:
        path = None  # a bare repository is named, not a part of one
    named = [_inside(_plain(name), name, root) for name in names] or ([_inside(path, paths[0], root)] if path else [""])
    missing = (paths[0],) if path is not None and not os.path.lexists(path) else ()
    return Target(location, root, Scope(frozenset(named)) if "" not in named else EVERYWHERE, missing)


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UserError("the current folder does not exist any more: change to another one") from error


def _plain(name: str) -> Path:
    """Return the path without `..`; links on the way are followed, a link at its end is what git knows, and is not."""
    if not name:
        raise UserError("a path is empty")
    if "\0" in name:
        raise UserError(f"{name!r} is no path")
    path = Path(os.path.abspath(name))
    try:
        path.is_dir()
        return path.parent.resolve() / path.name
    except (OSError, RuntimeError) as error:
        raise UserError(f"{escaped(name[:200])} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _existing(path: Path) -> Path:
    """Return the nearest folder above a path, or it itself: a deleted file lies in a repository too."""
    folder = path if path.is_dir() and not path.is_symlink() else path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _inside(path: Path, name: str, root: Path) -> str:
    for candidate in (path, _real(path)):
        if candidate.is_relative_to(root):
            inside = str(candidate.relative_to(root))
            return "" if inside == "." else inside
    raise UserError(f"{escaped(name)} lies outside of {escaped(str(root))}: name paths inside it")


def _real(path: Path) -> Path:
    """Return the path that links lead to; unlike Path.resolve it takes a link that leads to itself as it is."""
    return Path(os.path.realpath(path))
