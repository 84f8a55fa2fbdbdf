"""The first configuration of a repository, true of its tree as it is: what is against it today is recorded, not
failed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from forgeguard_app.audit.boundaries.propose import PATH as BOUNDARIES_PATH
from forgeguard_app.audit.boundaries.propose import propose_boundaries
from forgeguard_app.audit.boundaries.record import known_entries, with_known
from forgeguard_app.audit.check_kinds import kind_with
from forgeguard_app.audit.check_settings import BOUNDARIES, IGNORE_MODULES
from forgeguard_app.audit.configuration import boundary_paths, configuration_paths, read_policy
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.languages import languages_reading
from forgeguard_app.audit.languages.language import Language
from forgeguard_app.audit.model import CheckCode, Finding, Level, Report
from forgeguard_app.audit.policy import PolicySettings
from forgeguard_app.evaluation.deadline import Deadline
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.facts_cache import HeldFacts
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.source import Source
from forgeguard_app.git.blobs import read_blobs, read_tree
from forgeguard_app.git.command import EMPTY_TREE
from forgeguard_app.threads import in_thread

CONFIGURATION = ".github/forgeguard.yml"
READ_AT_ONCE = 50  # files, each of up to 5 MB


@dataclass(frozen=True)
class FirstRules:
    """Files to add, and how the tree is evaluated by them. `existing` files are left as they are."""

    files: dict[str, str]
    existing: tuple[str, ...]
    recorded: int
    undeclared: tuple[str, ...]
    report: Report


async def propose_first(evaluator: Evaluator, source: Source, head: str) -> FirstRules:
    """Return the files that `forgeguard init` would write for the commit."""
    tree = Tree(await read_tree(source.repository, head))
    configured = configuration_paths(tree)
    bounded = await _has_boundaries(source, tree)
    files: dict[str, str] = {}
    recorded = 0
    if not bounded:
        text = await _boundaries(evaluator, source, tree)
        if text is not None:
            files[BOUNDARIES_PATH] = text
            entries = known_entries(_recordable(await _evaluated(evaluator, source, head, files)))
            recorded = len(entries)
            changed = await in_thread(with_known, text, entries)
            files[BOUNDARIES_PATH] = changed or text
    report = await _evaluated(evaluator, source, head, files)
    undeclared = _undeclared(report)
    if not configured:
        files[CONFIGURATION] = _configuration(undeclared)
        report = await _evaluated(evaluator, source, head, files)
    return FirstRules(files, (*configured, *bounded), recorded, tuple(undeclared), report)


async def _has_boundaries(source: Source, tree: Tree) -> tuple[str, ...]:
    texts: dict[str, bytes] = {}
    for path in configuration_paths(tree):
        await source.ensure({tree.blobs[path]})
        blobs = await read_blobs(source.repository, [tree.blobs[path]])
        texts[path] = blobs.data.get(tree.blobs[path], b"")
    policy, _ = await in_thread(read_policy, texts.get, tree, PolicySettings())
    named, _ = await in_thread(boundary_paths, policy, tree)
    return tuple(named)


async def _boundaries(evaluator: Evaluator, source: Source, tree: Tree) -> str | None:
    wanted: dict[str, set[Language]] = {}
    held = evaluator.cache.hold()
    for path in tree.source_paths:
        blob, languages = tree.blobs[path], languages_reading(path)
        if held.lacks(blob, frozenset(), languages):
            wanted.setdefault(blob, set()).update(languages)
    await source.ensure(set(wanted))
    deadline = Deadline(evaluator.timeout_s)
    async with deadline.limit():
        return await _drawn(held, source, tree, wanted, deadline)


async def _drawn(
    held: HeldFacts, source: Source, tree: Tree, wanted: Mapping[str, set[Language]], deadline: Deadline
) -> str | None:
    unread = list(wanted)
    for start in range(0, len(unread), READ_AT_ONCE):
        blobs = await read_blobs(source.repository, unread[start : start + READ_AT_ONCE])
        for blob, data in blobs.data.items():
            deadline.check()
            await in_thread(held.learn, blob, data, frozenset(), wanted[blob], deadline.check)
    return await in_thread(propose_boundaries, tree, Facts(held.sources, {}, tick=deadline.check))


async def _evaluated(evaluator: Evaluator, source: Source, head: str, files: dict[str, str]) -> Report:
    overlay = {path: text.encode() for path, text in files.items()}
    return await evaluator.evaluate(source, Request(head, EMPTY_TREE, whole_tree=True, overlay=overlay))


def _recordable(report: Report) -> list[tuple[str, str]]:
    """Return rule and path of the violations that a boundaries.json can record."""
    return [(finding.rule, finding.path) for finding in _failures(report, kind_with(BOUNDARIES).code)]


def _undeclared(report: Report) -> list[str]:
    """Return the modules whose imports fail today because no manifest declares them."""
    return sorted({finding.subject for finding in _failures(report, kind_with(IGNORE_MODULES).code)})


def _failures(report: Report, code: CheckCode) -> list[Finding]:
    check = next(check for check in report.checks if check.code is code)
    return [finding for finding in check.findings if finding.level is Level.FAILURE]


def _configuration(undeclared: list[str]) -> str:
    lines = ["# ForgeGuard: what is checked here. Every key is optional.", "gate: new"]
    if undeclared:
        lines += [
            "checks:",
            f"  {kind_with(IGNORE_MODULES).code}:",
            "    # Imported today although no manifest declares it. Declare them, then strike them out.",
            f"    ignore_modules: {json.dumps(undeclared)}",
        ]
    return "\n".join(lines) + "\n"
