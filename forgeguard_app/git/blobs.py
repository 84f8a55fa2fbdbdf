"""Reads trees and blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from forgeguard_app.git.command import BIG_FILE_BYTES, DEFAULT_TIMEOUT_S, GitRepository
from forgeguard_app.git.listing import MAX_DEPTH, MAX_FILES, Tick, TooDeep, TooManyFiles, no_tick, read_listing
from forgeguard_app.threads import in_thread

_LINK, _FOLDER = b"120000 ", b"040000 "
_REGULAR = (b"100644 ", b"100755 ", b"100664 ")
MAX_KEPT_BYTES = 256 << 20  # of files that are held in memory at once: git packs hundreds of MB into some KB


@dataclass(frozen=True, slots=True)
class Blobs:
    """Contents by blob id; `too_large` were larger than the bound, `missing` were not there, `no_room` exceeded the
    bound on the sum.
    """

    data: dict[str, bytes]
    too_large: frozenset[str]
    missing: frozenset[str]
    no_room: frozenset[str]


def path_text(raw: bytes) -> str:
    """Return a path as text; bytes that are not UTF-8 survive as surrogates, so that no two paths fall together."""
    return raw.decode("utf-8", "surrogateescape")


class Files(dict[str, str]):
    """The regular files of a tree: path → blob id; `links` are the paths of its symbolic links, which are not
    followed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()


class _TreeReader:
    """Reads what `git ls-tree -r -t -z` prints.

    Folders are listed and counted too: trees that name one another hold millions of them without a single file.
    """

    def __init__(self, tick: Tick, max_files: int, max_depth: int) -> None:
        self.files = Files()
        self._tick, self._max_files, self._max_depth = tick, max_files, max_depth
        self._folders = self._others = 0

    def take(self, entries: list[bytes]) -> None:
        for entry in entries:
            head, _, path = entry.partition(b"\t")
            if head.startswith(_FOLDER):
                self._folders += 1
                if path.count(b"/") >= self._max_depth:
                    raise TooDeep(("ls-tree",), -1, f"more than {self._max_depth} folders one in another")
            elif head.startswith(_REGULAR):
                self.files[path_text(path)] = head.rsplit(b" ", 1)[1].decode("ascii")
            else:
                self._others += 1
                if head.startswith(_LINK):
                    self.files.links.add(path_text(path))
        self._tick()
        if max(len(self.files) + self._others, self._folders) > self._max_files:
            raise TooManyFiles(("ls-tree",), -1, f"more than {self._max_files} files or folders")


async def read_tree(
    repository: GitRepository,
    commit: str,
    tick: Tick = no_tick,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    *,
    max_files: int = MAX_FILES,
    max_depth: int = MAX_DEPTH,
) -> Files:
    """Return the regular files of a commit or tree; submodules are left out.

    Raises:
        TooManyFiles: it holds more files or folders than `max_files`, or their list is too long.
        TooDeep: more than `max_depth` folders lie one in another.
    """
    reader = _TreeReader(tick, max_files, max_depth)
    await read_listing(repository, ("ls-tree", "-r", "-t", "-z", "--full-tree", commit), reader.take, timeout_s)
    return reader.files


async def measure_blobs(repository: GitRepository, wanted: Iterable[str]) -> dict[str, int]:
    """Return the sizes in bytes of the blobs that are there."""
    names, ask = await in_thread(_asked, wanted)
    if not names:
        return {}
    out = await repository.run(
        "cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", "--buffer", stdin=ask
    )
    return await in_thread(_sizes, names, out)


def _asked(wanted: Iterable[str]) -> tuple[list[str], bytes]:
    """Return the names, each once, and how git is asked for them."""
    names = list(dict.fromkeys(wanted))
    return names, "\n".join(names).encode("ascii") + b"\n"


def _sizes(names: list[str], out: bytes) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, line in zip(names, out.decode("ascii", "replace").splitlines(), strict=False):
        fields = line.split()
        if len(fields) == 3 and fields[1] == "blob":
            found[name] = int(fields[2])
    return found


class BlobPiece(NamedTuple):
    """A part of a blob; `last` where it is the end of it."""

    blob: str
    data: bytes
    last: bool


async def stream_blobs(
    repository: GitRepository, names: Iterable[str], take: Callable[[Iterator[BlobPiece]], object], timeout_s: float
) -> None:
    """Give the blobs, which must be there, to `take`, piece by piece and in their order, in a thread."""
    wanted, ask = await in_thread(_asked, names)
    if not wanted:
        return
    reader = _BlobReader()
    async with repository.stream("cat-file", "--batch", "--buffer", stdin=ask, timeout_s=timeout_s) as chunks:
        async for chunk in chunks:
            await in_thread(take, reader.feed(chunk))


class _BlobReader:
    """Reads what `git cat-file --batch` writes, as it arrives."""

    def __init__(self) -> None:
        self._rest = b""
        self._blob, self._left = "", -1  # how much of the blob is still to come; -1 between two blobs

    def feed(self, data: bytes) -> Iterator[BlobPiece]:
        text, at = self._rest + data, 0
        while at < len(text):
            if self._left < 0:
                end = text.find(b"\n", at)
                if end == -1:
                    break
                name, kind, size = text[at:end].decode("ascii").split(" ")
                self._blob, self._left, at = name, int(size), end + 1
                if kind != "blob":
                    raise ValueError(f"git gave a {kind} for a blob")
            elif len(text) - at > self._left:  # with the line break behind it
                yield BlobPiece(self._blob, text[at : at + self._left], last=True)
                at, self._left = at + self._left + 1, -1
            else:
                part = text[at : at + self._left]
                at, self._left = at + len(part), self._left - len(part)
                if part:
                    yield BlobPiece(self._blob, part, last=False)
                break
        self._rest = text[at:]


async def read_blobs(
    repository: GitRepository,
    wanted: Iterable[str],
    limit: int = BIG_FILE_BYTES,
    max_kept_bytes: int = MAX_KEPT_BYTES,
) -> Blobs:
    """Return the contents of the blobs of at most `limit` bytes, the first ones that take `max_kept_bytes` together."""
    names = list(dict.fromkeys(wanted))
    sizes = await measure_blobs(repository, names)
    large = frozenset(name for name, size in sizes.items() if size > limit)
    kept: list[str] = []
    room = max_kept_bytes
    for name, size in sizes.items():
        if name not in large and size <= room:
            kept.append(name)
            room -= size
    data: dict[str, bytes] = {}
    parts: list[bytes] = []

    def take(pieces: Iterator[BlobPiece]) -> None:
        for piece in pieces:
            parts.append(piece.data)
            if piece.last:
                data[piece.blob] = b"".join(parts)
                parts.clear()

    await stream_blobs(repository, kept, take, DEFAULT_TIMEOUT_S)
    missing = frozenset(names) - sizes.keys()
    return Blobs(data, large, missing, frozenset(sizes) - large - set(kept))
