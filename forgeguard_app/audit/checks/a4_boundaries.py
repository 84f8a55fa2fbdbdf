"""Boundary compliance: does code in one architectural layer reach for what its layer forbids?

What it finds: text that a layer must not contain (`forbidden`), imports it must not have (`forbidden_imports`,
`may_import`, `order`), modules without a layer (`exhaustive`) and cycles between layers (`acyclic`).

Why it hurts: a layer that reaches past its neighbour ties the two together; each later change costs more.

Example: `from app.db import engine` in `app/api/users.py`, where the layer of `app/api` may import services only.

How to fix it: call the layer in between, move the code where it belongs, or, for now, record the place under
`known_violations`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from itertools import islice, product

from forgeguard_app.audit.boundaries.graph import thinnest_links
from forgeguard_app.audit.boundaries.layer_map import LayerMap
from forgeguard_app.audit.boundaries.match import (
    MAX_FILE_FINDINGS,
    BoundaryMatcher,
    Edge,
    FileVerdict,
    shown_name,
)
from forgeguard_app.audit.boundaries.own_rules import own_rules
from forgeguard_app.audit.boundaries.parse import Boundaries
from forgeguard_app.audit.boundaries.record import known_entry
from forgeguard_app.audit.check import Change, CheckOutcome, CheckRecord
from forgeguard_app.audit.check_kinds import kind_with
from forgeguard_app.audit.check_settings import BOUNDARIES
from forgeguard_app.audit.configuration import EffectiveConfig
from forgeguard_app.audit.facts import MAX_MATCHES, Facts, Tree
from forgeguard_app.audit.fingerprints import mark_in_scope
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.languages.unread import languages_of, listed
from forgeguard_app.audit.memo import AnswerCache, Memo
from forgeguard_app.audit.model import Finding, Level, Problem
from forgeguard_app.audit.scope import Scope
from forgeguard_app.audit.secrets.masking import quoted


@dataclass(frozen=True, slots=True)
class BoundarySide:
    """Findings of one side of the comparison, and sentences for the summary."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    remarks: tuple[Problem, ...] = ()
    unread: str = ""  # files under import rules whose imports are not read, in words
    known: frozenset[int] = frozenset()
    capped: tuple[tuple[str, str], ...] = ()  # the files and patterns of which matches were left out
    full: tuple[str, ...] = ()  # files of which not all violations are among the findings
    partly: tuple[tuple[str, str], ...] = ()  # the files and patterns of which long matches were not looked for


class _BoundaryContext:
    """A `BoundaryMatcher` with what it answered for one set of files and one boundaries.json."""

    def __init__(
        self, layer_map: LayerMap, tree: Tree, modules: ModuleIndex, level: Level, tick: Callable[[], object]
    ) -> None:
        boundaries = layer_map.boundaries
        self.matcher = matcher = BoundaryMatcher(layer_map, modules, level)
        self.layered: list[str] = []
        for path in tree.paths:
            tick()
            if matcher.map.layers_of(path):
                self.layered.append(path)
        self.answers: AnswerCache[FileVerdict] = AnswerCache()
        self.outcomes: AnswerCache[BoundarySide] = AnswerCache()
        self.unplaced = _unplaced(matcher, tick) if boundaries.exhaustive else ()
        ruled = _under_import_rules(boundaries)
        self.unread = languages_of(_under(ruled, self.layered, matcher, tick)) if ruled else Counter()

    @property
    def bytes(self) -> int:
        """About what the answers take in memory."""
        return self.answers.bytes + self.outcomes.bytes


KIND = kind_with(BOUNDARIES)
MAX_NAMED = 5
MAX_TREE_FINDINGS = 100_000  # compared with those of the base
MAX_TREE_EDGES = 1_000_000  # imports from layer to layer that are compared for cycles
MAX_WAY = 12  # layers of a cycle that are named
MAX_OUTCOMES = 8  # a base was a head before: its outcome is kept


def evaluate(change: Change, facts: Facts, config: EffectiveConfig, memo: Memo) -> CheckOutcome:
    """Return the violations at head, marked against those of the base."""
    rules = [file for file in config.boundaries if file.layers]
    if not rules:
        return CheckOutcome(nothing="no boundaries.json" if not config.boundaries else "boundaries.json has no layers")
    policy = config.policy[KIND.code]

    def side(tree: Tree) -> BoundarySide:
        return check(tree, facts, rules, policy.ignore, policy.level, memo)

    head = side(change.head)
    base = () if change.whole_tree else side(change.base).findings
    others = [side(tree).findings for tree, _ in change.other_parents]
    findings = mark_in_scope(KIND.code, change, head.findings, base, others)
    incomplete = beyond(head, change.scope)
    unread = f"imports of {head.unread} were not read" if head.unread else ""
    return CheckOutcome(findings, notes=head.notes, incomplete=incomplete, remarks=head.remarks, unread=unread)


def check(
    tree: Tree, facts: Facts, rules: Iterable[Boundaries], ignore: tuple[str, ...], level: Level, memo: Memo
) -> BoundarySide:
    """Evaluate the tree by the rules of every boundaries.json."""
    findings: list[Finding] = []
    remarks: list[Problem] = []
    unread: Counter[str] = Counter()
    capped: list[tuple[str, str]] = []
    full: list[str] = []
    partly: list[tuple[str, str]] = []
    modules = memo.modules(tree)
    for boundaries in rules:
        key = ("boundaries", boundaries, ignore, level, tree.paths)
        layer_map = memo.layers(boundaries, ignore)
        context = memo.context(key, lambda m=layer_map: _BoundaryContext(m, tree, modules, level, facts.tick))  # type: ignore[misc]
        if len(context.outcomes) >= MAX_OUTCOMES:
            context.outcomes.clear()
        outcome = context.outcomes.get_or(tree.contents, lambda c=context: _evaluated(tree, facts, c))  # type: ignore[misc]
        findings.extend(outcome.findings)
        remarks.extend(_unused(boundaries, outcome.known))
        unread |= context.unread
        capped.extend(outcome.capped)
        full.extend(outcome.full)
        partly.extend(outcome.partly)
    listing = listed(unread) if unread else ""
    notes = (f"The imports of {listing} that import rules cover were not read.",) if listing else ()
    return BoundarySide(
        tuple(findings), notes, tuple(remarks), listing, capped=tuple(capped), full=tuple(full), partly=tuple(partly)
    )


def beyond(outcome: BoundarySide, scope: Scope) -> tuple[str, ...]:
    """Return sentences on the matches and violations in the scope that were left out."""
    capped = [f"{quoted(pattern)} in `{path}`" for path, pattern in outcome.capped if path in scope]
    full = [f"`{path}`" for path in dict.fromkeys(outcome.full) if path in scope]
    sentences = [f"matches after the first {MAX_MATCHES:,} of a pattern: {_named(capped)}."] if capped else []
    if full:
        sentences.append(
            f"violations after the first {MAX_FILE_FINDINGS:,} of a file or {MAX_TREE_FINDINGS:,} of all: "
            f"{_named(full)}."
        )
    if partly := [f"{quoted(pattern)} in `{path}`" for path, pattern in outcome.partly if path in scope]:
        sentences.append(
            "long matches of patterns that may cross lines, or in very long lines, where pattern and file are too "
            f"large together to be searched at once: {_named(partly)}."
        )
    return tuple(sentences)


def _named(words: list[str]) -> str:
    more = f" and {len(words) - MAX_NAMED:,} more" if len(words) > MAX_NAMED else ""
    return f"{', '.join(words[:MAX_NAMED])}{more}"


def _unused(boundaries: Boundaries, used: frozenset[int]) -> Iterable[Problem]:
    """Yield a remark for each known violation that no file has any more; one for a missing layer is remarked on
    already.
    """
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


def _evaluated(tree: Tree, facts: Facts, context: _BoundaryContext) -> BoundarySide:
    matcher, answers, blobs = context.matcher, context.answers, tree.blobs
    verdicts: list[FileVerdict] = []
    number = edges = 0
    for path in context.layered:
        if number >= MAX_TREE_FINDINGS or edges >= MAX_TREE_EDGES:
            break
        blob = blobs[path]
        verdict = answers.get((path, blob))
        if verdict is None:
            facts.tick()  # what is known already costs less than looking at the clock
            verdict = answers.get_or((path, blob), lambda p=path, b=blob: _file(matcher, p, b, facts))  # type: ignore[misc]
        verdicts.append(verdict)
        number += len(verdict.findings)
        edges += len(verdict.edges)
    findings = [finding for verdict in verdicts if verdict.findings for finding in verdict.findings]
    unplaced = _without_layer(context, tree, facts)
    findings.extend(islice(unplaced, MAX_TREE_FINDINGS))
    full = [path for path, verdict in zip(context.layered, verdicts, strict=False) if verdict.full]
    full.extend(context.layered[len(verdicts) :])
    full.extend(finding.path for finding in islice(unplaced, 1))
    if links := thinnest_links(_arrows(verdicts, facts.tick), facts.tick):
        crossing = (edge for verdict in verdicts for edge in verdict.edges)
        cycles = _cycles(crossing, links, matcher.level, facts.tick)
        findings.extend(islice(cycles, MAX_TREE_FINDINGS))
        full.extend(finding.path for finding in islice(cycles, 1))
    known = frozenset(number for verdict in verdicts for number in verdict.known)
    read = list(zip(context.layered, verdicts, strict=False))
    capped = tuple((path, pattern) for path, verdict in read for pattern in verdict.capped)
    partly = tuple((path, pattern) for path, verdict in read for pattern in verdict.partly)
    return BoundarySide(tuple(findings), known=known, capped=capped, full=tuple(full), partly=partly)


def _arrows(verdicts: Iterable[FileVerdict], tick: Callable[[], object]) -> dict[tuple[str, str], int]:
    """Return the number of imports from each layer into each other one."""
    numbers: Counter[tuple[int, int]] = Counter()
    pairs: dict[
        tuple[int, int], Edge
    ] = {}  # by the identity of their names, which imports between the same layers share
    for edge in (edge for verdict in verdicts for edge in verdict.edges):
        key = (id(edge.sources), id(edge.targets))
        numbers[key] += 1
        pairs[key] = edge
    arrows: dict[tuple[str, str], int] = {}
    for key, number in numbers.items():
        tick()
        for arrow in product(pairs[key].sources, pairs[key].targets):
            arrows[arrow] = arrows.get(arrow, 0) + number
    return arrows


def _file(matcher: BoundaryMatcher, path: str, blob: str, facts: Facts) -> FileVerdict:
    found = facts.matches[blob].found if blob in facts.matches else {}
    patterns = matcher.map.patterns_of(path) if found else frozenset()
    matches = {pattern: result for pattern, result in found.items() if pattern in patterns}
    source = facts.source(path, blob) if path in matcher.modules.paths else None
    return matcher.file(path, source, matches, facts.tick)


def _under(
    ruled: frozenset[str], layered: Iterable[str], matcher: BoundaryMatcher, tick: Callable[[], object]
) -> Iterator[str]:
    """Yield the files in one of the layers."""
    for path in layered:
        tick()
        if any(layer.name in ruled for layer in matcher.map.layers_of(path)):
            yield path


def _unplaced(matcher: BoundaryMatcher, tick: Callable[[], object]) -> tuple[tuple[str, str], ...]:
    """Return the modules without a layer below a package that holds a layer's module directly, with that package."""
    layered: set[str] = set()
    roots = {"", *matcher.modules.roots}
    for path in matcher.modules.paths:
        tick()
        folder = path.rpartition("/")[0]
        if folder not in roots and matcher.map.layers_of(path):
            layered.add(folder)
    found: list[tuple[str, str]] = []
    for path in sorted(matcher.modules.paths):
        tick()
        if matcher.map.layers_of(path) or matcher.map.is_ignored(path):
            continue
        folder = path.rpartition("/")[0]
        while folder and folder not in layered:
            folder = folder.rpartition("/")[0]
        if folder:
            found.append((path, folder))
    return tuple(found)


def _without_layer(context: _BoundaryContext, tree: Tree, facts: Facts) -> Iterator[Finding]:
    for path, package in context.unplaced:
        facts.tick()
        source = facts.source(path, tree.blobs.get(path, ""))
        if path.rpartition("/")[2].startswith("__init__.") and source is not None and not source.has_code:
            continue
        yield Finding(
            path=path,
            line=1,
            end_line=1,
            rule=f"exhaustive/{package}",
            message=f"This module has no layer, though {package!r} is divided into layers: give it one in "
            f"{context.matcher.boundaries.path}",
            level=context.matcher.level,
            subject=path,
        )


def _cycles(
    edges: Iterable[Edge],
    links: Mapping[tuple[str, str], tuple[str, ...]],
    level: Level,
    tick: Callable[[], object],
) -> Iterator[Finding]:
    """Yield a finding for each import along one of the links; the same names at one place count once."""
    own: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for edge in dict.fromkeys(edges):
        tick()
        key = (id(edge.sources), id(edge.targets))
        if key not in own:
            own[key] = [arrow for arrow in product(edge.sources, edge.targets) if arrow in links]
        for arrow in own[key]:
            source, target = arrow
            yield Finding(
                path=edge.path,
                line=edge.line,
                end_line=edge.end_line,
                column=edge.column,
                rule=f"{source}/acyclic/{target}",
                message=f"Importing {edge.module!r} closes a cycle of layers: {_way(source, links[arrow])}",
                level=level,
                subject=edge.module,
            )


def _way(source: str, back: tuple[str, ...]) -> str:
    """Return the way around the cycle in words, the middle of a long one left out."""
    names = (source, *back)
    if len(names) <= MAX_WAY:
        return " → ".join(map(shown_name, names))
    first = [shown_name(name) for name in names[: MAX_WAY - 2]]
    return " → ".join([*first, f"… {len(names) - MAX_WAY + 1} more …", shown_name(names[-1])])


def _how_to_accept(finding: Finding) -> str:
    entry = known_entry(finding.rule, finding.path)
    return (
        f'To accept it for now, add to "known_violations" in boundaries.json: {json.dumps(entry, ensure_ascii=False)}'
    )


def _explain_rule(parts: Sequence[str]) -> str | None:
    """Return the explanation of a rule of ours; the first part of its name may be a layer."""
    return CHECK.about if any(part in KIND.rule_kinds for part in parts[:2]) else None


def _contents(paths: Sequence[str], head: Tree, config: EffectiveConfig, memo: Memo) -> list[str]:
    return _layered(paths, config.boundaries, config, memo)


def _imports(paths: Sequence[str], head: Tree, config: EffectiveConfig, memo: Memo) -> list[str]:
    return _layered(paths, (file for file in config.boundaries if file.needs_imports), config, memo)


def _layered(paths: Sequence[str], rules: Iterable[Boundaries], config: EffectiveConfig, memo: Memo) -> list[str]:
    maps = [memo.layers(file, config.policy[KIND.code].ignore) for file in rules]
    return [path for path in paths if any(layers.layers_of(path) for layers in maps)]


CHECK = CheckRecord(
    KIND,
    cleandoc(__doc__ or ""),
    evaluate,
    _how_to_accept,
    _explain_rule,
    KIND.rule_kinds,
    help_address=lambda rule: KIND.help_url,
    own_rules=lambda configuration: own_rules(configuration.boundaries),
    entry=known_entry,
    contents=_contents,
    imports=_imports,
)
