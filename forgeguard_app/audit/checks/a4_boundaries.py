"""Boundary compliance: does code in one architectural layer reach for what its layer forbids?

What it finds: text that a layer must not contain (`forbidden`), imports it must not have (`forbidden_imports`,
`may_import`, `order`), modules without a layer (`exhaustive`) and cycles between layers (`acyclic`).

Why it hurts: a layer that reaches past its neighbour ties the two together; each later change costs more.

Example: `from app.db import engine` in `app/api/users.py`, where the layer of `app/api` may import services only.

How to mend it: call the layer in between, move the code where it belongs, or, for now, record the place under
`known_violations`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from forgeguard_app.audit.boundaries.graph import thinnest_links
from forgeguard_app.audit.boundaries.match import Edge, FileVerdict, Judge, LayerMap
from forgeguard_app.audit.boundaries.parse import Boundaries
from forgeguard_app.audit.facts import MAX_MATCHES, Facts, Tree
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.languages.unread import languages_of, listed
from forgeguard_app.audit.memo import Answers, Memo
from forgeguard_app.audit.model import Finding, Level, Problem
from forgeguard_app.audit.scope import Scope
from forgeguard_app.audit.secrets.masking import quoted


@dataclass(frozen=True, slots=True)
class Outcome:
    """Findings of one side of the comparison, and sentences for the summary."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    remarks: tuple[Problem, ...] = ()
    unread: str = ""  # files under import rules whose imports are not read, in words
    known: frozenset[int] = frozenset()
    capped: tuple[tuple[str, str], ...] = ()  # the files and patterns of which matches were left out


class _Context:
    """A judge with what it answered for one set of files and one boundaries.json."""

    def __init__(
        self, layer_map: LayerMap, tree: Tree, modules: ModuleIndex, level: Level, tick: Callable[[], object]
    ) -> None:
        boundaries = layer_map.boundaries
        self.judge = judge = Judge(layer_map, modules, level)
        self.layered: list[str] = []
        for path in tree.paths:
            tick()
            if judge.map.layers_of(path):
                self.layered.append(path)
        self.answers: Answers[FileVerdict] = Answers()
        self.outcomes: Answers[Outcome] = Answers()
        self.unplaced = _unplaced(judge) if boundaries.exhaustive else ()
        ruled = _under_import_rules(boundaries)
        covered = (path for path in self.layered if any(layer.name in ruled for layer in judge.map.layers_of(path)))
        self.unread = languages_of(covered) if ruled else Counter()


MAX_NAMED = 5
MAX_OUTCOMES = 8  # a base was a head before: its outcome is kept


def check(
    tree: Tree, facts: Facts, rules: Iterable[Boundaries], ignore: tuple[str, ...], level: Level, memo: Memo
) -> Outcome:
    """What the tree holds against the rules of every boundaries.json."""
    findings: list[Finding] = []
    remarks: list[Problem] = []
    unread: Counter[str] = Counter()
    capped: list[tuple[str, str]] = []
    modules = memo.modules(tree)
    for boundaries in rules:
        key = ("A4", boundaries, ignore, level, tree.paths)
        layer_map = memo.layers(boundaries, ignore)
        context = memo.context(key, lambda m=layer_map: _Context(m, tree, modules, level, facts.tick))  # type: ignore[misc]
        if len(context.outcomes) >= MAX_OUTCOMES:
            context.outcomes.clear()
        outcome = context.outcomes.get_or(tree.contents, lambda c=context: _judged(tree, facts, c))  # type: ignore[misc]
        findings.extend(outcome.findings)
        remarks.extend(_unused(boundaries, outcome.known))
        unread |= context.unread
        capped.extend(outcome.capped)
    said = listed(unread) if unread else ""
    notes = (f"The imports of {said} that import rules cover were not read.",) if said else ()
    return Outcome(tuple(findings), notes, tuple(remarks), said, capped=tuple(capped))


def beyond(capped: Iterable[tuple[str, str]], scope: Scope) -> tuple[str, ...]:
    """Return a sentence on the matches in the scope that were left out, none where there are none."""
    told = [f"{quoted(pattern)} in `{path}`" for path, pattern in capped if path in scope]
    if not told:
        return ()
    more = f" and {len(told) - MAX_NAMED:,} more" if len(told) > MAX_NAMED else ""
    return (f"matches after the first {MAX_MATCHES:,} of a pattern in a file: {', '.join(told[:MAX_NAMED])}{more}.",)


def _unused(boundaries: Boundaries, used: frozenset[int]) -> Iterable[Problem]:
    """Yield a remark for each known violation that no file has any more; one for a missing layer is remarked on already."""
    names = {layer.name for layer in boundaries.layers}
    for number, known in enumerate(boundaries.known_violations):
        if number not in used and known.layer in names:
            yield Problem(boundaries.path, known.line, 1, "this known violation matches nothing: it can be removed")


def _under_import_rules(boundaries: Boundaries) -> frozenset[str]:
    """Return the layers whose imports some rule looks at."""
    if boundaries.acyclic or boundaries.exhaustive:
        return frozenset(layer.name for layer in boundaries.layers)
    own = {layer.name for layer in boundaries.layers if layer.forbidden_imports or layer.may_import is not None}
    return frozenset(own | {name for group in boundaries.order for name in group})


def _judged(tree: Tree, facts: Facts, context: _Context) -> Outcome:
    judge, answers, blobs = context.judge, context.answers, tree.blobs
    verdicts: list[FileVerdict] = []
    arrows: dict[tuple[str, str], int] = {}
    for path in context.layered:
        blob = blobs[path]
        verdict = answers.get((path, blob))
        if verdict is None:
            facts.tick()  # what is known already costs less than looking at the clock
            verdict = answers.get_or((path, blob), lambda p=path, b=blob: _file(judge, p, b, facts))  # type: ignore[misc]
        verdicts.append(verdict)
        for arrow, number in verdict.arrows:
            arrows[arrow] = arrows.get(arrow, 0) + number
    findings = [finding for verdict in verdicts if verdict.findings for finding in verdict.findings]
    findings.extend(_without_layer(context, tree, facts))
    if links := thinnest_links(arrows):
        edges = (edge for verdict in verdicts for edge in verdict.edges)
        findings.extend(_cycles(edges, links, judge.level))
    known = frozenset(number for verdict in verdicts for number in verdict.known)
    capped = tuple(
        (path, pattern) for path, verdict in zip(context.layered, verdicts, strict=True) for pattern in verdict.capped
    )
    return Outcome(tuple(findings), known=known, capped=capped)


def _file(judge: Judge, path: str, blob: str, facts: Facts) -> FileVerdict:
    patterns = {rule.pattern for layer in judge.map.layers_of(path) for rule in layer.forbidden}
    matches = {pattern: facts.matches[blob, pattern] for pattern in patterns if (blob, pattern) in facts.matches}
    python = facts.python.get(blob) if path in judge.modules.paths else None
    return judge.file(path, python, matches)


def _unplaced(judge: Judge) -> tuple[tuple[str, str], ...]:
    """The modules without a layer below a package that holds a layer's module directly, with that package."""
    layered: set[str] = set()
    roots = {"", *judge.modules.roots}
    for path in judge.modules.paths:
        folder = path.rpartition("/")[0]
        if folder not in roots and judge.map.layers_of(path):
            layered.add(folder)
    found: list[tuple[str, str]] = []
    for path in sorted(judge.modules.paths):
        if judge.map.layers_of(path) or judge.map.is_ignored(path):
            continue
        folder = path.rpartition("/")[0]
        while folder and folder not in layered:
            folder = folder.rpartition("/")[0]
        if folder:
            found.append((path, folder))
    return tuple(found)


def _without_layer(context: _Context, tree: Tree, facts: Facts) -> Iterable[Finding]:
    for path, package in context.unplaced:
        python = facts.python.get(tree.blobs.get(path, ""))
        if path.rpartition("/")[2].startswith("__init__.") and python is not None and not python.has_code:
            continue
        yield Finding(
            path=path,
            line=1,
            end_line=1,
            rule=f"exhaustive/{package}",
            message=f"This module has no layer, though {package!r} is divided into layers: give it one in {context.judge.boundaries.path}",
            level=context.judge.level,
            subject=path,
        )


def _cycles(edges: Iterable[Edge], links: Mapping[tuple[str, str], tuple[str, ...]], level: Level) -> Iterable[Finding]:
    for edge in dict.fromkeys(edges):
        way = links.get((edge.source, edge.target))
        if way is None:
            continue
        back = " → ".join(repr(name) for name in (edge.source, *way))
        yield Finding(
            path=edge.path,
            line=edge.line,
            end_line=edge.end_line,
            column=edge.column,
            end_column=edge.end_column,
            rule=f"{edge.source}/acyclic/{edge.target}",
            message=f"Importing {edge.module!r} closes a cycle of layers: {back}",
            level=level,
            subject=edge.module,
        )
