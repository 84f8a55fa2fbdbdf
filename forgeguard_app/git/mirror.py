"""The partial bare mirror of one repository: a cache that any worker can rebuild."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.git.command import EMPTY_TREE, GitError, GitRepository, GitTimeout, authorization
from forgeguard_app.git.leftovers import remove_leftovers
from forgeguard_app.git.mirror_lock import lock_file
from forgeguard_app.git.range import has_commit, is_sha, lines_of
from forgeguard_app.threads import in_thread

FETCH_TIMEOUT_S = 300.0
LIST_TIMEOUT_S = 60.0
MAX_BYTES = 10 << 30
MAX_TOTAL_BYTES = 100 << 30
SIZE_EVERY_S = 1.0
_GONE = (
    "not found",
    "access denied",
    "authentication failed",
    "returned error: 403",
    "returned error: 401",
    "could not read username",
)
_NO_BRANCH = "couldn't find remote ref"
_SUSPENDED = "installation has been suspended"
_NO_COMMIT = (
    "not our ref",
    _NO_BRANCH,
    "remote error: upload-pack",
    "unadvertised object",
    "no such ref",
)


def branch_ref(branch: str) -> str:
    """Return the mirror's ref of a branch: under a name of ours, so that `a` gone and `a/b` come do not collide."""
    return f"refs/forgeguard/branches/{hashlib.sha256(branch.encode()).hexdigest()[:40]}"


class RepositoryGone(Exception):
    """GitHub does not show us the repository any more: deleted, or our access withdrawn."""


class AccessSuspended(RepositoryGone):
    """GitHub shows us the repository no more because the installation is suspended."""


class CommitGone(Exception):
    """The repository is there and the commit is not, or not yet."""


class TargetGone(CommitGone):
    """The branch that a head aims at is not there, and the head may not be evaluated without it."""


class RepositoryTooLarge(UserError):
    """The repository takes more of the worker's disk than one repository may."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            f"What is to be read of the repository takes more than {max_bytes:,} bytes on the worker's disk. "
            "Remove large files from its history, or have an operator raise FORGEGUARD_MIRROR_MAX_BYTES."
        )


@dataclass(frozen=True)
class Remote:
    """The address to fetch from, and the token that opens it ('' for none)."""

    url: str
    token: str = ""


@dataclass
class Mirror:
    """A mirror in its folder, of at most `max_bytes`. Its methods want the lock held.

    `is_new` says that nothing had been fetched into it when it was prepared.
    """

    folder: Path
    remote: Remote
    max_bytes: int = MAX_BYTES
    is_new: bool = False
    _fetching: asyncio.Lock = field(default_factory=asyncio.Lock)  # one fetch at a time

    @property
    def repository(self) -> GitRepository:
        """The mirror for reading; nothing is fetched behind the reader's back."""
        return GitRepository(self.folder)

    @contextlib.asynccontextmanager
    async def locked(self, who: str) -> AsyncIterator[None]:
        """Hold the mirror against all others of this machine; the lock goes with its holder.

        Raises:
            MirrorBusy: another job holds it; `who` keeps its place among those of this process that wait.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        async with lock_file(self.folder.with_suffix(".lock"), who):
            yield

    async def prepare(self) -> None:
        """Create the mirror if it is missing or broken, and remove what a killed git left in it.

        A mirror in which no fetch has succeeded is created again: its first fetch is the one without file contents,
        however often it is tried.

        Raises:
            RetryLater: git took too long.
        """
        self.is_new = not await self._has_fetched()
        if not self.is_new:
            await asyncio.to_thread(remove_leftovers, self.folder)
            return
        # A git that was killed here may have left locks that `git init` fails on.
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self.repository.run("init", "--quiet", "--bare", "--template=", str(self.folder))
        for key, value in (
            ("core.repositoryFormatVersion", "1"),
            ("extensions.partialClone", "origin"),
            # https://git-scm.com/docs/partial-clone
            ("remote.origin.promisor", "true"),
        ):
            await self.repository.run("config", key, value)

    async def _has_fetched(self) -> bool:
        if not (self.folder / "HEAD").exists():
            return False
        try:
            return bool(await self.repository.run("for-each-ref", "--count=1", "refs/forgeguard"))
        except GitTimeout as error:
            raise RetryLater(str(error)) from error  # of a busy machine: the mirror may well be whole
        except GitError:
            return False

    async def fetch(self, commits: Sequence[str], branches: Sequence[str] = (), *, contents: bool = True) -> None:
        """Fetch the commits that are missing, and the branches.

        File contents come with them where `contents` says so, but not into a new mirror, which would bring those of the
        whole history.

        Raises:
            CommitGone: a commit is not in the repository.
            RepositoryGone: the repository is not there, or the token does not open it.
            RepositoryTooLarge: the mirror was new and passed `max_bytes`; it was removed.
            RetryLater: the network or the other side failed, or an old mirror passed `max_bytes` and was removed.
        """
        missing = [commit for commit in commits if not await has_commit(self.repository, commit)]
        wanted = [f"+{commit}:refs/forgeguard/{commit}" for commit in missing]
        heads = [f"+refs/heads/{branch}:{branch_ref(branch)}" for branch in branches]
        if not wanted and not heads:
            return
        # https://git-scm.com/docs/git-rev-list#Documentation/git-rev-list.txt---filterltfilter-specgt
        how = "--no-filter" if contents and not self.is_new else "--filter=blob:none"
        try:
            await self._fetch(how, *wanted, *heads)
        except CommitGone as error:
            # A branch that is gone is told from one whose newest commit is not readable everywhere yet.
            if not heads or _NO_BRANCH not in str(error).lower():
                raise
            if wanted:
                await self._fetch(how, *wanted)
            for branch in branches:
                await self.repository.run("update-ref", "-d", branch_ref(branch))

    async def fetch_blobs(self, names: Iterable[str]) -> None:
        """Bring these blobs in one request."""
        wanted = list(dict.fromkeys(names))
        if wanted:
            await self._fetch("--filter=blob:none", "--stdin", stdin="\n".join(wanted).encode("ascii") + b"\n")

    async def missing_blobs(self, commits: Sequence[str], base: str, head: str) -> tuple[set[str], set[str]]:
        """Return the blobs that the mirror lacks of the commits' trees, and of the commits between base and head."""
        trees = [f"{sha}^{{tree}}" for sha in commits if sha != EMPTY_TREE]
        excluded = () if base == EMPTY_TREE else (f"^{base}",)
        of_trees, of_range = await asyncio.gather(self._missing_of(trees), self._missing_of((head, *excluded)))
        return of_trees, of_range

    async def _missing_of(self, revisions: Sequence[str]) -> set[str]:
        if not revisions:
            return set()
        arguments = ("rev-list", "--objects", "--missing=print", "--no-object-names", *revisions)
        async with self.repository.stream(*arguments, timeout_s=FETCH_TIMEOUT_S) as chunks:
            return {line[1:].decode("ascii", "replace") async for line in lines_of(chunks) if line.startswith(b"?")}

    async def _fetch(self, *arguments: str, stdin: bytes | None = None) -> None:
        environment = authorization(self.remote.url, self.remote.token) if self.remote.token else {}
        # The promisor remote must be known by name; its address is given for this call alone.
        count = int(environment.get("GIT_CONFIG_COUNT", "0"))
        environment |= {
            "GIT_CONFIG_COUNT": str(count + 1),
            f"GIT_CONFIG_KEY_{count}": "remote.origin.url",
            f"GIT_CONFIG_VALUE_{count}": self.remote.url,
        }
        options, wanted = _split_options(arguments)
        fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance")
        command = (*fetch, "--no-recurse-submodules", *options, "origin", *wanted)
        try:
            async with self._fetching:
                running = self.repository.run(*command, stdin=stdin, timeout_s=FETCH_TIMEOUT_S, environment=environment)
                await fetch_within(self.folder, self.max_bytes, running)
        except RepositoryTooLarge as error:
            if self.is_new:
                raise
            # It held other heads too, of forks and of former years; this one alone may well have room.
            raise RetryLater("the mirror was full, and is created again") from error
        except GitTimeout as error:
            raise RetryLater(str(error)) from error
        except GitError as error:
            raise meaning_of(error) from error


async def fetch_within(folder: Path, max_bytes: int, fetch: Coroutine[None, None, bytes]) -> None:
    """Run the fetch into the folder; end it once the folder takes more than its bound, during the fetch or after it.

    Raises:
        RepositoryTooLarge: it does; the folder was removed.
    """
    task = asyncio.ensure_future(fetch)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=SIZE_EVERY_S)
            if await asyncio.to_thread(disk_bytes, folder) > max_bytes:
                break
        else:
            await task
            return
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    raise RepositoryTooLarge(max_bytes)


def disk_bytes(folder: Path) -> int:
    """Return what the files below the folder take on the disk, in bytes."""
    total = 0
    for here, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):  # git removes files of its own meanwhile
                total += os.lstat(os.path.join(here, name)).st_blocks * 512
    return total


@dataclass(frozen=True, slots=True)
class MirrorOnDisk:
    """A mirror's folder, named after GitHub's id of the repository, when it was last locked, and its size."""

    folder: Path
    github_repo_id: int
    used_at: float
    size_bytes: int


def list_mirrors(folder: Path) -> list[MirrorOnDisk]:
    """Return the mirrors below a folder; anything else there is left alone."""
    found: list[MirrorOnDisk] = []
    for path in sorted(folder.glob("*.git")):
        lock = path.with_suffix(".lock")
        if path.stem.isdigit() and lock.exists():
            found.append(MirrorOnDisk(path, int(path.stem), lock.stat().st_mtime, disk_bytes(path)))
    return found


async def discard(folder: Path) -> None:
    """Remove a mirror, which any worker can rebuild.

    Raises:
        MirrorBusy: a job uses it.
    """
    async with lock_file(folder.with_suffix(".lock"), "discard", is_use=False):
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class DefaultHead:
    """The default branch and the commit that it points to, and the heads of the branches that were asked for."""

    branch: str
    sha: str
    branches: dict[str, str]


async def read_default_head(remote: Remote, pattern: str | None = None) -> DefaultHead | None:
    """Return the branch and commit of the remote's HEAD, and its branches below `pattern`; None for an empty
    repository.

    Raises:
        RepositoryGone: the repository is not there, or the token does not open it.
        RetryLater: the network or the other side failed.
    """
    environment = authorization(remote.url, remote.token) if remote.token else {}
    try:
        out = await GitRepository(Path("/dev/null")).run(
            "ls-remote",
            "--symref",
            remote.url,
            "HEAD",
            *([f"refs/heads/{pattern}"] if pattern else []),
            timeout_s=LIST_TIMEOUT_S,
            environment=environment,
        )
    except GitTimeout as error:
        raise RetryLater(str(error)) from error
    except GitError as error:
        raise meaning_of(error) from error
    return await in_thread(_default_head, out)


def _default_head(out: bytes) -> DefaultHead | None:
    branch = sha = ""
    branches: dict[str, str] = {}
    for line in out.decode("utf-8", "replace").splitlines():
        value, _, name = line.partition("\t")
        if name == "HEAD" and value.startswith("ref: refs/heads/"):
            branch = value.removeprefix("ref: refs/heads/")
        elif name == "HEAD" and is_sha(value):
            sha = value
        elif name.startswith("refs/heads/") and is_sha(value):
            branches[name.removeprefix("refs/heads/")] = value
    return DefaultHead(branch, sha, branches) if branch and sha else None


def _split_options(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    return [a for a in arguments if a.startswith("--")], [a for a in arguments if not a.startswith("--")]


def meaning_of(error: GitError) -> Exception:
    """Return the typed error of a failed fetch or push:

    CommitGone, RepositoryGone, AccessSuspended, or RetryLater for all that may pass.
    """
    message = error.stderr.lower()
    if any(words in message for words in _NO_COMMIT):
        return CommitGone(error.stderr)
    if any(words in message for words in _GONE):
        return (AccessSuspended if _SUSPENDED in message else RepositoryGone)(error.stderr)
    return RetryLater(f"git fetch failed: {error.stderr}")
