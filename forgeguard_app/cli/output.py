"""Hands a report out: to standard output, or to a file that is either whole or not there."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

from forgeguard_app.errors import UserError


def check_output(path: Path) -> None:
    """Refuse early a file that cannot be written, before the audit takes its time.

    Raises:
        UserError: its folder does not exist, or it is a folder itself.
    """
    try:
        is_folder = path.is_dir()
    except OSError as error:
        raise UserError(f"--output: {str(path)[:200]} cannot be written: {error.strerror}") from error
    if is_folder:
        raise UserError(f"--output: {path} is a folder; name a file")
    if not path.parent.is_dir():
        raise UserError(f"--output: the folder {path.parent} does not exist; create it first")


def write_file(path: Path, text: str) -> None:
    """Write the text and a line break; who reads the file meanwhile sees the old text or the new.

    Raises:
        UserError: it cannot be written.
    """
    data = (text + "\n").encode("utf-8", "backslashreplace")
    try:
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            path.write_bytes(data)  # a device or a pipe cannot be replaced
        else:
            _replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise UserError(f"--output: {path} cannot be written: {error.strerror or error}") from error


def _replace(path: Path, data: bytes) -> None:
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def print_text(text: str) -> None:
    """Print the text. A reader that went away, as `head` does, wants no more of it: that is no error.

    Raises:
        UserError: it cannot be written, as on a full disk.
    """
    if sys.stdout is None:
        return
    data = (text + "\n").encode("utf-8", "backslashreplace")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _silence()
    except OSError as error:
        _silence()
        raise UserError(f"the report cannot be written: {error.strerror or error}") from error


def _silence() -> None:
    """Let nothing try to write again what is still buffered, at the process's end."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)
