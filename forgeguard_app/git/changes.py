"""Reads what a commit of a build changed: paths, modes, differences and links."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from forgeguard_app.git.blobs import read_blobs
from forgeguard_app.git.command import GitRepository
from forgeguard_app.git.listing import split_fields
from forgeguard_app.threads import in_thread

LINK_MODE = "120000"
MAX_TARGET_BYTES = 4_096


async def list_touched(repository: GitRepository, parent: str, commit: str) -> list[str]:
    """Return the paths that the commit adds, changes or deletes; of a rename both."""
    out = await repository.run("diff-tree", "-r", "-z", "--no-renames", "--name-only", parent, commit)
    return await in_thread(split_fields, out, "replace")


@dataclass(frozen=True, slots=True)
class RawChange:
    """One file's change between two commits: `mode` and `blob` are the new ones, zeros where it was deleted.

    `before` is the old mode and blob, zeros where it was added.
    """

    path: str  # as git has it, what is no UTF-8 in surrogates
    kind: str  # added, changed or deleted
    mode: str
    blob: str
    before: str

    @property
    def key(self) -> str:
        """Return a name of this change of this path, from its old content to its new one."""
        return hashlib.sha256(f"{self.before} {self.mode} {self.blob} ".encode() + os.fsencode(self.path)).hexdigest()


async def list_raw_changes(repository: GitRepository, parent: str, commit: str) -> list[RawChange]:
    """Return the files that the commit adds, changes or deletes; of a rename both."""
    out = await repository.run("diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", parent, commit)
    return await in_thread(_raw_changes, out)


def _raw_changes(out: bytes) -> list[RawChange]:
    fields = split_fields(out)
    kinds = {"A": "added", "D": "deleted"}
    found = []
    for described, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, mode, old_blob, blob, status = described.split()
        before = f"{old_mode.removeprefix(':')} {old_blob}"
        found.append(RawChange(path, kinds.get(status, "changed"), mode, blob, before))
    return found


async def hash_blob(repository: GitRepository, data: bytes) -> str:
    """Return the id that a file of this content has in the repository, without storing it."""
    return (await repository.run("hash-object", "--stdin", stdin=data)).decode().strip()


async def read_difference(repository: GitRepository, parent: str, commit: str, path: str, max_bytes: int) -> str | None:
    """Return how one file's mode and text changed, as git shows it; None where it is no text.

    Raises:
        GitTooLarge: it is longer than `max_bytes`.
    """
    out = await repository.run(
        "diff-tree",
        "-p",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
        parent,
        commit,
        "--",
        f":(top,literal){path}",
        max_bytes=max_bytes,
    )
    return await in_thread(lambda: _shown_difference(out.decode("utf-8", "replace").split("\n")))


def _shown_difference(lines: Sequence[str]) -> str | None:
    """Return modes and hunks without git's other lines; a change of a file's type is a deletion and an addition."""
    kept: list[str] = []
    in_header = True
    for line in lines:
        if line.startswith("diff --git "):
            in_header = True
        elif line.startswith("@@"):
            in_header = False
        if not in_header:
            kept.append(line)
        elif line.startswith("Binary files "):
            return None
        elif line.startswith(("old mode ", "new mode ", "new file mode ", "deleted file mode ")):
            kept.append(line)
    return "\n".join(kept).rstrip("\n")


async def list_changed(repository: GitRepository, parent: str, commit: str) -> list[str]:
    """Return the paths that the commit adds or changes."""
    out = await repository.run(
        "diff-tree", "-r", "-z", "--no-renames", "--name-only", "--diff-filter=AMT", parent, commit
    )
    return await in_thread(split_fields, out)


async def list_links_out(repository: GitRepository, parent: str, commit: str) -> list[str]:
    """Return the symbolic links that the commit adds or changes and that lead out of the repository."""
    out = await repository.run(
        "diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", "--diff-filter=AMT", parent, commit
    )
    links = await in_thread(_links, out)
    targets = await read_blobs(repository, links.values(), MAX_TARGET_BYTES)
    return [path for path, blob in links.items() if _leads_out(path, targets.data.get(blob))]


def _links(out: bytes) -> dict[str, str]:
    """Return the blobs of the symbolic links by path."""
    fields = split_fields(out)
    links: dict[str, str] = {}
    for described, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, blob, _ = described.split()
        if mode == LINK_MODE:
            links[path] = blob
    return links


def _leads_out(path: str, target: bytes | None) -> bool:
    """Return whether a link may lead out of the repository; one whose target is too long to be a path counts too.

    The folders above a link are no links, so that `..` at a target's beginning means what it says. After a name it may
    not: the name may be a link to another depth, on some file systems also in other letters (`X` for `x`). So a target
    that goes up after a name counts as leading out. All other targets only descend from where they went up to, and
    each link on their way is held to the same.
    """
    if target is None:
        return True
    parts = [part for part in os.fsdecode(target).split("/") if part not in ("", ".")]
    ups = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    return os.path.isabs(target) or ".." in parts[ups:] or ups > path.count("/")
