"""Reads trees and blobs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from forgeguard_app.git.command import BIG_FILE_BYTES, Repository

_REGULAR = ("100644", "100755", "100664")
MAX_TREE_BYTES = 512 << 20


@dataclass(frozen=True, slots=True)
class Blobs:
    """What was read, by blob id; `too_large` were larger than the bound, `missing` were not there."""

    data: dict[str, bytes]
    too_large: frozenset[str]
    missing: frozenset[str]


def path_text(raw: bytes) -> str:
    """A path as text; bytes that are not UTF-8 survive as surrogates, so that no two paths fall together."""
    return raw.decode("utf-8", "surrogateescape")


async def read_tree(repository: Repository, commit: str) -> dict[str, str]:
    """The regular files of a commit or tree: path → blob id. Symbolic links and submodules are left out."""
    out = await repository.run("ls-tree", "-r", "-z", "--full-tree", commit, max_bytes=MAX_TREE_BYTES)
    files: dict[str, str] = {}
    for entry in out.split(b"\0"):
        head, _, path = entry.partition(b"\t")
        if head[:6].decode("ascii", "replace") in _REGULAR:
            files[path_text(path)] = head.rsplit(b" ", 1)[1].decode("ascii")
    return files


async def read_index(repository: Repository) -> dict[str, str]:
    """The regular files of the index: path → blob id."""
    out = await repository.run("ls-files", "-s", "-z", max_bytes=MAX_TREE_BYTES)
    files: dict[str, str] = {}
    for entry in out.split(b"\0"):
        head, _, path = entry.partition(b"\t")
        fields = head.decode("ascii", "replace").split()
        if len(fields) == 3 and fields[0] in _REGULAR and fields[2] == "0":
            files[path_text(path)] = fields[1]
    return files


async def read_blobs(repository: Repository, wanted: Iterable[str], limit: int = BIG_FILE_BYTES) -> Blobs:
    """The contents of the blobs, those of more than `limit` bytes left out."""
    names = list(dict.fromkeys(wanted))
    if not names:
        return Blobs({}, frozenset(), frozenset())
    ask = "\n".join(names).encode("ascii") + b"\n"
    sizes = await repository.run(
        "cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", "--buffer", stdin=ask
    )
    fitting: list[str] = []
    large: set[str] = set()
    missing: set[str] = set()
    for name, line in zip(names, sizes.decode("ascii", "replace").splitlines(), strict=False):
        fields = line.split()
        if len(fields) != 3 or fields[1] != "blob":
            missing.add(name)
        elif int(fields[2]) > limit:
            large.add(name)
        else:
            fitting.append(name)
    data: dict[str, bytes] = {}
    if fitting:
        ask = "\n".join(fitting).encode("ascii") + b"\n"
        out = await repository.run("cat-file", "--batch", "--buffer", stdin=ask, max_bytes=2 << 30)
        data = _split(out)
    return Blobs(data, frozenset(large), frozenset(missing))


def _split(out: bytes) -> dict[str, bytes]:
    data: dict[str, bytes] = {}
    at = 0
    while at < len(out):
        end = out.index(b"\n", at)
        name, _, size = out[at:end].decode("ascii").split(" ")
        data[name] = out[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
    return data
