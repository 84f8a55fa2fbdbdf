"""The repository in which a build's commits are made: ours alone, shallow, on this machine until the build's end."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path

from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.git.blobs import read_tree
from forgeguard_app.git.branches import HistoryRewritten, push
from forgeguard_app.git.command import GitError, GitRepository, GitTimeout, GitTooLarge, authorization
from forgeguard_app.git.leftovers import remove_leftovers
from forgeguard_app.git.listing import MAX_FILES, TooManyFiles, read_listing
from forgeguard_app.git.mirror import FETCH_TIMEOUT_S, MAX_BYTES, Remote, fetch_within, meaning_of
from forgeguard_app.git.range import has_commit

ATTRIBUTES = "* -text -eol -crlf -working-tree-encoding -filter -ident\n"
# Commits of a rewritten history, among which one is looked for that is still on a branch; a server takes whole
# histories too.
REWRITTEN_DEPTHS = (100, 100_000)
FILE_BYTES = 4_096  # that a file takes at the least in most file systems


async def open_build_repository(
    folder: Path, remote: Remote, commits: Iterable[str], max_bytes: int = MAX_BYTES
) -> GitRepository:
    """Return the repository with these commits and all their files, made or completed as needed.

    Raises:
        CommitGone: a commit is not in the repository.
        RepositoryGone: the repository is not there, or the token does not open it.
        RepositoryTooLarge: it takes more than `max_bytes`; it was removed.
        RetryLater: the network or the other side failed.
    """
    repository = GitRepository(folder)
    await asyncio.to_thread(remove_leftovers, folder)
    if not await _is_whole(repository):
        # A git that was killed while it made the repository left a part of it.
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await repository.run("init", "--quiet", "--bare", "--template=", str(folder))
    await asyncio.to_thread(_ignore_attributes, folder)
    missing = [commit for commit in commits if not await has_commit(repository, commit)]
    if missing:
        await _fetch(repository, remote, missing, 1, max_bytes)
    return repository


async def _is_whole(repository: GitRepository) -> bool:
    if not (repository.folder / "HEAD").exists():
        return False
    try:
        await repository.run("rev-parse", "--git-dir")
    except GitTimeout as error:
        raise RetryLater(str(error)) from error
    except GitError:
        return False
    return True


def _ignore_attributes(folder: Path) -> None:
    """Let no attribute of a tree change what is stored: a commit holds the bytes of the files as they are.

    This file outranks every .gitattributes: https://git-scm.com/docs/gitattributes
    """
    place = folder / "info"
    place.mkdir(exist_ok=True)
    (place / "attributes").write_text(ATTRIBUTES, "utf-8")


async def drop_unused(repository: GitRepository, kept: Iterable[str]) -> None:
    """Delete the objects that none of these commits needs, such as those of failed attempts."""
    await repository.run("prune", "--expire=now", *kept, timeout_s=FETCH_TIMEOUT_S)


async def push_phase(
    repository: GitRepository, remote: Remote, commit: str, branch: str, head: str | None, base: str
) -> None:
    """Push the commit as `push` does, also where `base` was amended away from its branch since the build began.

    A server takes no push from a shallow repository whose last commit is on none of its branches; its ancestors often
    are.

    Raises:
        whatever `push` raises, and CommitGone where the server no longer has `base`.
    """
    for depth in REWRITTEN_DEPTHS:
        try:
            return await push(repository, remote, commit, branch, head)
        except HistoryRewritten:
            await _fetch(repository, remote, [base], depth, MAX_BYTES)
    await push(repository, remote, commit, branch, head)


async def _fetch(repository: GitRepository, remote: Remote, commits: Iterable[str], depth: int, max_bytes: int) -> None:
    environment = authorization(remote.url, remote.token) if remote.token else {}
    try:
        await fetch_within(
            repository.folder,
            max_bytes,
            repository.run(
                "fetch",
                "--quiet",
                f"--depth={depth}",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
                remote.url,
                *(f"+{commit}:refs/forgeguard/{commit}" for commit in commits),
                timeout_s=FETCH_TIMEOUT_S,
                environment=environment,
            ),
        )
    except GitTimeout as error:
        raise RetryLater(str(error)) from error
    except GitError as error:
        raise meaning_of(error) from error


class _Sizes:
    """Adds up what the files take, and counts them."""

    def __init__(self) -> None:
        self.number = self.bytes = 0

    def take(self, entries: list[bytes]) -> None:
        sizes = [size for entry in entries if (size := entry.split(b"\t", 1)[0].split()[-1]).isdigit()]
        self.bytes += sum(max(int(size), FILE_BYTES) for size in sizes)
        self.number += len(entries)
        if self.number > MAX_FILES:
            raise TooManyFiles(("ls-tree",), -1, f"more than {MAX_FILES} files")


async def get_files_size(repository: GitRepository, commit: str) -> int:
    """Return how many bytes the commit's files take where they are checked out, 4,096 at the least for each.

    Raises:
        UserError: it holds more files than are read.
    """
    sizes = _Sizes()
    try:
        await read_listing(repository, ("ls-tree", "-r", "-l", "-z", commit), sizes.take)
    except GitTooLarge as error:
        raise UserError(error.reason) from error
    return sizes.bytes


async def has_same_tree(repository: GitRepository, first: str, second: str) -> bool:
    """Return whether two commits hold the same files."""
    trees = [await repository.run("rev-parse", f"{commit}^{{tree}}") for commit in (first, second)]
    return trees[0] == trees[1]


async def list_paths(repository: GitRepository, commit: str) -> set[str]:
    """Return the path of every file and link.

    Raises:
        UserError: the commit holds more of them than are read.
    """
    try:
        files = await read_tree(repository, commit)
    except GitTooLarge as error:
        raise UserError(error.reason) from error
    return {*files, *files.links}
