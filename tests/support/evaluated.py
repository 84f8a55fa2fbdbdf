"""Evaluates small repositories as the command line does."""

from __future__ import annotations

from forgeguard_app.audit.model import CheckCode, CheckReport, Finding, Report
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.git.command import EMPTY_TREE, GitRepository
from tests.support.repositories import Files, WorkTree


async def evaluate(tree: WorkTree, base: str = EMPTY_TREE, head: str | None = None, **options: object) -> Report:
    """The report on base..head."""
    head = head or tree.git("rev-parse", "HEAD")
    request = Request(head, base, **options)  # type: ignore[arg-type]
    return await Evaluator().evaluate(LocalSource(GitRepository(tree.folder / ".git")), request)


async def evaluate_all(tree: WorkTree, files: Files) -> Report:
    """The report on a whole tree of these files."""
    tree.commit(files)
    return await evaluate(tree, whole_tree=True)


def check_of(report: Report, code: CheckCode) -> CheckReport:
    """One check of the report."""
    return next(check for check in report.checks if check.code is code)


def places(findings: tuple[Finding, ...] | list[Finding]) -> list[tuple[str, int, str]]:
    """Path, line and rule of each, in order."""
    return [(finding.path, finding.line, finding.rule) for finding in findings]
