"""Commits of ours, made without a work tree or from one that a stranger wrote, and pushed to a branch of ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path

from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.git.blobs import read_tree
from forgeguard_app.git.changes import hash_blob
from forgeguard_app.git.command import GitError, GitRepository, GitTimeout, authorization
from forgeguard_app.git.listing import split_fields
from forgeguard_app.git.mirror import Remote, RepositoryGone, meaning_of
from forgeguard_app.threads import in_thread

PUSH_TIMEOUT_S = 300.0
ADD_TIMEOUT_S = 300.0
MAX_IGNORE_BYTES = 1 << 20
_AUTHOR = {"NAME": "ForgeGuard", "EMAIL": "forgeguard@users.noreply.github.com"}
_IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in _AUTHOR.items()}
_REWRITTEN = "shallow update not allowed"
_RACES = ("cannot lock ref", "already exists", "failed to update ref")


class PushRefused(UserError):
    """GitHub takes no such push, and says why."""


class HistoryRewritten(PushRefused):
    """The commit at which the shallow repository ends is on no branch of the other side any more."""


class BranchMoved(Exception):
    """The branch is not where we left it: somebody else pushed there."""


class BranchDeleted(BranchMoved):
    """The branch, which was there, is gone."""


async def commit_files(repository: GitRepository, parent: str, files: Mapping[str, bytes], message: str) -> str:
    """Return a commit on top of `parent` in which the files are as given; no other content need be here.

    Raises:
        GitTooLarge: `parent` holds more files, or deeper folders, than are read.
    """
    await read_tree(repository, parent)  # a few trees that name one another would fill an index of gigabytes
    with tempfile.TemporaryDirectory(prefix="forgeguard-index-") as folder:
        index = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
        await repository.run("read-tree", parent, environment=index)
        blobs = await _store_blobs(repository, Path(folder), set(files.values()))
        lines = "".join(f"100644 {blobs[data]}\t{path}\0" for path, data in files.items())
        await repository.run("update-index", "-z", "--index-info", stdin=lines.encode(), environment=index)
        tree = (await repository.run("write-tree", "--missing-ok", environment=index)).decode().strip()
    return await commit_tree(repository, tree, [parent], message)


async def _store_blobs(repository: GitRepository, folder: Path, contents: Collection[bytes]) -> dict[bytes, str]:
    """Store the contents, with one process for all of them. Return their ids."""
    paths = await in_thread(_write_each, folder, contents)
    out = await repository.run(
        "hash-object", "-w", "--no-filters", "--stdin-paths", stdin="".join(f"{path}\n" for path in paths).encode()
    )
    return await in_thread(_ids_of, contents, out)


def _ids_of(contents: Collection[bytes], out: bytes) -> dict[bytes, str]:
    return dict(zip(contents, out.decode("ascii").split(), strict=True))


def _write_each(folder: Path, contents: Collection[bytes]) -> list[Path]:
    """Write each content to a file of its own. Return their paths, in the order of the contents."""
    paths = [folder / str(number) for number in range(len(contents))]
    for path, data in zip(paths, contents, strict=True):
        path.write_bytes(data)
    return paths


# What tools leave behind and no commit of ours holds, unless the repository tracks it already.
LEFT_BEHIND = (
    "__pycache__/",
    "*.py[cod]",
    ".venv/",
    "venv/",
    "node_modules/",
    ".env",
    ".DS_Store",
    ".aider*",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".tox/",
    ".coverage",
)


SOURCES = (
    ".py",
    ".pyi",
    ".js",
    ".jsx",
    ".mjs",
    ".cjs",
    ".ts",
    ".tsx",
    ".mts",
    ".go",
    ".rs",
    ".java",
    ".kt",
    ".rb",
    ".php",
    ".cs",
    ".c",
    ".cpp",
    ".sql",
)


OUTPUTS = ("dist", "build", "out", "target", "coverage", "generated", ".next", ".nuxt", ".svelte-kit", "vendor")


async def list_ignored(repository: GitRepository, parent: str, folder: Path) -> list[str]:
    """Return the files of the folder that a commit on top of `parent` leaves out, by .gitignore or `LEFT_BEHIND`."""
    async with _index_of(repository, parent, folder) as (options, index):
        out = await repository.run(
            *options,
            "ls-files",
            "-z",
            "--others",
            "--ignored",
            "--exclude-standard",
            environment=index,
            timeout_s=ADD_TIMEOUT_S,
        )
    return await in_thread(lambda: sorted(split_fields(out, "replace")))


async def list_kept(repository: GitRepository, parent: str, folder: Path) -> list[str]:
    """Return the files of the folder that a commit on top of `parent` would add."""
    async with _index_of(repository, parent, folder) as (options, index):
        out = await repository.run(
            *options, "ls-files", "-z", "--others", "--exclude-standard", environment=index, timeout_s=ADD_TIMEOUT_S
        )
    return await in_thread(split_fields, out, "replace")


async def hidden_sources(repository: GitRepository, base: str, folder: Path, ignored: Iterable[str]) -> list[str]:
    """Return the ignored files of a program's source, where the rules that ignore them are not those of `base`.

    Files in folders for what tools make do not count.
    """
    found = [path for path in ignored if path.endswith(SOURCES) and not _is_output(path)]
    if not found or not await _changes_ignores(repository, base, folder):
        return []
    return found


def _is_output(path: str) -> bool:
    patterns = [*(left.rstrip("/") for left in LEFT_BEHIND), *OUTPUTS]
    return any(fnmatch(part, pattern) for part in path.split("/") for pattern in patterns)


async def _changes_ignores(repository: GitRepository, base: str, folder: Path) -> bool:
    """Return whether some .gitignore of the folder is not as in `base`."""
    before = await _ignores_at(repository, base)
    after = await asyncio.to_thread(_ignores_in, folder)
    for path, size in after.items():
        blob = before.get(path)
        if blob is None or size > MAX_IGNORE_BYTES:
            return True
        data = await asyncio.to_thread((folder / path).read_bytes)
        if await hash_blob(repository, data) != blob:
            return True
    return False


async def _ignores_at(repository: GitRepository, commit: str) -> dict[str, str]:
    files = await read_tree(repository, commit)
    return {path: blob for path, blob in files.items() if path.rpartition("/")[2] == ".gitignore"}


def _ignores_in(folder: Path) -> dict[str, int]:
    """Return the sizes of the folder's .gitignore files by path."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob(".gitignore")
        if path.is_file() and not path.is_symlink()
    }


@contextlib.asynccontextmanager
async def _index_of(
    repository: GitRepository, parent: str, folder: Path
) -> AsyncIterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Give git's options and environment for the folder as a work tree, with `parent` in an index of its own."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-index-") as index_folder:
        excluded = Path(index_folder) / "exclude"
        excluded.write_text("\n".join(LEFT_BEHIND), "utf-8")
        settings = (
            "core.bare=false",
            "core.symlinks=true",
            "core.protectHFS=true",
            "core.protectNTFS=true",
            "advice.addEmbeddedRepo=false",
            f"core.excludesFile={excluded}",
        )
        options = (*(part for setting in settings for part in ("-c", setting)), f"--work-tree={folder}")
        index = {"GIT_INDEX_FILE": os.path.join(index_folder, "index")}
        await repository.run("read-tree", parent, environment=index)
        yield options, index


async def commit_work_tree(repository: GitRepository, parent: str, folder: Path, message: str) -> str | None:
    """Return a commit of what lies in the folder, on top of `parent`; None where nothing was changed.

    Only the folder's files count, and nobody else may change them meanwhile.

    Raises:
        GitError: it cannot be taken in, such as a path that some system takes for `.git`.
    """
    async with _index_of(repository, parent, folder) as (options, index):
        await repository.run(*options, "add", "--all", "--", ".", environment=index, timeout_s=ADD_TIMEOUT_S)
        tree = (await repository.run("write-tree", environment=index)).decode().strip()
    before = (await repository.run("rev-parse", f"{parent}^{{tree}}")).decode().strip()
    return None if tree == before else await commit_tree(repository, tree, [parent], message)


async def check_out(repository: GitRepository, commit: str, folder: Path) -> None:
    """Write the commit's files into the folder; no hook, filter or submodule has a say."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-index-") as index_folder:
        index = {"GIT_INDEX_FILE": os.path.join(index_folder, "index")}
        await repository.run("read-tree", commit, environment=index)
        work = ("-c", "core.bare=false", f"--work-tree={folder}")
        await repository.run(*work, "checkout-index", "--all", "--force", environment=index, timeout_s=ADD_TIMEOUT_S)


async def commit_tree(repository: GitRepository, tree: str, parents: Iterable[str], message: str) -> str:
    """Return a commit of the tree with these parents."""
    named = [part for parent in parents for part in ("-p", parent)]
    out = await repository.run("commit-tree", tree, *named, "-F", "-", stdin=message.encode(), environment=_IDENTITY)
    return out.decode().strip()


async def push(repository: GitRepository, remote: Remote, commit: str, branch: str, expected: str | None) -> None:
    """Push the commit to the branch, which is at `expected` or, with None, does not exist; done twice it changes
    nothing.

    Raises:
        BranchMoved: somebody else pushed to the branch.
        BranchDeleted: the branch was there and is not any more.
        RepositoryGone: the repository is not there, or the token does not open it.
        PushRefused: the other side refused the push, with its reason.
        HistoryRewritten: the other side does not know the commit below the pushed ones.
        RetryLater: the network or the other side failed.
    """
    environment = authorization(remote.url, remote.token) if remote.token else {}
    ref = f"refs/heads/{branch}"
    lease = f"--force-with-lease={ref}:{expected or ''}"
    try:
        await repository.run(
            "push",
            "--quiet",
            "--no-verify",
            lease,
            remote.url,
            f"{commit}:{ref}",
            timeout_s=PUSH_TIMEOUT_S,
            environment=environment,
        )
    except GitTimeout as error:
        raise RetryLater(str(error)) from error
    except GitError as error:
        if "[remote rejected]" in error.stderr and not any(words in error.stderr for words in _RACES):
            if _REWRITTEN in error.stderr:
                raise HistoryRewritten(
                    "The commit on which the build stands is not in the repository any more, since its history was "
                    "rewritten. Start the build again."
                ) from error
            raise PushRefused(f"GitHub refuses the push: {_shown_reason(error.stderr)}") from error
        if "rejected]" in error.stderr:
            now = await _at(repository, remote, ref, environment)
            if now == commit:
                return
            if now is None and expected is not None:
                raise BranchDeleted(branch) from error
            raise BranchMoved(branch) from error
        found = meaning_of(error)
        raise (found if isinstance(found, RepositoryGone | RetryLater) else RetryLater(error.stderr)) from error


def _shown_reason(stderr: str) -> str:
    """Return the other side's message, without git's own words around it."""
    lines = [line.removeprefix("remote:").strip() for line in stderr.splitlines() if line.startswith("remote:")]
    rejected = [line.strip() for line in stderr.splitlines() if "[remote rejected]" in line]
    return _one_line(" ".join([*filter(None, lines), *rejected]))[:500]


def _one_line(text: str) -> str:
    """Return one line of what a stranger's server said."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


async def _at(repository: GitRepository, remote: Remote, ref: str, environment: Mapping[str, str]) -> str | None:
    try:
        out = await repository.run("ls-remote", remote.url, ref, timeout_s=60.0, environment=environment)
    except GitError as error:
        raise RetryLater(f"the branch could not be looked at: {error.stderr}") from error
    return out.partition(b"\t")[0].decode().strip() or None
