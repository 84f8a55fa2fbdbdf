"""Reads the lists of files that git prints, piece by piece, and within bounds on their number, depth and length."""

from __future__ import annotations

from collections.abc import Callable

from forgeguard_app.git.command import DEFAULT_TIMEOUT_S, GitRepository, GitTooLarge
from forgeguard_app.threads import in_thread

# A few trees that name one another hold millions of files in some kilobytes of objects. A file takes about 1 kB of
# memory for each audit, with its base and what changed; repositories of 100,000 files have room for five times as many.
MAX_FILES = 500_000
# Linux opens no path of more than 4,096 bytes. git itself dies of a full stack between 5,000 and 20,000 folders, and
# newer ones refuse 2,048: https://git-scm.com/docs/git-config#Documentation/git-config.txt-coremaxTreeDepth
MAX_DEPTH = 1_000
MAX_LIST_BYTES = 128 << 20
MAX_PATH_BYTES = 16_384  # a path is compared with globs that strangers write, at the cost of the one times the other
_BESIDE_PATH_BYTES = 200  # mode, kind and object in front of a path
WIDE = 4  # bytes that Python keeps of each character of a text that holds one beyond U+FFFF
Tick = Callable[[], object]


class TooManyFiles(GitTooLarge):
    """A list of files is longer than is read."""

    reason = (
        "The commit holds or changes more files, or longer paths, than are read. "
        f"At most {MAX_FILES:,} files, in as many folders, are evaluated, a path may have at most {MAX_PATH_BYTES:,} "
        f"bytes, and the list of them may take at most {MAX_LIST_BYTES >> 20} MB."
    )


class TooDeep(GitTooLarge):
    """A tree has folders deeper in one another than are read."""

    reason = f"The commit holds more than {MAX_DEPTH:,} folders one in another; deeper ones are not evaluated."


def no_tick() -> None:
    """Raise nothing: there is no limit."""


async def read_listing(
    repository: GitRepository,
    arguments: tuple[str, ...],
    take: Callable[[list[bytes]], object],
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> None:
    """Give the fields that git prints, each with a NUL behind it, to `take`, piece by piece, in a thread.

    Raises:
        TooManyFiles: they take more than MAX_LIST_BYTES, in memory where they are not ASCII, or a path is longer than
            MAX_PATH_BYTES.
    """
    fields, size_bytes = _Fields(), 0

    def give(piece: bytes) -> None:
        found = fields.feed(piece)
        if max(map(len, found), default=0) > MAX_PATH_BYTES + _BESIDE_PATH_BYTES:
            raise TooManyFiles(arguments, -1, f"a path of more than {MAX_PATH_BYTES} bytes")
        take(found)

    async with repository.stream(*arguments, timeout_s=timeout_s) as chunks:
        async for chunk in chunks:
            size_bytes += len(chunk) if chunk.isascii() else len(chunk) * WIDE
            if size_bytes > MAX_LIST_BYTES:
                raise TooManyFiles(arguments, -1, f"more than {MAX_LIST_BYTES} bytes")
            await in_thread(give, chunk)


def split_fields(out: bytes, errors: str = "surrogateescape") -> list[str]:
    """Return the fields that git printed, each with a NUL behind it.

    `errors` says what becomes of bytes that are no UTF-8: surrogates, or "replace".
    Lists of git may take hundreds of megabytes: call it in a thread.
    """
    return out.decode("utf-8", errors).split("\0")[:-1]


class _Fields:
    """Splits what arrives in pieces at its NULs. A long field is joined once."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        whole, end, rest = piece.rpartition(b"\0")
        if not end:
            self._begun.append(piece)
            return []
        found = b"".join((*self._begun, whole)).split(b"\0")
        self._begun = [rest]
        return found
