"""`forgeguard audit`: the same audit as the server's, on a local repository."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from forgeguard_app.audit.explain import explain, similar
from forgeguard_app.audit.model import Report, Result
from forgeguard_app.cli.formats import FORMATS
from forgeguard_app.errors import Temporary, UserError
from forgeguard_app.git.command import EMPTY_TREE, GitError
from forgeguard_app.git.range import resolve
from forgeguard_app.judging.judge import Judge
from forgeguard_app.judging.local_range import choose_range, open_repository
from forgeguard_app.judging.request import Request
from forgeguard_app.judging.source import LocalSource


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument(
        "path", nargs="?", default=".", type=Path, help="a folder inside the repository (default: here)"
    )
    parser.add_argument("--base", metavar="REV", help="judge what changed since this revision's merge base with head")
    parser.add_argument("--head", metavar="REV", help="the revision to judge (default: HEAD)")
    parser.add_argument(
        "--format", choices=sorted(FORMATS), default="text", help="how to print the report (default: text)"
    )
    parser.add_argument("--all", action="store_true", help="judge the whole tree; every finding counts as new")
    parser.add_argument("--staged", action="store_true", help="judge what is staged for the next commit")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    parser.add_argument(
        "--explain", metavar="RULE", help="say what a check or a rule finds and how to mend it, then end"
    )


def run(arguments: argparse.Namespace) -> int:
    """0 PASS or WARN (with --strict WARN is 1), 1 FAIL, 2 ERROR or bad usage."""
    if arguments.explain:
        return _explain(arguments.explain)
    if arguments.all and (arguments.base or arguments.staged):
        raise UserError("--all judges one whole tree: it goes with neither --base nor --staged")
    if arguments.staged and arguments.head:
        raise UserError("--staged judges the index: it does not go with --head")
    try:
        report = asyncio.run(_audit(arguments))
    except GitError as error:
        raise UserError(f"git could not read the repository: {error.stderr[:500]}") from error
    except Temporary as error:
        raise UserError(str(error)) from error
    print(FORMATS[arguments.format](report))
    return exit_status(report, strict=arguments.strict)


def exit_status(report: Report, *, strict: bool) -> int:
    """What the report means to a script."""
    if report.overall_result is Result.ERROR:
        return 2
    if report.overall_result is Result.FAIL:
        return 1
    return int(strict and any(check.result is Result.WARN for check in report.checks))


def _explain(rule: str) -> int:
    said = explain(rule)
    if said is None:
        hint = f"; did you mean {', '.join(similar(rule))}?" if similar(rule) else ""
        raise UserError(f"there is no rule {rule!r}{hint}")
    print(said)
    return 0


async def _audit(arguments: argparse.Namespace) -> Report:
    repository = await open_repository(arguments.path)
    source = LocalSource(repository)
    if arguments.all:
        head = await resolve(repository, arguments.head or "HEAD")
        if head is None:
            raise UserError(
                f"there is no commit {arguments.head!r} here" if arguments.head else "the repository has no commit yet"
            )
        return await Judge().judge(source, Request(head, EMPTY_TREE, everything=True))
    chosen = await choose_range(repository, arguments.base, arguments.head, staged=arguments.staged)
    if chosen.note and arguments.format == "text":
        print(
            f"Judging what changed {chosen.note}." if chosen.note.startswith("since") else f"Judging {chosen.note}.",
            file=sys.stderr,
        )
    return await Judge().judge(source, Request(chosen.head, chosen.base))
