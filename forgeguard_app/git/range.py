"""Reads the range between two commits: their merge base, the commits, the changed paths, the added lines."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from forgeguard_app.git.blobs import path_text
from forgeguard_app.git.command import DEFAULT_TIMEOUT_S, EMPTY_TREE, GitError, GitRepository
from forgeguard_app.git.listing import MAX_FILES, Tick, TooManyFiles, no_tick, read_listing
from forgeguard_app.threads import in_thread

LIST_TIMEOUT_S = 300.0
MAX_WORDS_BYTES = 64 << 10  # of a commit's message and of its author's name
MAX_LINE_BYTES = 64 << 10  # of a line that begins with what is looked for: a path behind it may have any length
Take = Callable[[bytes], object]
_RAW = ("--format=%x00%H", "--raw", "--no-abbrev", "-M")
_PATCH = (
    "-p",
    "--full-index",
    "-U0",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-indent-heuristic",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
# A hunk's header names the last line before it that begins or ends a key: where a key's lines are replaced, these stay.
# https://git-scm.com/docs/gitattributes#_defining_a_custom_hunk_header
_KEYS = ("-c", "diff.default.xfuncname=(-----(BEGIN|END)[A-Z0-9 ]*)")
_LINK, _SUBMODULE = "120000", "160000"
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


@dataclass(frozen=True, slots=True)
class PathChange:
    """One changed regular file; `old_path` and `old_blob` are '' where it is new, `blob` is '' where it is gone."""

    path: str
    blob: str
    old_path: str
    old_blob: str


class Changes(list[PathChange]):
    """The changed regular files; `links` and `submodules` are the paths at which head has one that is new or other."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.submodules: set[str] = set()


def is_sha(text: str) -> bool:
    """Return whether the text is a full object id and no option, path or other revision."""
    return _SHA.match(text) is not None


async def has_commit(repository: GitRepository, sha: str) -> bool:
    """Return whether the commit is there; never fetches it."""
    try:
        await repository.run("cat-file", "-e", f"{sha}^{{commit}}")
    except GitError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class CommitWords:
    """The author and the message of a commit, each ending with an ellipsis where it is longer than is read."""

    author: str
    message: str


async def read_commit_words(repository: GitRepository, sha: str, *, max_bytes: int = MAX_WORDS_BYTES) -> CommitWords:
    """Return the author and the message of a commit that is there, of each at most `max_bytes`: some hundred kilobytes
    of objects hold a message of any size.
    """
    author, message = _Beginning(max_bytes), _Beginning(max_bytes)
    arguments = ("log", "-1", "--format=%an%x00%B", "--encoding=UTF-8", sha)
    async with repository.stream(*arguments) as chunks:
        filled = author
        async for chunk in chunks:
            before, end, after = chunk.partition(b"\0") if filled is author else (chunk, b"", b"")
            filled.add(before)
            if end:
                filled = message
                message.add(after)
            if message.cut:
                break
    return CommitWords(author.text, message.text)


class _Beginning:
    """The first bytes of a text that arrives in pieces."""

    def __init__(self, max_bytes: int) -> None:
        self.cut = False
        self._data, self._max_bytes = b"", max_bytes

    def add(self, piece: bytes) -> None:
        room = self._max_bytes - len(self._data)
        self.cut = self.cut or len(piece) > room
        if room > 0:
            self._data += piece[:room]

    @property
    def text(self) -> str:
        text = getincrementaldecoder("utf-8")("replace").decode(self._data, final=not self.cut).strip("\n")
        return f"{text}…" if self.cut else text


async def resolve(repository: GitRepository, revision: str) -> str | None:
    """Return the commit that a revision means; None where there is none."""
    try:
        out = await repository.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except GitError:
        return None
    return out.decode("ascii", "replace").strip() or None


async def merge_base(repository: GitRepository, first: str, second: str) -> str | None:
    """Return the best common ancestor of two commits; None where their histories have none."""
    try:
        out = await repository.run("merge-base", first, second)
    except GitError as error:
        if error.status == 1:
            return None
        raise
    return out.partition(b"\n")[0].decode("ascii").strip() or None


async def first_parent(repository: GitRepository, commit: str) -> str | None:
    """Return the commit's first parent; None for a root, or where a shallow clone ends."""
    return await resolve(repository, f"{commit}^1")


async def has_path(repository: GitRepository, commit: str, path: str) -> bool:
    """Return whether the commit has a file or folder of this path."""
    try:
        out = await repository.run("--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path)
    except GitError:
        return False
    return bool(out)


async def _tree_of(repository: GitRepository, base: str) -> str:
    """Return the base as git takes it: the empty tree has another id in a sha256 repository."""
    if base != EMPTY_TREE:
        return base
    return (await repository.run("hash-object", "-t", "tree", "--stdin", stdin=b"")).decode("ascii").strip()


async def has_commit_of(repository: GitRepository, commits: Collection[str], base: str, head: str) -> bool:
    """Return whether one of the commits lies between base and head."""
    async with repository.stream("rev-list", head, *_without(base), timeout_s=LIST_TIMEOUT_S) as chunks:
        async for line in lines_of(chunks):
            if line.decode("ascii", "replace") in commits:
                return True
    return False


async def list_changes(
    repository: GitRepository,
    base: str,
    head: str,
    tick: Tick = no_tick,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    *,
    max_files: int = MAX_FILES,
) -> Changes:
    """Return the files that differ, renames followed.

    Raises:
        TooManyFiles: more files than `max_files` differ, or their list is too long.
    """
    tree = await _tree_of(repository, base)
    reader = _ChangesReader(tick, max_files)
    arguments = ("diff-tree", "-r", "-z", "-M", "--raw", "--no-abbrev", tree, head)
    await read_listing(repository, arguments, reader.take, timeout_s)
    return reader.changes


class _ChangesReader:
    """Reads what `git diff-tree -r -z -M --raw` prints."""

    def __init__(self, tick: Tick, max_files: int) -> None:
        self.changes = Changes()
        self._tick, self._max_files = tick, max_files
        self._count = 0
        self._rest: list[bytes] = []  # of a change whose paths are still to come

    def take(self, more: list[bytes]) -> None:
        fields, at = [*self._rest, *more], 0
        while at < len(fields):
            old_mode, mode, old_blob, blob, status = fields[at].decode("ascii").removeprefix(":").split(" ")
            end = at + (3 if status[:1] in ("R", "C") else 2)
            if end > len(fields):
                break
            old_path, path = path_text(fields[at + 1]), path_text(fields[end - 1])
            was, is_now = old_mode.startswith("100"), mode.startswith("100")
            if was or is_now:
                self.changes.append(
                    PathChange(path, blob if is_now else "", old_path if was else "", old_blob if was else "")
                )
            if mode in (_LINK, _SUBMODULE):
                (self.changes.links if mode == _LINK else self.changes.submodules).add(path)
            self._count, at = self._count + 1, end
        self._rest = fields[at:]
        self._tick()
        if self._count > self._max_files:
            raise TooManyFiles(("diff-tree",), -1, f"more than {self._max_files} changed files")


async def touched_blobs(repository: GitRepository, base: str, head: str) -> set[str]:
    """Return the blobs on either side of every change that the commits between base and head made, the whole change's
    too.
    """
    history = ("log", "-m", "--root", "--raw", "--no-renames", "--no-abbrev", "--format=", head, *_without(base))
    tree = await _tree_of(repository, base)
    whole = ("diff-tree", "-r", "--raw", "--no-renames", "--no-abbrev", tree, head)
    found: set[str] = set()
    for arguments in (history, whole):
        async with repository.stream(*arguments, timeout_s=LIST_TIMEOUT_S) as chunks:
            async for line in lines_of(chunks):
                found.update(_blobs_of(line.decode("ascii", "replace")))
    return found


def _blobs_of(line: str) -> Iterator[str]:
    fields = line.split(" ")
    if line.startswith(":") and len(fields) > 4:
        for mode, blob in ((fields[0][1:], fields[2]), (fields[1], fields[3])):
            if mode.startswith("100") and is_sha(blob):
                yield blob


async def lines_of(chunks: AsyncIterator[bytes], max_bytes: int = MAX_LINE_BYTES) -> AsyncIterator[bytes]:
    """Yield the lines of a stream, without their line breaks, of each at most the first `max_bytes`."""
    rest = b""
    async for chunk in chunks:
        *lines, more = chunk.split(b"\n")
        for line in lines:
            yield (rest + line)[:max_bytes]
            rest = b""
        rest = (rest + more)[:max_bytes]
    if rest:
        yield rest


async def read_added(
    repository: GitRepository, base: str, head: str, take: Take, timeout_s: float, merged: Sequence[str] = ()
) -> None:
    """Give what the commits of base..head add to `take`, piece by piece, in a thread.

    Of a commit that is the patch, of a merge the files in which it differs from every parent, without their lines: a
    combined patch takes memory by the square of the lines, and has room for 63 parents
    (https://github.com/git/git/blob/master/combine-diff.c). What `merged` and the commits before it have is left out.

    Raises:
        GitTimeout: it takes longer than `timeout_s` twice.
    """
    range_ = (head, *_without(base, *merged))
    patches = (*_KEYS, "log", "--no-merges", "--root", *_RAW, *_PATCH, *range_)
    for arguments in (patches, ("log", "--merges", "-c", "--combined-all-paths", *_RAW, *range_)):
        async with repository.stream(*arguments, timeout_s=timeout_s) as chunks:
            async for chunk in chunks:
                await in_thread(take, chunk)


def _without(*commits: str) -> tuple[str, ...]:
    return tuple(f"^{commit}" for commit in commits if commit != EMPTY_TREE)
