"""Finds the repository that a path means on a person's machine, as git itself would, with git's own variables."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forgeguard_app.errors import UserError

MAX_POINTER_CHARS = 10_000
_FOLDERS = ("GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")


@dataclass(frozen=True)
class Location:
    """The location of a repository: its git folder, work tree (None where it has none), index and git's variables on
    it.
    """

    git_folder: Path
    work_tree: Path | None
    index: Path
    environment: Mapping[str, str] = field(default_factory=dict)


def locate(path: Path | None, variables: Mapping[str, str]) -> Location | None:
    """Return the repository that the path lies in, or without a path the one of the current folder.

    `variables` is the environment: in a hook, GIT_DIR, GIT_WORK_TREE and GIT_INDEX_FILE say what git is about to
    commit. They count unless the path lies in another repository than they speak of.
    """
    here = _named(variables) or _found(Path.cwd())
    found = _found(path) if path is not None else here
    if here is not None and "GIT_DIR" in variables and path is not None and not _is_nested(found, here):
        found = here if here.work_tree is None or _real(path).is_relative_to(here.work_tree) else found
    if found is None:
        return None
    is_here = here is not None and found.git_folder == here.git_folder
    index = _index(found, here, variables)
    return Location(found.git_folder, found.work_tree, index, _kept(variables) if is_here else {})


def _named(variables: Mapping[str, str]) -> Location | None:
    if not variables.get("GIT_DIR"):
        return None
    folder = _real(variables["GIT_DIR"])
    if not (folder / "HEAD").exists():
        raise UserError(f"GIT_DIR is {variables['GIT_DIR']!r}, which is not a git folder: unset it or correct it")
    return Location(folder, _work_tree_of(folder, variables), folder / "index")


def _work_tree_of(folder: Path, variables: Mapping[str, str]) -> Path | None:
    """With GIT_DIR alone the current folder is the work tree, unless it is the git folder itself."""
    if variables.get("GIT_WORK_TREE"):
        return _real(variables["GIT_WORK_TREE"])
    here = _real(Path.cwd())
    return None if here.is_relative_to(folder) else here


def _found(path: Path) -> Location | None:
    start = _real(path)
    for folder in (start, *start.parents):
        dot = folder / ".git"
        if (dot / "HEAD").exists():
            return Location(dot, folder, dot / "index")
        if dot.is_file():
            git_folder = _pointed_to(dot)
            return Location(git_folder, folder, git_folder / "index")
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
            return Location(folder, None, folder / "index")
    return None


def _pointed_to(dot: Path) -> Path:
    """Return the git folder that a `.git` file names."""
    with dot.open(encoding="utf-8", errors="surrogateescape") as file:
        named = file.read(MAX_POINTER_CHARS).removeprefix("gitdir:").strip()
    if "\0" in named:
        raise UserError(f"{dot} does not name a git folder: run `git worktree repair`")
    target = dot.parent / named
    git_folder = _real(target)
    if not (git_folder / "HEAD").exists():
        raise UserError(f"{dot} points to {target}, which is not a git folder: run `git worktree repair`")
    return git_folder


def _real(path: Path | str) -> Path:
    """Return the absolute path, links followed; unlike Path.resolve it takes a link that leads to itself as it is."""
    return Path(os.path.realpath(path))


def _is_nested(found: Location | None, here: Location) -> bool:
    """Return whether the path lies in a repository of its own below the one that the variables name."""
    if found is None or found.git_folder == here.git_folder or found.work_tree is None or here.work_tree is None:
        return False
    return found.work_tree != here.work_tree and found.work_tree.is_relative_to(here.work_tree)


def _index(found: Location, here: Location | None, variables: Mapping[str, str]) -> Path:
    """GIT_INDEX_FILE, unless it is another repository's; a relative one counts from the top of the work tree."""
    named = variables.get("GIT_INDEX_FILE")
    if not named:
        return found.index
    top = found.work_tree or found.git_folder
    if here is None or found.git_folder == here.git_folder:
        return top / named
    if not Path(named).is_absolute() or _real(named).is_relative_to(here.git_folder):
        return found.index
    return Path(named)


def _kept(variables: Mapping[str, str]) -> dict[str, str]:
    """Return git's variables on where objects lie, with absolute paths."""
    kept = {name: str(_real(variables[name])) for name in _FOLDERS if variables.get(name)}
    if variables.get("GIT_ALTERNATE_OBJECT_DIRECTORIES"):
        kept["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = _absolute(variables["GIT_ALTERNATE_OBJECT_DIRECTORIES"])
    return kept


def _absolute(folders: str) -> str:
    """Absolute paths of a list separated by colons; quoted ones stay as they are."""
    return ":".join(part if part.startswith('"') else str(_real(part)) for part in folders.split(":") if part)
