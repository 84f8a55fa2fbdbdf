"""The command line within this process: a start costs more than what most tests ask of it."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import NamedTuple

from forgeguard_app.cli.main import main


class Done(NamedTuple):
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *arguments: str, **environment: str) -> Done:
    """Run `forgeguard` with these arguments in the folder, with these variables beside the environment's."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    before = dict(os.environ)
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        os.environ.update(environment)
        try:
            status = main(list(arguments))
        except SystemExit as left:  # argparse leaves so
            status = int(left.code or 0)
        finally:
            os.environ.clear()
            os.environ.update(before)
    return Done(status, _text(out), _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
