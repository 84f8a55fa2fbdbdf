"""Reads git's patches: which lines were added where. The text comes from strangers and is never trusted to be whole."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from forgeguard_app.git.blobs import path_text

_HUNK = re.compile(rb"@@+ (?:-\d+(?:,\d+)? )+\+(\d+)(?:,(\d+))? @@+")
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
    """Lines that one commit added and that stand together; `commit` is '' in a patch of no commit."""

    commit: str
    path: str
    first_line: int
    lines: tuple[bytes, ...]


def unquoted(raw: bytes) -> bytes:
    """A path as git writes it in a header, with its quotes and escapes undone."""
    raw = raw.removesuffix(b"\t")
    if not (raw.startswith(b'"') and raw.endswith(b'"') and len(raw) > 1):
        return raw
    return _QUOTED.sub(lambda m: bytes([int(m[1], 8) & 255]) if len(m[1]) == 3 else _ESCAPES.get(m[1], m[1]), raw[1:-1])


def read_patch(data: bytes) -> Iterator[Added]:
    """The added lines of a patch of any number of commits, each announced by a line of NUL and its id.

    Of a merge's combined patch these are the lines that stand in no parent. Needs a patch without context lines
    whose hunks start with '@@'; what does not look like one is passed over.
    """
    commit, path = "", ""
    in_hunk, parents, number = False, 1, 0
    run: list[bytes] = []
    first = 0
    for line in data.split(b"\n"):
        mark = line[:1]
        if in_hunk and mark in (b"+", b"-", b" ", b"\\"):
            signs = line[:parents]
            if mark == b"\\" or b"-" in signs:
                continue
            if signs == b"+" * parents:
                first = first if run else number
                run.append(line[parents:])
            elif run:
                yield Added(commit, path, first, tuple(run))
                run = []
            number += 1
            continue
        if run:
            yield Added(commit, path, first, tuple(run))
            run = []
        if mark == b"\0":
            commit, in_hunk = line[1:].decode("ascii", "replace"), False
        elif line.startswith(b"diff "):
            in_hunk, path = False, ""
        elif mark == b"@" and path and (hunk := _HUNK.match(line)):
            in_hunk, parents = True, line.index(b" ") - 1
            number = int(hunk.group(1))
        elif not in_hunk and line.startswith(b"+++ "):
            name = unquoted(line[4:])
            path = path_text(name[2:]) if name.startswith(b"b/") else ""
    if run:
        yield Added(commit, path, first, tuple(run))
