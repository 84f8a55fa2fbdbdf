"""What one file does to the rules of its layers: the heart of A4, one file at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from forgeguard_app.audit.boundaries.parse import Boundaries, ForbiddenImport, KnownViolation, Layer
from forgeguard_app.audit.boundaries.pattern_search import MAX_SUBJECT_CHARS
from forgeguard_app.audit.facts import Match, Matches
from forgeguard_app.audit.languages.python import Import, PythonFacts
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.model import Finding, Level
from forgeguard_app.audit.pattern_sets import GlobSet, any_glob
from forgeguard_app.audit.secrets.masking import masked, quoted

MAX_SHOWN_CHARS = 120
MAX_PATHS = 400_000  # whose layers are remembered
_VALUES = re.compile(
    r"[\"'`:=@]|\d{3}|[^\W\d_]\d|\d[^\W\d_]"
)  # an assignment, a literal, an address, or digits among letters


class Edge(NamedTuple):
    """One import from one layer into another, for the search for cycles."""

    source: str
    target: str
    path: str
    line: int
    end_line: int
    column: int
    module: str
    end_column: int = 0


class FileVerdict(NamedTuple):
    """All of one file: findings, edges between layers and their number by arrow, the patterns of which matches were
    cut off, and which of the known violations stand in it, by their number in the list.
    """

    findings: tuple[Finding, ...] = ()
    edges: tuple[Edge, ...] = ()
    arrows: tuple[tuple[tuple[str, str], int], ...] = ()
    capped: tuple[str, ...] = ()
    known: frozenset[int] = frozenset()


@dataclass
class LayerMap:
    """The layers of one boundaries.json, asked for the layers of a path; answers are remembered."""

    boundaries: Boundaries
    ignore: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._owners: dict[str, list[int]] = {}  # by glob, of which layers may share some
        for number, layer in enumerate(self.boundaries.layers):
            for glob in layer.globs:
                self._owners.setdefault(glob, []).append(number)
        self._names = tuple(self._owners)
        self._globs = GlobSet(self._names)
        # Many paths share one combination of layers.
        self._combined: dict[tuple[int, ...], tuple[Layer, ...]] = {}
        self._patterns: dict[int, frozenset[str]] = {}
        self._ignored = any_glob(self.ignore)
        self._known: dict[str, tuple[Layer, ...]] = {}

    def layers_of(self, path: str) -> tuple[Layer, ...]:
        """The layers whose globs match the path, in their order; none for an ignored path."""
        layers = self._known.get(path)
        if layers is None:
            layers = () if self._ignored(path) else self._layers(self._numbers(path))
            if len(self._known) >= MAX_PATHS:
                self._known.clear()
            self._known[path] = layers
        return layers

    def _numbers(self, path: str) -> tuple[int, ...]:
        globs = self._globs.matching(path)
        return tuple(sorted({number for glob in globs for number in self._owners[self._names[glob]]}))

    def _layers(self, numbers: tuple[int, ...]) -> tuple[Layer, ...]:
        layers = self._combined.get(numbers)
        if layers is None:
            layers = self._combined[numbers] = tuple(self.boundaries.layers[number] for number in numbers)
            self._patterns[id(layers)] = frozenset(rule.pattern for layer in layers for rule in layer.forbidden)
        return layers

    def patterns_of(self, path: str) -> frozenset[str]:
        """Return the forbidden patterns of the path's layers."""
        return self._patterns.get(id(self.layers_of(path)), frozenset())

    def is_ignored(self, path: str) -> bool:
        """Whether the configuration takes the path out of this check."""
        return self._ignored(path)

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """The place of each layer in `order`, 0 at the top."""
        return {name: rank for rank, group in enumerate(self.boundaries.order) for name in group}

    @cached_property
    def by_name(self) -> Mapping[str, Layer]:
        """The layers by name."""
        return {layer.name: layer for layer in self.boundaries.layers}


class Judge:
    """Judges single files by one boundaries.json within one tree."""

    def __init__(self, layer_map: LayerMap, modules: ModuleIndex, level: Level) -> None:
        self.map, self.modules, self.level = layer_map, modules, level
        self.boundaries = layer_map.boundaries
        self._needs_imports = self.boundaries.needs_imports

    def file(self, path: str, facts: PythonFacts | None, matches: Mapping[str, Matches]) -> FileVerdict:
        """The verdict on one file: `facts` where it is Python, `matches` by pattern for its layers' patterns."""
        layers = self.map.layers_of(path)
        findings: list[Finding] = []
        capped: dict[str, None] = {}
        for layer in layers:
            for rule in layer.forbidden:
                result = matches.get(rule.pattern, Matches(()))
                if result.capped:
                    capped[rule.pattern] = None
                findings.extend(self._pattern_finding(layer, rule.pattern, rule.reason, path, m) for m in result.found)
        edges: list[Edge] = []
        if facts is not None and layers and self._needs_imports:
            for item in facts.imports:
                findings.extend(self._imports(path, layers, item, edges))
        kept: list[Finding] = []
        known: set[int] = set()
        for finding in findings:
            numbers = self._known_numbers(finding)
            known.update(numbers)
            if not numbers:
                kept.append(finding)
        arrows = Counter((edge.source, edge.target) for edge in edges)
        return FileVerdict(tuple(kept), tuple(edges), tuple(arrows.items()), tuple(capped), frozenset(known))

    def _known_numbers(self, finding: Finding) -> list[int]:
        if not self._known_violations:
            return []
        file = finding.path.rpartition("/")[2]
        keys = ((file, pattern) for pattern in _covering_patterns(finding))
        listed = (entry for key in keys for entry in self._known_violations.get(key, ()))
        return [number for number, known in listed if _covers(known, finding)]

    @cached_property
    def _known_violations(self) -> Mapping[tuple[str, str], list[tuple[int, KnownViolation]]]:
        """The known violations by file name and pattern, so that a finding is compared with few of thousands."""
        known: dict[tuple[str, str], list[tuple[int, KnownViolation]]] = {}
        for number, violation in enumerate(self.boundaries.known_violations):
            key = (violation.file.rpartition("/")[2], violation.pattern)
            known.setdefault(key, []).append((number, violation))
        return known

    def _pattern_finding(self, layer: Layer, pattern: str, reason: str, path: str, match: Match) -> Finding:
        return Finding(
            path=path,
            line=match.line,
            end_line=match.end_line,
            column=match.column,
            end_column=match.end_column,
            rule=f"{layer.name}/forbidden/{pattern}",
            message=f"Layer {layer.name!r} must not contain {_shown(match, pattern)}{_because(reason)}",
            level=self.level,
            subject=match.text,
        )

    def _imports(self, path: str, layers: tuple[Layer, ...], item: Import, edges: list[Edge]) -> Iterator[Finding]:
        targets = self.modules.targets(path, item)
        base = self.modules.absolute(path, item) or ""
        written = [base, *(f"{base}.{name}" for name in item.names)]
        for layer in layers:
            for rule, hit in self._forbidden(layer, written):
                message = f"Layer {layer.name!r} must not import {rule.module!r}{_because(rule.reason)}"
                yield self._import_finding(path, item, f"{layer.name}/forbidden_imports/{rule.module}", message, hit)
        for name, target in targets:
            reached = self.map.layers_of(target) if target is not None and target != path else ()
            names = [other.name for other in reached]
            for layer in layers:
                if not names or layer.name in names:
                    continue
                if self.boundaries.acyclic:
                    edges.extend(
                        Edge(layer.name, n, path, item.line, item.end_line, item.column, name, item.end_column)
                        for n in names
                    )
                yield from self._reach(path, layer, names, item, name)

    def _forbidden(self, layer: Layer, written: list[str]) -> Iterator[tuple[ForbiddenImport, str]]:
        """Yield the rules that the import violates, each with the first name that does, in the order of the rules."""
        if not layer.forbidden_imports:
            return
        rules = self._rules_by_module[layer.name]
        hits: dict[int, str] = {}
        for name in written:
            for module in _with_parents(name):
                for number in rules.get(module, ()):
                    hits.setdefault(number, name)
        for number in sorted(hits):
            yield layer.forbidden_imports[number], hits[number]

    @cached_property
    def _rules_by_module(self) -> Mapping[str, Mapping[str, list[int]]]:
        """The numbers of each layer's rules on imports, by layer and module."""
        found: dict[str, dict[str, list[int]]] = {}
        for layer in self.boundaries.layers:
            rules = found.setdefault(layer.name, {})
            for number, rule in enumerate(layer.forbidden_imports):
                rules.setdefault(rule.module, []).append(number)
        return found

    def _reach(self, path: str, layer: Layer, names: list[str], item: Import, name: str) -> Iterator[Finding]:
        """What it means that the layer imports a module of the layers `names`."""
        if layer.may_import is not None and not set(names) & set(layer.may_import):
            allowed = ", ".join(repr(n) for n in layer.may_import) or "no other layer"
            message = f"Layer {layer.name!r} may import {allowed}, but {name!r} belongs to {names[0]!r}"
            yield self._import_finding(path, item, f"{layer.name}/may_import/{names[0]}", message, name)
        if (verdict := self._order(layer.name, names)) is not None:
            target, message = verdict
            yield self._import_finding(path, item, f"{layer.name}/order/{target}", f"{message}: {name!r}", name)

    def _order(self, source: str, targets: list[str]) -> tuple[str, str] | None:
        """The violated target and why, None where any of the target's layers may be imported."""
        ranks = self.map.ranks
        if source not in ranks:
            return None
        ranked = [target for target in targets if target in ranks]
        if not ranked or any(ranks[target] > ranks[source] for target in ranked):
            return None
        target = ranked[0]
        if ranks[target] == ranks[source]:
            return target, f"Layers {source!r} and {target!r} are neighbours and must not import one another"
        return target, f"Layer {source!r} lies below {target!r} and must not import it"

    def _import_finding(self, path: str, item: Import, rule: str, message: str, subject: str) -> Finding:
        return Finding(
            path=path,
            line=item.line,
            end_line=item.end_line,
            column=item.column,
            end_column=item.end_column,
            rule=rule,
            message=message,
            level=self.level,
            subject=subject[:MAX_SUBJECT_CHARS],
        )


def _covering_patterns(finding: Finding) -> Iterator[str]:
    """Yield every pattern with which a known violation can cover the finding: its rule's, its module's and those above."""
    rule = finding.rule
    at = -1
    while (at := rule.find("/", at + 1)) != -1:  # a layer's name may hold a slash
        yield rule[at + 1 :]
    yield from _with_parents(finding.subject)


def _with_parents(module: str) -> Iterator[str]:
    """Yield the module and every module above it."""
    while module:
        yield module
        module = module.rpartition(".")[0]


def _covers(known: KnownViolation, finding: Finding) -> bool:
    layer = f"{known.layer}/"
    if not finding.rule.startswith(layer):
        return False
    if finding.path != known.file and not finding.path.endswith(f"/{known.file.lstrip('/')}"):
        return False
    kind, _, rule = finding.rule[len(layer) :].partition("/")
    if known.pattern == rule:
        return True
    return kind != "forbidden" and _within(finding.subject, known.pattern)


def _within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def _shown(match: Match, pattern: str) -> str:
    """Return the matched text in quotes where it is code; a text that assigns or quotes a value is not repeated."""
    text = " ".join(match.text.split())
    if _VALUES.search(text) or len(text) > MAX_SHOWN_CHARS or masked(text) != text:
        return f"what the pattern {quoted(pattern)} matches"
    return repr(text)


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
