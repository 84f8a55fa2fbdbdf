"""Reads git's patches as they arrive: which lines were added where.

The text comes from strangers and is never trusted to be whole.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from forgeguard_app.git.blobs import path_text

LONG_BYTES = 1 << 16  # of a line, after which its beginning is given before its end is there
MAX_UNSHOWN_BYTES = 64 << 20  # that unshown files take in memory: trees of some hundred bytes name millions
_SIGNS = (b"+", b"-", b" ", b"\\")
_HUNK = re.compile(rb"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")
_KEY = b"PRIVATE KEY"
_RAW = re.compile(rb":+((?:\d{6} )+)((?:[0-9a-f]{40,64} )+)[A-Z0-9]+\t")
_INDEX = re.compile(rb"index ([0-9a-f,]+)\.\.([0-9a-f]+)")
_ADDED_RUN = re.compile(rb"(?:\+[^\n]*+\n)++")
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


class Content(NamedTuple):
    """A blob under a path."""

    blob: str
    path: str


class Unshown(NamedTuple):
    """A file that changed and of which git does not show all lines that matter: binary, large, changed by a merge,
    moved, or with lines in a private key, of which those that are not added are not shown.

    `parents` are its contents before; those of files that are new are left out. `moved_from` are the paths at which
    the lines stood before that are not shown, where that is why.
    """

    commit: str
    path: str
    blob: str
    parents: tuple[Content, ...]
    moved_from: tuple[str, ...] = ()

    @property
    def weight(self) -> int:
        """Return about how many bytes it takes in memory."""
        names = sum(len(parent.path) for parent in self.parents if parent.path != self.path)
        return 300 + 4 * (len(self.path) + names) + 200 * len(self.parents)


def unquoted(raw: bytes) -> bytes:
    """Return a path as git writes it in a header, with its quotes and escapes undone."""
    raw = raw.removesuffix(b"\t")
    if not (raw.startswith(b'"') and raw.endswith(b'"') and len(raw) > 1):
        return raw
    return _QUOTED.sub(lambda m: bytes([int(m[1], 8) & 255]) if len(m[1]) == 3 else _ESCAPES.get(m[1], m[1]), raw[1:-1])


class PatchReader:
    """Reads a patch of any number of commits, each announced by a line of NUL and its id, in bounded memory.

    Needs a patch without context lines whose hunks start with '@@', with `--raw` and `--full-index` where unshown files
    matter. Of a merge there are raw lines alone (`-c --raw --combined-all-paths`). What does not look like a patch is
    passed over.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._commit, self._path, self._blob = "", "", ""
        self._file: Unshown | None = None  # whose lines are shown, unless it was given already
        self._in_hunk, self._number = False, 0
        self._running = False  # the last line that was read is added, and the next may continue it
        self._within: bytes | None = None  # the beginning of a long line was read: its sign
        self._changed: dict[str, deque[Unshown]] = {}  # of this commit, by the new blob
        self._changed_bytes = 0
        # What is passed over: headers that are longer than what is kept of a line, of which a file has two, and files
        # of one commit for whose names there is no room, which matters where git does not show their lines.
        self._long_raw = self._long_names = self.unkept = 0

    @property
    def long_headers(self) -> int:
        """Return of how many files the headers were too long to be kept."""
        return max(self._long_raw, self._long_names)

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
            if self._in_hunk and (match := _ADDED_RUN.match(text, at)):
                yield (added := self._run(match.group()))
                if _KEY in added.text:
                    yield from self._whole_file()
                at = match.end()
                continue
            if self._in_hunk and (match := _REMOVED_RUN.match(text, at)):
                at = match.end()
                continue
            yield from self._line(text[at : end - 1])
            at = end
        self._rest = text[at:]
        if len(self._rest) > LONG_BYTES:
            self._long_raw += self._rest.startswith(b":")
            self._long_names += not self._in_hunk and self._rest.startswith(b"+++ ")
            self._within, part, self._rest = self._rest[:1], self._rest, b""
            yield from self._long(part, first=True)

    def finish(self) -> Iterator[Added | Unshown]:
        """Take the end of the patch, whose last line may have no line break."""
        if self._rest:
            yield from self.feed(b"\n")
        self._running = False

    def _run(self, lines: bytes) -> Added:
        text = lines[1:].replace(b"\n+", b"\n")
        added = Added(self._commit, self._path, self._number, text, self._running)
        self._number += text.count(b"\n")
        self._running = True
        return added

    def _long(self, part: bytes, *, first: bool = False) -> Iterator[Added]:
        """Read a part of a line that is too long to be kept; only one that was added matters."""
        sign = self._within or b""
        if first and sign not in _SIGNS:
            self._in_hunk, self._running, self._path = False, False, ""  # a header of the next file
        if self._in_hunk and sign == b"+":
            yield Added(self._commit, self._path, self._number, part[1 if first else 0 :], self._running)
            self._running = True
            self._number += part.endswith(b"\n")
        elif self._in_hunk and part.endswith(b"\n"):
            self._count(sign)

    def _line(self, line: bytes) -> Iterator[Unshown]:
        mark = line[:1]
        if self._in_hunk and mark in _SIGNS:
            self._count(mark)
            return
        self._running = False
        if mark == b"\0":
            self._commit, self._in_hunk, self._path = line[1:].decode("ascii", "replace"), False, ""
            self._changed.clear()
            self._changed_bytes = 0
        elif line.startswith(b"diff "):
            self._in_hunk, self._path, self._blob, self._file = False, "", "", None
        elif mark == b"@" and self._path and (hunk := _HUNK.match(line)):
            self._in_hunk, self._number = True, int(hunk.group(1))
            if _KEY in line[hunk.end() :] and hunk.group(2) != b"0":
                yield from self._whole_file()
        elif not self._in_hunk:
            yield from self._header(line)

    def _count(self, sign: bytes) -> None:
        """Pass over a line of a hunk that is not added by the commit."""
        if sign not in (b"\\", b"-"):
            self._number += 1
            self._running = False

    def _header(self, line: bytes) -> Iterator[Unshown]:
        if line.startswith(b"+++ "):
            name = unquoted(line[4:])
            self._path = path_text(name[2:]) if name.startswith(b"b/") else ""
            self._file = self._next_waiting()
        elif line.startswith(b"index ") and (found := _INDEX.match(line)):
            self._blob = found.group(2).decode("ascii")
        elif line.startswith(b"Binary files ") and (changed := self._next_waiting()):
            yield changed
        elif line.startswith(b":") and (raw := _RAW.match(line)):
            changed = _changed_file(self._commit, raw, line[raw.end() :])
            if changed is None:
                return
            is_merge = line.startswith(b"::")
            if is_merge or changed.moved_from:
                yield changed
            if not is_merge and changed.blob not in (parent.blob for parent in changed.parents):
                self._wait_for(changed._replace(moved_from=()))

    def _whole_file(self) -> Iterator[Unshown]:
        """Yield the file whose lines are shown, once."""
        if self._file is not None:
            yield self._file
        self._file = None

    def _next_waiting(self) -> Unshown | None:
        """Return the next file of the present blob; raw lines and patches of a commit have the same order."""
        waiting = self._changed.get(self._blob)
        return waiting.popleft() if waiting else None

    def _wait_for(self, changed: Unshown) -> None:
        """Keep the file until its lines are shown or not."""
        self._changed_bytes += changed.weight
        if self._changed_bytes > MAX_UNSHOWN_BYTES:
            self.unkept += 1
        else:
            self._changed.setdefault(changed.blob, deque()).append(changed)


def _changed_file(commit: str, raw: re.Match[bytes], names: bytes) -> Unshown | None:
    *_, mode = raw.group(1).split()
    *before, blob = raw.group(2).decode("ascii").split()
    if not mode.startswith((b"100", b"120")):
        return None
    *old_paths, path = (path_text(unquoted(name)) for name in names.split(b"\t"))
    if len(old_paths) != len(before):  # git names them only where they may differ
        old_paths = [path] * len(before)
    parents = tuple(Content(*known) for known in zip(before, old_paths, strict=True) if known[0].strip("0"))
    if Content(blob, path) in parents:  # in another mode
        return None
    is_merge = len(before) > 1
    moved_from = tuple(old for old_blob, old in parents if old_blob == blob or (old != path and not is_merge))
    return Unshown(commit, path, blob, parents, moved_from)


class UnshownFiles:
    """The unshown files of a range, as many as fit into MAX_UNSHOWN_BYTES; `left_out` counts the others."""

    def __init__(self) -> None:
        self.items: list[Unshown] = []
        self.left_out = 0
        self._bytes = 0

    def add(self, item: Unshown) -> None:
        """Keep the file where there is room."""
        self._bytes += item.weight
        if self._bytes > MAX_UNSHOWN_BYTES:
            self.left_out += 1
        else:
            self.items.append(item)


def read_patch(data: bytes) -> Iterator[Added | Unshown]:
    """Give what a whole patch adds."""
    reader = PatchReader()
    yield from reader.feed(data)
    yield from reader.finish()
