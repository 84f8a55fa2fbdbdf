"""Finds the values that a builder was given in what it left, before anything of it is committed or pushed."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

PIECE_BYTES = 8 << 20
_BETWEEN = b" \t\n\r\f\v\0"  # what wraps base64, and what UTF-16 puts between letters


def find_given(folder: Path, paths: Iterable[str], forms: Sequence[bytes]) -> str | None:
    """Return the first of these files or links of the folder whose content or target holds one of the forms.

    A name that holds one is given as "A file's name". Blanks, line breaks and NUL bytes within a form are passed over;
    forms are found backwards and in base32 too.
    """
    wanted = [form.translate(None, _BETWEEN) for form in forms]
    wanted += [form[::-1] for form in wanted]
    wanted += [base64.b32encode(form).rstrip(b"=")[:-1] for form in forms]
    if not wanted:
        return None
    overlap = 4 * max(map(len, wanted))
    for name in paths:
        if _holds(os.fsencode(name), wanted):
            return "A file's name"
        if any(_holds(text, wanted) for text in _pieces(folder / name, overlap)):
            return name
    return None


def _holds(text: bytes, wanted: Sequence[bytes]) -> bool:
    whole = text.translate(None, _BETWEEN)
    return any(form in whole for form in wanted)


def _pieces(path: Path, overlap: int) -> Iterator[bytes]:
    """Give a link's target, or the file piece by piece; each begins with the end of the one before."""
    if path.is_symlink():
        yield os.fsencode(os.readlink(path))
    elif path.is_file():
        before = b""
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield before + piece
                before = piece[-overlap:]
