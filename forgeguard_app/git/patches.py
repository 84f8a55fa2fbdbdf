"""Reads git's patches as they arrive: which lines were added where.

The text comes from strangers and is never trusted to be whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from forgeguard_app.git.blobs import path_text

LONG_BYTES = 1 << 16  # of a line, after which its beginning is given before its end is there
_HUNK = re.compile(rb"@@+ (?:-\d+(?:,\d+)? )+\+(\d+)(?:,(\d+))? @@+")
_RAW = re.compile(rb":+((?:\d{6} )+)((?:[0-9a-f]{40,64} )+)[A-Z0-9]+\t")
_INDEX = re.compile(rb"index ([0-9a-f,]+)\.\.([0-9a-f]+)")
_REMOVED_RUN = re.compile(rb"(?:-[^\n]*+\n)++")
_ESCAPES = {
    b"n": b"\n",
    b"t": b"\t",
    b"r": b"\r",
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"v": b"\v",
    b"\\": b"\\",
    b'"': b'"',
}
_QUOTED = re.compile(rb"\\([0-7]{3}|.)")


class Added(NamedTuple):
    """Lines that one commit added and that stand together, each with its line break; `commit` is '' in a patch of no
    commit.

    With `continues` the text goes on where that of the Added before it ended, maybe within a line.
    """

    commit: str
    path: str
    first_line: int
    text: bytes
    continues: bool = False


class Unshown(NamedTuple):
    """A file that changed and whose lines git does not show: binary, large, or said to be so by an attribute.

    `parents` are the blobs that it had before; those of files that are new are left out.
    """

    commit: str
    path: str
    blob: str
    parents: tuple[str, ...]


def unquoted(raw: bytes) -> bytes:
    """Return a path as git writes it in a header, with its quotes and escapes undone."""
    raw = raw.removesuffix(b"\t")
    if not (raw.startswith(b'"') and raw.endswith(b'"') and len(raw) > 1):
        return raw
    return _QUOTED.sub(lambda m: bytes([int(m[1], 8) & 255]) if len(m[1]) == 3 else _ESCAPES.get(m[1], m[1]), raw[1:-1])


@lru_cache(maxsize=64)
def _added_run(parents: int) -> re.Pattern[bytes]:
    return re.compile(rb"(?:\+{%d}[^\n]*+\n)++" % parents)


class PatchReader:
    """Reads a patch of any number of commits, each announced by a line of NUL and its id, in bounded memory.

    Of a merge's combined patch the added lines are those that stand in no parent. Needs a patch without context lines
    whose hunks start with '@@', with `--raw` and `--full-index` where unshown files matter; what does not look like a
    patch is passed over.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._commit, self._path, self._blob = "", "", ""
        self._in_hunk, self._parents, self._number = False, 1, 0
        self._running = False  # the last line that was read is added, and the next may continue it
        self._within: bytes | None = None  # the beginning of a long line was read: its signs
        self._changed: dict[str, list[Unshown]] = {}  # of this commit, by the new blob
        self.long_paths = 0  # headers that are longer than what is kept of a line: the lines below them are passed over

    def feed(self, data: bytes) -> Iterator[Added | Unshown]:
        """Take the next bytes of the patch; give what they complete."""
        text = self._rest + data if self._rest else data
        at = 0
        if self._within is not None:
            end = text.find(b"\n") + 1
            yield from self._long(text[: end or len(text)])
            at = end or len(text)
            if end:
                self._within = None
        while (end := text.find(b"\n", at) + 1) > 0:
            if self._in_hunk and text.startswith(b"+" * self._parents, at):
                match = _added_run(self._parents).match(text, at)
                if match is not None:
                    yield self._run(match.group())
                    at = match.end()
                    continue
            if self._in_hunk and self._parents == 1 and (match := _REMOVED_RUN.match(text, at)):
                at = match.end()
                continue
            yield from self._line(text[at : end - 1])
            at = end
        self._rest = text[at:]
        if len(self._rest) > LONG_BYTES:
            self.long_paths += not self._in_hunk and self._rest.startswith(b"+++ ")
            self._within, part, self._rest = self._rest[: self._parents], self._rest, b""
            yield from self._long(part, first=True)

    def finish(self) -> Iterator[Added | Unshown]:
        """Take the end of the patch, whose last line may have no line break."""
        if self._rest:
            yield from self.feed(b"\n")
        self._running = False

    def _run(self, lines: bytes) -> Added:
        signs = b"+" * self._parents
        text = lines[self._parents :].replace(b"\n" + signs, b"\n")
        added = Added(self._commit, self._path, self._number, text, self._running)
        self._number += text.count(b"\n")
        self._running = True
        return added

    def _long(self, part: bytes, *, first: bool = False) -> Iterator[Added]:
        """Read a part of a line that is too long to be kept; only one that was added matters."""
        signs = self._within or b""
        if self._in_hunk and signs == b"+" * self._parents:
            yield Added(self._commit, self._path, self._number, part[len(signs) if first else 0 :], self._running)
            self._running = True
            self._number += part.endswith(b"\n")
        elif self._in_hunk and part.endswith(b"\n"):
            self._count(signs)

    def _line(self, line: bytes) -> Iterator[Unshown]:
        mark = line[:1]
        if self._in_hunk and mark in (b"+", b"-", b" ", b"\\"):
            self._count(line[: self._parents])
            return
        self._running = False
        if mark == b"\0":
            self._commit, self._in_hunk, self._path = line[1:].decode("ascii", "replace"), False, ""
            self._changed.clear()
        elif line.startswith(b"diff "):
            self._in_hunk, self._path, self._blob = False, "", ""
        elif mark == b"@" and self._path and (hunk := _HUNK.match(line)):
            self._in_hunk, self._parents = True, line.index(b" ") - 1
            self._number = int(hunk.group(1))
        elif not self._in_hunk:
            yield from self._header(line)

    def _count(self, signs: bytes) -> None:
        """Pass over a line of a hunk that is not added by the commit."""
        if signs[:1] != b"\\" and b"-" not in signs:
            self._number += 1
            self._running = False

    def _header(self, line: bytes) -> Iterator[Unshown]:
        if line.startswith(b"+++ "):
            name = unquoted(line[4:])
            self._path = path_text(name[2:]) if name.startswith(b"b/") else ""
        elif line.startswith(b"index ") and (found := _INDEX.match(line)):
            self._blob = found.group(2).decode("ascii")
        elif line.startswith(b"Binary files ") and (waiting := self._changed.get(self._blob)):
            yield waiting.pop(0)
        elif line.startswith(b":") and (raw := _RAW.match(line)):
            self._note(raw, line[raw.end() :])

    def _note(self, raw: re.Match[bytes], names: bytes) -> None:
        *_, mode = raw.group(1).split()
        *before, blob = raw.group(2).decode("ascii").split()
        if mode.startswith(b"100") and blob not in before:  # else the same contents under another name or mode
            path = path_text(unquoted(names.rpartition(b"\t")[2]))
            parents = tuple(name for name in before if name.strip("0"))
            self._changed.setdefault(blob, []).append(Unshown(self._commit, path, blob, parents))


def read_patch(data: bytes) -> Iterator[Added | Unshown]:
    """Give what a whole patch adds."""
    reader = PatchReader()
    yield from reader.feed(data)
    yield from reader.finish()
