"""Files of a folder as a commit of a view, so that they are read as any other commit."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from forgeguard_app.git.checkout import Checkout
from forgeguard_app.git.command import GitRepository

MAX_FILES = 100_000
MAX_BYTES = 1 << 30
MAX_FILE_BYTES = 100 << 20
_BATCH_BYTES = 32 << 20
_BRANCH = "refs/heads/forgeguard"
_HEADER = b"commit %b\ncommitter ForgeGuard <forgeguard@users.noreply.github.com> 0 +0000\ndata 0\n"


@dataclass
class SkippedFiles:
    """Files that were not read from a folder, with the reason."""

    large: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    beyond: int = 0

    def sentences(self) -> tuple[str, ...]:
        """Return one sentence for each reason."""
        sentences = []
        if self.large:
            sentences.append(f"Larger than {MAX_FILE_BYTES >> 20} MB: {_listed(self.large)}.")
        if self.unreadable:
            sentences.append(f"Cannot be read: {_listed(self.unreadable)}.")
        if self.beyond:
            sentences.append(f"{self.beyond:,} files beyond the first {MAX_FILES:,} files or {MAX_BYTES >> 30} GB.")
        return tuple(sentences)


async def commit_folder(view: GitRepository, folder: Path, names: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Return a commit in the view of the named regular files of the folder, and sentences on what was left out.

    Symbolic links are not followed, and what git itself takes for a repository's own folder is passed over.
    """
    left_out = SkippedFiles()
    batch: list[bytes] = []
    size = total = files = 0
    await view.run("fast-import", "--quiet", stdin=_header(first=True))
    for name in names:
        if files >= MAX_FILES or total >= MAX_BYTES:
            left_out.beyond += 1
            continue
        data = _read(folder, name, left_out)
        if data is None:
            continue
        files, total, size = files + 1, total + len(data), size + len(data)
        batch.append(b"M 100644 inline %b\ndata %d\n%b\n" % (_quoted(name), len(data), data))
        if size >= _BATCH_BYTES:
            await view.run("fast-import", "--quiet", stdin=_header() + b"".join(batch))
            batch, size = [], 0
    await view.run("fast-import", "--quiet", stdin=_header() + b"".join(batch))
    out = await view.run("rev-parse", "--verify", _BRANCH)
    return out.decode("ascii").strip(), left_out.sentences()


def list_files(folder: Path) -> Iterator[str]:
    """Yield every file below the folder, by path, and with a '/' at its end each folder that cannot be listed.

    Links are not followed.
    """
    lost: list[str] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: lost.append(error.filename)):
        folders[:] = sorted(name for name in folders if not _is_gits(name))
        inside = os.path.relpath(parent, folder)
        for name in sorted(files):
            if not _is_gits(name):
                yield name if inside == "." else os.path.join(inside, name)
    yield from (f"{os.path.relpath(path, folder)}/" for path in lost)


async def list_work_tree(checkout: Checkout) -> list[str]:
    """Return the files of the work tree that git tracks or would add."""
    out = await checkout.run_in_work_tree("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return sorted({os.fsdecode(name) for name in out.split(b"\0") if name})


def _header(*, first: bool = False) -> bytes:
    return _HEADER % _BRANCH.encode() + (b"" if first else b"from %b^0\n" % _BRANCH.encode())


def _read(folder: Path, name: str, left_out: SkippedFiles) -> bytes | None:
    if name.endswith("/"):
        left_out.unreadable.append(name)
        return None
    path = folder / name
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            return None
        if found.st_size > MAX_FILE_BYTES:
            left_out.large.append(name)
            return None
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError:
        left_out.unreadable.append(name)
        return None


def _is_gits(name: str) -> bool:
    """Return whether git refuses the name in a tree: its own folder, also as other file systems spell it."""
    return name.casefold().rstrip(" .") in (".git", "git~1")


def _quoted(name: str) -> bytes:
    raw = os.fsencode(name)
    return b'"' + b"".join(bytes([c]) if 32 <= c < 127 and c not in b'"\\' else b"\\%03o" % c for c in raw) + b'"'


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:5]) + (" and others" if len(names) > 5 else "")
