"""Commits of ours, made without a work tree or from one that a stranger wrote, and pushed to a branch of ours."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from forgeguard_app.errors import Temporary, UserError
from forgeguard_app.git.blobs import read_blobs
from forgeguard_app.git.command import GitError, GitTimeout, Repository, authorization
from forgeguard_app.git.mirror import Remote, RepositoryGone, meaning_of

PUSH_TIMEOUT_S = 300.0
ADD_TIMEOUT_S = 300.0
LINK_MODE = "120000"
MAX_TARGET_BYTES = 4_096
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


async def commit_files(repository: Repository, parent: str, files: Mapping[str, bytes], message: str) -> str:
    """A commit on top of `parent` in which the files are as given; the tree's other contents need not be here."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-index-") as folder:
        index = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
        await repository.run("read-tree", parent, environment=index)
        lines = []
        for path, data in files.items():
            blob = (await repository.run("hash-object", "-w", "--stdin", stdin=data)).decode().strip()
            lines.append(f"100644 {blob}\t{path}\0")
        await repository.run("update-index", "-z", "--index-info", stdin="".join(lines).encode(), environment=index)
        tree = (await repository.run("write-tree", "--missing-ok", environment=index)).decode().strip()
    return await commit_tree(repository, tree, [parent], message)


# What tools leave behind and no commit of ours holds, unless the repository tracks it already.
LEFT_BEHIND = (
    "__pycache__/", "*.py[cod]", ".venv/", "venv/", "node_modules/", ".env", ".DS_Store", ".aider*", ".pytest_cache/", ".mypy_cache/",
    ".ruff_cache/", ".tox/", ".coverage",
)  # fmt: skip


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


async def list_ignored(repository: Repository, parent: str, folder: Path) -> list[str]:
    """Return the files of the folder that a commit on top of `parent` leaves out, by .gitignore or `LEFT_BEHIND`."""
    async with _index_of(repository, parent, folder) as (options, index):
        out = await repository.run(
            *options, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", environment=index, timeout_s=ADD_TIMEOUT_S
        )  # fmt: skip
    return sorted(out.decode("utf-8", "replace").split("\0")[:-1])


async def list_kept(repository: Repository, parent: str, folder: Path) -> list[str]:
    """Return the files of the folder that a commit on top of `parent` would add."""
    async with _index_of(repository, parent, folder) as (options, index):
        out = await repository.run(
            *options, "ls-files", "-z", "--others", "--exclude-standard", environment=index, timeout_s=ADD_TIMEOUT_S
        )  # fmt: skip
    return out.decode("utf-8", "replace").split("\0")[:-1]


async def hidden_sources(repository: Repository, base: str, folder: Path, ignored: Iterable[str]) -> list[str]:
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


async def _changes_ignores(repository: Repository, base: str, folder: Path) -> bool:
    """Return whether some .gitignore of the folder is not as in `base`."""
    before = await _ignores_at(repository, base)
    there = await asyncio.to_thread(_ignores_in, folder)
    for path, size in there.items():
        blob = before.get(path)
        if blob is None or size > MAX_IGNORE_BYTES:
            return True
        data = await asyncio.to_thread((folder / path).read_bytes)
        if await hash_blob(repository, data) != blob:
            return True
    return False


async def _ignores_at(repository: Repository, commit: str) -> dict[str, str]:
    out = await repository.run("ls-tree", "-r", "-z", commit)
    entries = [line.partition("\t") for line in out.decode("utf-8", "surrogateescape").split("\0")[:-1]]
    return {path: described.split()[2] for described, _, path in entries if path.rpartition("/")[2] == ".gitignore"}


def _ignores_in(folder: Path) -> dict[str, int]:
    """Return the sizes of the folder's .gitignore files by path."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in folder.rglob(".gitignore")
        if path.is_file() and not path.is_symlink()
    }


async def list_touched(repository: Repository, parent: str, commit: str) -> list[str]:
    """Return the paths that the commit adds, changes or deletes; of a rename both."""
    out = await repository.run("diff-tree", "-r", "-z", "--no-renames", "--name-only", parent, commit)
    return out.decode("utf-8", "replace").split("\0")[:-1]


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


async def list_raw_changes(repository: Repository, parent: str, commit: str) -> list[RawChange]:
    """Return the files that the commit adds, changes or deletes; of a rename both."""
    out = await repository.run("diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", parent, commit)
    fields = out.decode("utf-8", "surrogateescape").split("\0")[:-1]
    kinds = {"A": "added", "D": "deleted"}
    found = []
    for described, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, mode, old_blob, blob, status = described.split()
        before = f"{old_mode.removeprefix(':')} {old_blob}"
        found.append(RawChange(path, kinds.get(status, "changed"), mode, blob, before))
    return found


async def hash_blob(repository: Repository, data: bytes) -> str:
    """Return the id that a file of this content has in the repository, without storing it."""
    return (await repository.run("hash-object", "--stdin", stdin=data)).decode().strip()


async def read_difference(repository: Repository, parent: str, commit: str, path: str, max_bytes: int) -> str | None:
    """Return how one file's mode and text changed, as git shows it; None where it is no text.

    Raises:
        GitTooLarge: it is longer than `max_bytes`.
    """
    out = await repository.run(
        "diff-tree", "-p", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", parent, commit, "--", f":(top,literal){path}",
        max_bytes=max_bytes,
    )  # fmt: skip
    return _shown_difference(out.decode("utf-8", "replace").split("\n"))


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


async def list_changed(repository: Repository, parent: str, commit: str) -> list[str]:
    """Return the paths that the commit adds or changes."""
    out = await repository.run(
        "diff-tree", "-r", "-z", "--no-renames", "--name-only", "--diff-filter=AMT", parent, commit
    )
    return out.decode("utf-8", "surrogateescape").split("\0")[:-1]


async def list_links_out(repository: Repository, parent: str, commit: str) -> list[str]:
    """Return the symbolic links that the commit adds or changes and that lead out of the repository."""
    out = await repository.run(
        "diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", "--diff-filter=AMT", parent, commit
    )
    fields = out.decode("utf-8", "surrogateescape").split("\0")[:-1]
    links: dict[str, str] = {}
    for described, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, blob, _ = described.split()
        if mode == LINK_MODE:
            links[path] = blob
    targets = await read_blobs(repository, links.values(), MAX_TARGET_BYTES)
    return [path for path, blob in links.items() if _leads_out(path, targets.data.get(blob))]


def _leads_out(path: str, target: bytes | None) -> bool:
    """Return whether a link leads out of the repository; one whose target is too long to be a path counts too."""
    if target is None:
        return True
    leads_to = os.fsdecode(target)
    where = os.path.normpath(os.path.join(os.path.dirname(path), leads_to))
    return os.path.isabs(leads_to) or where == ".." or where.startswith("../")


@contextlib.asynccontextmanager
async def _index_of(
    repository: Repository, parent: str, folder: Path
) -> AsyncIterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Give git's options and environment for the folder as a work tree, with `parent` in an index of its own."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-index-") as index_folder:
        excluded = Path(index_folder) / "exclude"
        excluded.write_text("\n".join(LEFT_BEHIND), "utf-8")
        settings = (
            "core.bare=false", "core.symlinks=true", "core.protectHFS=true", "core.protectNTFS=true",
            "advice.addEmbeddedRepo=false", f"core.excludesFile={excluded}",
        )  # fmt: skip
        options = (*(part for setting in settings for part in ("-c", setting)), f"--work-tree={folder}")
        index = {"GIT_INDEX_FILE": os.path.join(index_folder, "index")}
        await repository.run("read-tree", parent, environment=index)
        yield options, index


async def commit_work_tree(repository: Repository, parent: str, folder: Path, message: str) -> str | None:
    """A commit of what lies in the folder, on top of `parent`; None where nothing was changed.

    Only the folder's files count, and nobody else may change them meanwhile.

    Raises:
        GitError: it cannot be taken in, such as a path that some system takes for `.git`.
    """
    async with _index_of(repository, parent, folder) as (options, index):
        await repository.run(*options, "add", "--all", "--", ".", environment=index, timeout_s=ADD_TIMEOUT_S)
        tree = (await repository.run("write-tree", environment=index)).decode().strip()
    before = (await repository.run("rev-parse", f"{parent}^{{tree}}")).decode().strip()
    return None if tree == before else await commit_tree(repository, tree, [parent], message)


async def check_out(repository: Repository, commit: str, folder: Path) -> None:
    """Writes the commit's files into the folder; no hook, filter or submodule has a say."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-index-") as index_folder:
        index = {"GIT_INDEX_FILE": os.path.join(index_folder, "index")}
        await repository.run("read-tree", commit, environment=index)
        work = ("-c", "core.bare=false", f"--work-tree={folder}")
        await repository.run(*work, "checkout-index", "--all", "--force", environment=index, timeout_s=ADD_TIMEOUT_S)


async def commit_tree(repository: Repository, tree: str, parents: Iterable[str], message: str) -> str:
    """Return a commit of the tree with these parents."""
    named = [part for parent in parents for part in ("-p", parent)]
    out = await repository.run("commit-tree", tree, *named, "-F", "-", stdin=message.encode(), environment=_IDENTITY)
    return out.decode().strip()


async def push(repository: Repository, remote: Remote, commit: str, branch: str, expected: str | None) -> None:
    """Pushes the commit to the branch, which is at `expected` or, with None, does not exist; done twice it changes nothing.

    Raises:
        BranchMoved, BranchDeleted, RepositoryGone, PushRefused, HistoryRewritten: as their names say.
        Temporary: the network or the other side failed.
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
        raise Temporary(str(error)) from error
    except GitError as error:
        if "[remote rejected]" in error.stderr and not any(words in error.stderr for words in _RACES):
            if _REWRITTEN in error.stderr:
                raise HistoryRewritten(
                    "The commit on which the build stands is not in the repository any more, since its history was "
                    "rewritten. Start the build again."
                ) from error
            raise PushRefused(f"GitHub refuses the push: {_said(error.stderr)}") from error
        if "rejected]" in error.stderr:
            now = await _at(repository, remote, ref, environment)
            if now == commit:
                return
            if now is None and expected is not None:
                raise BranchDeleted(branch) from error
            raise BranchMoved(branch) from error
        found = meaning_of(error)
        raise (found if isinstance(found, RepositoryGone | Temporary) else Temporary(error.stderr)) from error


def _said(stderr: str) -> str:
    """What the other side said, without git's own words around it."""
    lines = [line.removeprefix("remote:").strip() for line in stderr.splitlines() if line.startswith("remote:")]
    rejected = [line.strip() for line in stderr.splitlines() if "[remote rejected]" in line]
    return _one_line(" ".join([*filter(None, lines), *rejected]))[:500]


def _one_line(text: str) -> str:
    """One line of what a stranger's server said."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


async def _at(repository: Repository, remote: Remote, ref: str, environment: Mapping[str, str]) -> str | None:
    try:
        out = await repository.run("ls-remote", remote.url, ref, timeout_s=60.0, environment=environment)
    except GitError as error:
        raise Temporary(f"the branch could not be looked at: {error.stderr}") from error
    return out.decode().split("\t")[0].strip() or None
