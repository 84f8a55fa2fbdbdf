"""`forgeguard audit`: the same audit as the server's, on a local repository or folder."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from forgeguard_app.audit.model import CheckCode, Report
from forgeguard_app.audit.plain_text import escaped
from forgeguard_app.audit.scope import EVERYWHERE, Scope
from forgeguard_app.cli.explaining import explanation
from forgeguard_app.cli.formats import FORMATS
from forgeguard_app.cli.outcome import CommandOutcome
from forgeguard_app.cli.output import check_output, print_text, write_file
from forgeguard_app.cli.targets import Target, find_target
from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.evaluation.deadline import EvaluationTimeout
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.local_range import LocalRange, choose_range, staged_range, whole_tree
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.evaluation_limits import load_evaluation_timeout_s
from forgeguard_app.git.checkout import Checkout, open_checkout, open_view
from forgeguard_app.git.command import EMPTY_TREE, HOW_TO_COMPLETE, GitError, GitLacksObjects, GitTooLarge
from forgeguard_app.git.folder import commit_folder, list_files
from forgeguard_app.git.range import has_path

TAKES_FILES = True  # what stands after `--` arrives in arguments.files
EPILOG = """\
exit status:
  0  PASS, or WARN
  1  FAIL; with --strict, WARN too
  2  ERROR: the configuration is broken, the arguments are wrong, or the repository cannot be read

FILE… after -- narrows the report to these files, as the pre-commit framework passes them.

With --staged, --strict is the default: a hook that lets a secret pass is useless. The base of --staged is the last
commit, also for `git commit --amend`; with `--base HEAD~1` everything that the amended commit adds is audited.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.usage = "forgeguard audit [options] [PATH] [-- FILE…]"
    parser.add_argument(
        "path",
        metavar="PATH",
        nargs="*",
        help="the repository, or a folder or file of one, which alone is reported then (default: the repository here)",
    )
    parser.add_argument("--base", metavar="REV", help="audit what changed since this revision's merge base with head")
    parser.add_argument("--head", metavar="REV", help="the revision to audit (default: HEAD)")
    parser.add_argument(
        "--format", choices=sorted(FORMATS), default="text", help="how to write the report (default: text)"
    )
    parser.add_argument(
        "--all", action="store_true", help="audit the whole tree of head, or a folder without git; all findings are new"
    )
    parser.add_argument("--staged", action="store_true", help="audit what git would commit now, as a pre-commit hook")
    parser.add_argument(
        "--strict",
        action=argparse.BooleanOptionalAction,
        help="exit with 1 for warnings too (default: with --staged alone)",
    )
    parser.add_argument(
        "--check",
        metavar="CODE",
        action="append",
        type=_check_code,
        help=f"run this check alone: {', '.join(CheckCode)}; may be repeated",
    )
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="write the report to this file, or with - to standard output"
    )
    parser.add_argument("--quiet", action="store_true", help="print the findings that count and the last line, no more")
    parser.add_argument(
        "--explain", metavar="RULE", help="say what a check or a rule finds and how to fix it, and audit nothing"
    )


def _check_code(text: str) -> CheckCode:
    try:
        return CheckCode(text.upper())
    except ValueError:
        raise argparse.ArgumentTypeError(f"there is no check {text!r}; there are {', '.join(CheckCode)}") from None


def run(arguments: argparse.Namespace) -> int:
    """0 PASS or WARN (with --strict WARN is 1), 1 FAIL, 2 ERROR or bad usage."""
    if arguments.explain is not None:
        print_text(explanation(arguments.explain, arguments.path))
        return 0
    _refuse_combinations(arguments)
    if arguments.output == Path("-"):
        arguments.output = None
    if arguments.output:
        check_output(arguments.output)
    before = signal.signal(signal.SIGTERM, _end)
    try:
        outcome = asyncio.run(_audit(arguments))
    except GitTooLarge as error:
        raise UserError(error.reason) from error
    except GitError as error:
        more = f"; {HOW_TO_COMPLETE}" if isinstance(error, GitLacksObjects) else ""
        raise UserError(f"git could not read the repository: {error.stderr}{more}") from error
    except (RetryLater, EvaluationTimeout) as error:
        raise UserError(str(error)) from error
    finally:
        signal.signal(signal.SIGTERM, before)
    text = FORMATS[arguments.format](outcome)
    if arguments.output is None:
        print_text(text)
        return outcome.exit_status
    write_file(arguments.output, text)
    if not arguments.quiet:
        print(f"Wrote {arguments.output}. {outcome.last_line()}", file=sys.stderr)
    return outcome.exit_status


def _end(number: int, frame: object) -> NoReturn:
    """End as SIGTERM asks, with what is temporary removed."""
    raise SystemExit(128 + number)


def _refuse_combinations(arguments: argparse.Namespace) -> None:
    if arguments.all and (arguments.base is not None or arguments.staged):
        raise UserError("--all audits one whole tree: it goes with neither --base nor --staged")
    if arguments.staged and arguments.head is not None:
        raise UserError("--staged audits what git would commit now: it does not go with --head")
    for option in ("base", "head"):
        if getattr(arguments, option) == "":
            raise UserError(f"--{option} is empty; name a revision, such as main or HEAD~1")


async def _audit(arguments: argparse.Namespace) -> CommandOutcome:
    target = find_target(arguments.path, arguments.files)
    asked = _Asked(arguments, target.scope, frozenset(arguments.check or CheckCode))
    if target.location is None:
        return await _audit_folder(asked, target.folder)
    async with open_checkout(target.location) as checkout:
        chosen = await _choose(asked, checkout)
        await _refuse_unknown(checkout, chosen, target)
        request = replace(
            asked.request(chosen.head, chosen.base),
            staged=arguments.staged,
            merged=chosen.merged,
            notes=(*chosen.notes, *await _uncommitted(asked, checkout)),
        )
        report = await Evaluator(timeout_s=load_evaluation_timeout_s()).evaluate(LocalSource(checkout.view), request)
        uri = await checkout.remote_uri() if arguments.format == "sarif" else None  # no other format names it
        return asked.outcome(report, chosen.heading, uri)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The range and the paths that the command line names."""

    arguments: argparse.Namespace
    scope: Scope
    checks: frozenset[CheckCode]

    def request(self, head: str, base: str) -> Request:
        """Return what to evaluate."""
        return Request(head, base, whole_tree=self.arguments.all, scope=self.scope, checks=self.checks)

    def outcome(self, report: Report, heading: str, repository_uri: str | None = None) -> CommandOutcome:
        """Return the report with what the person wants of it."""
        strict, staged = self.arguments.strict, self.arguments.staged
        return CommandOutcome(
            report, staged if strict is None else strict, staged, self.arguments.quiet, heading, repository_uri
        )


async def _choose(asked: _Asked, checkout: Checkout) -> LocalRange:
    arguments = asked.arguments
    if arguments.staged and checkout.location.work_tree is None and "GIT_INDEX_FILE" not in os.environ:
        raise UserError(f"{checkout.location.git_folder} is a bare repository: it has no index, so nothing is staged")
    if arguments.staged:
        return await staged_range(checkout, arguments.base, os.environ)
    if not arguments.all:
        return await choose_range(checkout, arguments.base, arguments.head)
    return await whole_tree(checkout, arguments.head)


async def _refuse_unknown(checkout: Checkout, chosen: LocalRange, target: Target) -> None:
    """Refuse a path that exists nowhere, instead of an empty report."""
    for path in target.missing:
        (inside,) = target.scope.paths
        if not any([await has_path(checkout.view, commit, inside) for commit in (chosen.head, chosen.base)]):
            raise UserError(f"{escaped(path)} does not exist")


async def _uncommitted(asked: _Asked, checkout: Checkout) -> tuple[str, ...]:
    """Say that there are changes which no commit holds and this audit did not read."""
    if asked.arguments.staged or asked.arguments.head is not None or checkout.location.work_tree is None:
        return ()
    try:
        paths = [path for path in await checkout.list_uncommitted() if path.rstrip("/") in asked.scope]
    except GitError:
        return ("Whether there are uncommitted changes could not be found out; they were not read.",)
    if not paths:
        return ()
    shown = ", ".join(f"`{path}`" for path in paths[:3]) + (", …" if len(paths) > 3 else "")
    return (
        f"Uncommitted changes were not read ({len(paths)}: {shown}); `forgeguard audit --staged` reads what is staged.",
    )


async def _audit_folder(asked: _Asked, folder: Path) -> CommandOutcome:
    if not asked.arguments.all:
        raise UserError(
            f"{folder} is not in a git repository: `forgeguard audit --all` audits a folder without git,"
            " and `git init` with a first commit makes it a repository"
        )
    if asked.arguments.head is not None:
        raise UserError(f"{folder} is not in a git repository: --head means nothing here")
    async with open_view() as view:
        names = list_files(folder) if asked.scope == EVERYWHERE else sorted(asked.scope.paths)
        head, left_out = await commit_folder(view, folder, names)
        request = replace(asked.request(head, EMPTY_TREE), staged=True, incomplete=left_out)
        report = await Evaluator(timeout_s=load_evaluation_timeout_s()).evaluate(LocalSource(view), request)
    return asked.outcome(report, f"the folder {folder}, which is no git repository")
