"""A repository on a person's machine, and a view of it in which nothing but its objects counts.

The view is a bare repository in a temporary folder that borrows the objects. The repository's configuration, refs,
`.gitattributes` and `info/attributes` do not reach it, so none of them decides what a difference shows. What is
staged, or lies in a folder, becomes a commit of the view that vanishes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from forgeguard_app.errors import UserError
from forgeguard_app.git.blobs import path_text
from forgeguard_app.git.branches import commit_tree
from forgeguard_app.git.command import GitError, GitRepository
from forgeguard_app.git.locate import Location

_SHA256_EMPTY_TREE = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
_SHORT_SSH = re.compile(r"(?:[^@/:]+@)?([^/:@]+):(?!/)(.+)\Z")
MAX_NAMED = 5


@dataclass(frozen=True)
class Checkout:
    """`repository` resolves revisions; `view` reads the same objects and nothing else."""

    location: Location
    repository: GitRepository
    view: GitRepository

    async def commit_index(self, parents: Sequence[str]) -> str:
        """Return a commit in the view of what git would commit now, with these parents.

        Raises:
            UserError: the index has conflicts that are not resolved, or cannot be read.
        """
        environment = {**self.view.environment, "GIT_INDEX_FILE": str(self._copied_index())}
        try:
            out = await self.repository.run("write-tree", "--missing-ok", environment=environment)
        except GitError as error:
            unmerged = await _unmerged(self.repository, environment)
            if not unmerged:
                raise UserError(f"git cannot read the index {self.location.index}: {error.stderr}") from error
            shown = ", ".join(unmerged[:MAX_NAMED]) + (", …" if len(unmerged) > MAX_NAMED else "")
            raise UserError(f"the index has conflicts: resolve them and `git add` the files: {shown}") from error
        return await commit_tree(self.view, out.decode("ascii").strip(), parents, "Staged")

    async def run_in_work_tree(self, *arguments: str) -> bytes:
        """Return the output of a git command that looks at the work tree; no program that a setting names is run."""
        work = ("-c", "core.bare=false", f"--work-tree={self.location.work_tree}")
        environment = {"GIT_INDEX_FILE": str(self.location.index), **await self._without_filters()}
        return await self.repository.run(*work, *arguments, environment=environment)

    async def list_uncommitted(self) -> list[str]:
        """Return the paths that differ between HEAD, the index and the work tree, files that git does not ignore
        included.
        """
        excludes = await _global_excludes(self.repository)
        out = await self.run_in_work_tree(
            *(("-c", f"core.excludesFile={excludes}") if excludes else ()),
            "status",
            "--porcelain=v1",
            "-z",
            "--no-renames",
            "--untracked-files=normal",
            "--ignore-submodules=dirty",
        )
        return [path_text(entry[3:]) for entry in out.split(b"\0") if entry]

    async def remote_uri(self) -> str | None:
        """Return the address that the repository was cloned from, without credentials; None where there is none."""
        try:
            out = await self.repository.run("config", "--get-regexp", r"^remote\..*\.url$")
        except GitError:
            return None
        addresses = [line.split(b" ", 1) for line in out.splitlines() if b" " in line]
        addresses.sort(key=lambda item: item[0] != b"remote.origin.url")
        return _without_credentials(addresses[0][1].decode("utf-8", "replace")) if addresses else None

    async def _without_filters(self) -> dict[str, str]:
        """Return git's variables that turn off every filter which the repository's configuration names."""
        try:
            out = await self.repository.run("config", "--name-only", "-z", "--get-regexp", r"^filter\.")
        except GitError:
            return {}
        drivers = {name.rpartition(b".")[0] for name in out.split(b"\0") if name}
        settings = [
            (f"{path_text(driver)}.{key}", value)
            for driver in sorted(drivers)
            for key, value in (("clean", ""), ("smudge", ""), ("process", ""), ("required", "false"))
        ]
        variables = {"GIT_CONFIG_COUNT": str(len(settings))}
        for number, (key, value) in enumerate(settings):
            variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return variables

    def _copied_index(self) -> Path:
        """Return a copy, because git may hold the lock of the original, and to write a tree takes one.

        It is not the view's own index, from which git would read `.gitattributes`.
        """
        copy = self.view.folder / "staged-index"
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(self.location.index, copy)
        return copy


@contextlib.asynccontextmanager
async def open_checkout(location: Location) -> AsyncIterator[Checkout]:
    """Open a repository for reading.

    Raises:
        UserError: git cannot read it.
    """
    repository = GitRepository(location.git_folder, location.environment)
    try:
        object_format, objects, shallow = await asyncio.gather(
            _rev_parse(repository, "--show-object-format"),
            _rev_parse(repository, "--git-path", "objects"),
            _rev_parse(repository, "--git-path", "shallow"),
        )
    except GitError as error:
        raise UserError(f"git cannot read {location.git_folder}: {error.stderr}") from error
    own = {"GIT_ATTR_SOURCE": _SHA256_EMPTY_TREE} if object_format == "sha256" else {}
    repository = replace(repository, environment={**location.environment, **own})
    with tempfile.TemporaryDirectory(prefix="forgeguard-view-", ignore_cleanup_errors=True) as folder:
        view = make_view(Path(folder), object_format, {**own, **_borrowed(objects, location.environment)})
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(shallow, view.folder / "shallow")
        yield Checkout(location, repository, view)


@contextlib.asynccontextmanager
async def open_view() -> AsyncIterator[GitRepository]:
    """Open a view of no repository, for the files of a folder."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-view-", ignore_cleanup_errors=True) as folder:
        yield make_view(Path(folder))


def make_view(folder: Path, object_format: str = "sha1", environment: Mapping[str, str] | None = None) -> GitRepository:
    """Return a bare repository without objects of its own."""
    (folder / "objects").mkdir()
    (folder / "refs").mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    (folder / "config").write_text(
        f"[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n[extensions]\n\tobjectFormat = {object_format}\n"
    )
    return GitRepository(folder, {**(environment or {}), "GIT_OBJECT_DIRECTORY": str(folder / "objects")})


def _borrowed(objects: str, environment: Mapping[str, str]) -> dict[str, str]:
    before = environment.get("GIT_ALTERNATE_OBJECT_DIRECTORIES")
    return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": ":".join([_quoted(objects), *([before] if before else [])])}


def _quoted(path: str) -> str:
    """Return a path in a list that git separates at colons."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


async def _rev_parse(repository: GitRepository, *arguments: str) -> str:
    out = await repository.run("rev-parse", "--path-format=absolute", *arguments)
    return out.decode("utf-8", "surrogateescape").removesuffix("\n")


def _without_credentials(address: str) -> str | None:
    """Return an absolute address without what stands before its host: a token may."""
    if "://" not in address and (short := _SHORT_SSH.match(address)):
        address = f"ssh://{short[1]}/{short[2]}"
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https", "ssh", "git") or not parts.hostname:
        return None
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    return f"{parts.scheme}://{host}{quote(parts.path, safe='/%~')}"


async def _global_excludes(repository: GitRepository) -> str | None:
    """Return the person's own list of ignored files: as their git configuration names it, or at git's usual place."""
    home = os.environ.get("HOME")
    if not home:
        return None
    settings = os.path.join(home, ".gitconfig")
    with contextlib.suppress(GitError):
        arguments = ("config", "--file", settings, "--includes", "--type=path", "--get", "core.excludesFile")
        out = await repository.run(*arguments, environment={"HOME": home})
        return out.decode("utf-8", "surrogateescape").removesuffix("\n")
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    return os.path.join(folder, "git", "ignore")


async def _unmerged(repository: GitRepository, environment: Mapping[str, str]) -> list[str]:
    try:
        out = await repository.run("ls-files", "--unmerged", "-z", environment=environment)
    except GitError:
        return []
    return list(dict.fromkeys(path_text(entry.partition(b"\t")[2]) for entry in out.split(b"\0") if entry))
