"""`forgeguard init`: a first configuration that is true of the tree as it is."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from forgeguard_app.audit.model import Result
from forgeguard_app.errors import Temporary, UserError
from forgeguard_app.git.command import GitError
from forgeguard_app.git.range import resolve
from forgeguard_app.judging.first_rules import FirstRules, propose_first
from forgeguard_app.judging.judge import Judge
from forgeguard_app.judging.local_range import open_repository
from forgeguard_app.judging.source import LocalSource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("path", nargs="?", default=".", type=Path, help="the root of the repository (default: here)")


def run(arguments: argparse.Namespace) -> int:
    """0 once the files are written, or are there already."""
    try:
        first = asyncio.run(_propose(arguments.path))
    except GitError as error:
        raise UserError(f"git could not read the repository: {error.stderr[:500]}") from error
    except Temporary as error:
        raise UserError(str(error)) from error
    _write(_root(arguments.path), first)
    return 0


async def _propose(path: Path) -> FirstRules:
    repository = await open_repository(path)
    head = await resolve(repository, "HEAD")
    if head is None:
        raise UserError("the repository has no commit yet: commit first, the rules are drawn from what is committed")
    return await propose_first(Judge(), LocalSource(repository), head)


def _root(path: Path) -> Path:
    folder = (path if path.is_dir() else path.parent).resolve()
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def _write(root: Path, first: FirstRules) -> None:
    for path in first.there:
        print(f"{path} is there already and stays as it is.")
    for path, text in first.files.items():
        target = root / path
        if os.path.lexists(target):
            print(f"{path} is there already, uncommitted, and stays as it is.")
            continue
        if not target.parent.resolve().is_relative_to(root.resolve()):
            raise UserError(f"{path} would lie outside the repository, since a folder on its way is a symbolic link")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        print(f"Wrote {path}.")
    if first.recorded:
        print(f"{first.recorded} place(s) that go against the order are recorded in it as known violations.")
    if first.undeclared:
        print(f"Imported although undeclared: {', '.join(first.undeclared)}.")
    if not any(path.endswith("boundaries.json") for path in (*first.files, *first.there)):
        print("No Python package here has two parts, so there are no boundaries to draw yet.")
    if first.files:
        result = first.report.overall_result
        well = "passes" if result is Result.PASS else f"gives {result.value}: see `forgeguard audit --all`"
        print(f"Commit it; with it `forgeguard audit --all` {well}.")
