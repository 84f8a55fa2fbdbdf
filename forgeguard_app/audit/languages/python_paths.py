"""Paths and dotted names of Python modules."""

from __future__ import annotations

from collections.abc import Iterator

_ENTRY_BYTES = 500
MAX_DEPTH = 100  # folders in one another that are searched; each costs the length of its path


def with_parents(module: str) -> Iterator[str]:
    """Yield the module and those above it; of a long name the first parts alone, below which no folder is searched."""
    parts = module.split(".", MAX_DEPTH)[:MAX_DEPTH]
    for size in range(len(parts), 0, -1):
        yield ".".join(parts[:size])


def is_package(file: str) -> bool:
    """Return whether the file is a package's own."""
    return file.rpartition("/")[2].startswith("__init__.")


def joined(folder: str, name: str) -> str:
    """Return the path of a name in a folder, '' being the root."""
    return f"{folder}/{name}" if folder else name


def folder_above(path: str, level: int) -> str:
    """Return the folder that a relative import with so many dots counts from."""
    for _ in range(level):
        path = path.rpartition("/")[0]
    return path


class Remembering:
    """Says about what an object's mappings take in memory: names and paths of some hundred characters."""

    @property
    def bytes(self) -> int:
        """About how many bytes they take."""
        return _ENTRY_BYTES * sum(len(part) for part in vars(self).values() if isinstance(part, dict))
