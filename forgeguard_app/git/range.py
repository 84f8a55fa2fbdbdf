"""What lies between two commits: their merge base, the commits, the changed paths, the added lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from forgeguard_app.git.blobs import path_text
from forgeguard_app.git.command import EMPTY_TREE, GitError, GitTooLarge, Repository
from forgeguard_app.git.patches import Added, read_patch

MAX_COMMITS = 5_000
MAX_PATCH_BYTES = 128 << 20
_PATCH = (
    "-p",
    "-U0",
    "-M",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-indent-heuristic",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


@dataclass(frozen=True, slots=True)
class PathChange:
    """One changed regular file; `old_path` and `old_blob` are '' where it is new, `blob` is '' where it is gone."""

    path: str
    blob: str
    old_path: str
    old_blob: str


def is_sha(text: str) -> bool:
    """Whether the text is a full object id and no option, path or other revision."""
    return _SHA.match(text) is not None


async def has_commit(repository: Repository, sha: str) -> bool:
    """Whether the commit is there; never fetches it."""
    try:
        await repository.run("cat-file", "-e", f"{sha}^{{commit}}")
    except GitError:
        return False
    return True


async def resolve(repository: Repository, revision: str) -> str | None:
    """The commit that a revision of the person's means; None where there is none."""
    try:
        out = await repository.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except GitError:
        return None
    return out.decode("ascii", "replace").strip() or None


async def merge_base(repository: Repository, one: str, other: str) -> str | None:
    """The best common ancestor; None where the histories have none."""
    try:
        out = await repository.run("merge-base", one, other)
    except GitError as error:
        if error.status == 1:
            return None
        raise
    return out.decode("ascii").split("\n", 1)[0].strip() or None


async def first_parent(repository: Repository, commit: str) -> str | None:
    """The commit's first parent; None for a root, or where a shallow clone ends."""
    return await resolve(repository, f"{commit}^1")


async def list_commits(repository: Repository, base: str, head: str, limit: int = MAX_COMMITS) -> list[str]:
    """The commits that head has and base has not, newest first, at most `limit`."""
    excluded = () if base == EMPTY_TREE else (f"^{base}",)
    out = await repository.run("rev-list", f"--max-count={limit}", head, *excluded)
    return out.decode("ascii").split()


async def list_changes(repository: Repository, base: str, head: str | None) -> list[PathChange]:
    """The files that differ, renames followed; with `head` None between base and the index."""
    arguments: Sequence[str] = ("diff-tree", "-r", "-z", "-M", "--raw", "--no-abbrev", base, head) if head else (
        "diff-index", "--cached", "-z", "-M", "--raw", "--no-abbrev", base
    )  # fmt: skip
    out = await repository.run(*arguments)
    fields = out.split(b"\0")
    changes: list[PathChange] = []
    at = 0
    while at + 1 < len(fields):
        old_mode, mode, old_blob, blob, status = fields[at].decode("ascii").removeprefix(":").split(" ")
        old_path = path_text(fields[at + 1])
        path = old_path
        at += 2
        if status[:1] in ("R", "C"):
            path = path_text(fields[at])
            at += 1
        was, is_now = old_mode.startswith("100"), mode.startswith("100")
        if was or is_now:
            changes.append(PathChange(path, blob if is_now else "", old_path if was else "", old_blob if was else ""))
    return changes


async def touched_blobs(repository: Repository, base: str, head: str) -> set[str]:
    """The blobs on either side of every change that the commits between base and head made, the whole change's too."""
    excluded = () if base == EMPTY_TREE else (f"^{base}",)
    each = await repository.run(
        "log",
        "-m",
        "--root",
        "--raw",
        "--no-renames",
        "--no-abbrev",
        "--format=",
        f"--max-count={MAX_COMMITS}",
        head,
        *excluded,
    )
    whole = await repository.run("diff-tree", "-r", "--raw", "--no-renames", "--no-abbrev", base, head)
    found: set[str] = set()
    for line in (each + whole).decode("ascii", "replace").splitlines():
        fields = line.split(" ")
        if line.startswith(":") and len(fields) > 4:
            found.update(
                blob
                for mode, blob in ((fields[0][1:], fields[2]), (fields[1], fields[3]))
                if mode.startswith("100") and is_sha(blob)
            )
    return found


async def added_lines(repository: Repository, base: str, head: str | None) -> tuple[Added, ...]:
    """The lines that head has and base has not, by git's diff; with `head` None those of the index."""
    arguments = ("diff-tree", "-r", *_PATCH, base, head) if head else ("diff-index", "--cached", *_PATCH, base)
    try:
        return tuple(read_patch(await repository.run(*arguments, max_bytes=MAX_PATCH_BYTES)))
    except GitTooLarge:
        return ()


@dataclass(frozen=True, slots=True)
class RangeLines:
    """The lines added by each commit of a range; `left_out` counts the commits that were too many or too large."""

    added: tuple[Added, ...]
    commits: int
    left_out: int = 0


async def lines_of_range(repository: Repository, base: str, head: str) -> RangeLines:
    """The lines that any commit of base..head adds; of a merge those that stand in no parent."""
    commits = await list_commits(repository, base, head)
    added: list[Added] = []
    left_out = 0
    for start in range(0, len(commits), 500):
        some = commits[start : start + 500]
        try:
            added.extend(await _lines_of(repository, some))
        except GitTooLarge:
            for commit in some:
                try:
                    added.extend(await _lines_of(repository, [commit]))
                except GitTooLarge:
                    left_out += 1
    return RangeLines(tuple(added), len(commits), left_out)


async def _lines_of(repository: Repository, commits: Sequence[str]) -> list[Added]:
    out = await repository.run(
        "log", "--no-walk=unsorted", "--stdin", "--format=%x00%H", "--cc", "--root", *_PATCH,
        stdin="\n".join(commits).encode("ascii") + b"\n",
        max_bytes=MAX_PATCH_BYTES,
    )  # fmt: skip
    return list(read_patch(out))
