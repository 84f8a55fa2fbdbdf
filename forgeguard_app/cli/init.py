"""`forgeguard init`: a first configuration that is true of the tree as it is."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from forgeguard_app.audit.masked_text import shown
from forgeguard_app.audit.model import Result
from forgeguard_app.audit.plain_text import escaped
from forgeguard_app.cli.targets import find_target
from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.evaluation.deadline import EvaluationTimeout
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.first_rules import FirstRules, propose_first
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.git.checkout import open_checkout
from forgeguard_app.git.command import GitError
from forgeguard_app.git.folder import commit_folder, list_work_tree
from forgeguard_app.git.locate import Location
from forgeguard_app.git.range import resolve


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("path", metavar="PATH", nargs="?", help="a folder of the repository (default: here)")


def run(arguments: argparse.Namespace) -> int:
    """0 once the files are written, or are there already."""
    target = find_target([arguments.path] if arguments.path is not None else [], [])
    if target.missing:
        raise UserError(f"{escaped(target.missing[0])} does not exist")
    if target.location is None:
        raise UserError(f"{target.folder} is not in a git repository: run `git init` there first")
    if target.location.work_tree is None:
        raise UserError(f"{target.folder} is a bare repository: run `forgeguard init` in a clone of it")
    root = target.location.work_tree
    try:
        first = asyncio.run(_propose(target.location, root))
    except GitError as error:
        raise UserError(f"git could not read the repository: {error.stderr}") from error
    except (RetryLater, EvaluationTimeout) as error:
        raise UserError(str(error)) from error
    _write(root, first)
    return 0


async def _propose(location: Location, root: Path) -> FirstRules:
    async with open_checkout(location) as checkout:
        head = await resolve(checkout.repository, "HEAD")
        if head is None:
            # Before the first commit, the rules are drawn from the files that git would add.
            head, _ = await commit_folder(checkout.view, root, await list_work_tree(checkout))
        return await propose_first(Evaluator(), LocalSource(checkout.view), head)


def _write(root: Path, first: FirstRules) -> None:
    for path in first.existing:
        print(f"{path} is there already and stays as it is.")
    written: list[str] = []
    for path, text in first.files.items():
        target = root / path
        if os.path.lexists(target):
            print(f"{path} is there already, uncommitted, and stays as it is.")
            continue
        if not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(root)):
            raise UserError(f"{path} would lie outside the repository, since a folder on its way is a symbolic link")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        written.append(path)
        print(f"Wrote {path}.")
    if first.recorded:
        print(f"{first.recorded} place(s) that go against the order are recorded in it as known violations.")
    if first.undeclared:
        print(f"Imported although undeclared: {', '.join(map(shown, first.undeclared))}.")
    if not any(path.endswith("boundaries.json") for path in (*first.files, *first.existing)):
        print("No Python package here has two parts, so there are no boundaries to draw yet.")
    if not written:
        print("Nothing was written. `forgeguard audit --all` shows what the rules find in the tree.")
        return
    result = first.report.overall_result
    well = "passes" if result is Result.PASS else f"gives {result.value}, and says where"
    print(f"Next: `git add {' '.join(written)}` and commit; then `forgeguard audit --all` {well}.")
