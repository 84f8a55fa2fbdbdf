"""Evaluates one file by the rules of its layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from forgeguard_app.audit.boundaries.layer_map import LayerMap
from forgeguard_app.audit.boundaries.parse import ForbiddenImport, ForbiddenPattern, KnownViolation, Layer
from forgeguard_app.audit.boundaries.pattern_search import MAX_SUBJECT_CHARS
from forgeguard_app.audit.facts import Match, Matches
from forgeguard_app.audit.languages.imports import Import, SourceFacts
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.model import Finding, Level
from forgeguard_app.audit.remembered import remembered
from forgeguard_app.audit.requirements.modules import is_well_known
from forgeguard_app.audit.secrets.masking import masked, quoted

MAX_SHOWN_CHARS = 120
MAX_CROSSINGS = 10_000  # pairs of combinations of layers
MOST_NAMED = 20
MOST_NAME_CHARS = 80
MAX_BASES = 20  # names of the module in `from module import name` that each name is looked up below
MAX_FILE_FINDINGS = 20_000  # of one file, known ones included: a few layers, patterns and lines multiply
MAX_FILE_EDGES = 20_000  # imports of one file from layer to layer
_VALUES = re.compile(
    r"[\"'`:=@]|\d{3}|[^\W\d_]\d|\d[^\W\d_]"
)  # an assignment, a literal, an address, or digits among letters


class Edge(NamedTuple):
    """One import from some layers into others, for the search for cycles."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    path: str
    line: int
    end_line: int
    column: int
    module: str
    end_column: int = 0


class FileVerdict(NamedTuple):
    """The result for one file: findings, imports between layers, the patterns of which matches were cut off, which of
    the known violations stand in it, by their number in the list, whether there were more findings than are kept of
    a file, and the patterns of which long matches were not looked for.
    """

    findings: tuple[Finding, ...] = ()
    edges: tuple[Edge, ...] = ()
    capped: tuple[str, ...] = ()
    known: frozenset[int] = frozenset()
    full: bool = False
    partly: tuple[str, ...] = ()


class _Violation(NamedTuple):
    """A violation by every import from a layer into others: the rule, and the words around the module's name."""

    layer: Layer
    rule: str
    before: str
    after: str


class _Crossing(NamedTuple):
    """An import from some layers into others: those that do not hold the target too, and what is wrong with it."""

    layers: tuple[Layer, ...]
    reached: tuple[Layer, ...]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    violations: tuple[_Violation, ...]


class _Hits:
    """Looks up names among the modules of rules; of a long name no more than a rule could name."""

    def __init__(self, rules: Mapping[str, list[tuple[str, int]]], longest: int) -> None:
        self.found: dict[tuple[str, int], str] = {}
        self._rules, self._longest = rules, longest

    def look_up(self, name: str) -> None:
        """Look up the name and every module above it."""
        if len(name) > self._longest:
            near, _, _ = name[: self._longest + 1].rpartition(".")
        else:
            near = name
        for module in _with_parents(near):
            self._note(module, name)

    def look_below(self, base: str, names: tuple[str, ...]) -> None:
        """Look up the names below a module, which was looked up itself."""
        room = self._longest - len(base) - 1
        for name in names if base and room > 0 else ():
            if len(name) <= room:
                joined = f"{base}.{name}"
                self._note(joined, joined)

    def _note(self, module: str, name: str) -> None:
        for rule in self._rules.get(module, ()):
            self.found.setdefault(rule, name)


class BoundaryMatcher:
    """Answers which layers and rules of one boundaries.json apply to single files within one tree."""

    def __init__(self, layer_map: LayerMap, modules: ModuleIndex, level: Level) -> None:
        self.map, self.modules, self.level = layer_map, modules, level
        self.boundaries = layer_map.boundaries
        self._needs_imports = self.boundaries.needs_imports
        self._forbids_imports = any(layer.forbidden_imports for layer in self.boundaries.layers)
        self._crossings: dict[tuple[int, int], _Crossing] = {}

    def file(
        self,
        path: str,
        facts: SourceFacts | None,
        matches: Mapping[str, Matches],
        tick: Callable[[], object] = lambda: None,
    ) -> FileVerdict:
        """Return the verdict on one file: `facts` where it is Python, `matches` by pattern for its layers' patterns.

        `tick` is called for each of its layers and imports.
        """
        layers = self.map.layers_of(path)
        capped = tuple(sorted(pattern for pattern, result in matches.items() if result.capped))
        partly = tuple(sorted(pattern for pattern, result in matches.items() if result.partly))
        edges: list[Edge] = []
        kept: list[Finding] = []
        known: set[int] = set()
        found = self._found(path, layers, facts, matches, edges, tick)
        for layer, finding in islice(found, MAX_FILE_FINDINGS):
            numbers = self._known_numbers(layer, finding)
            known.update(numbers)
            if not numbers:
                kept.append(finding)
        full = next(found, None) is not None or len(edges) > MAX_FILE_EDGES
        return FileVerdict(tuple(kept), tuple(edges[:MAX_FILE_EDGES]), capped, frozenset(known), full, partly)

    def _found(
        self,
        path: str,
        layers: tuple[Layer, ...],
        facts: SourceFacts | None,
        matches: Mapping[str, Matches],
        edges: list[Edge],
        tick: Callable[[], object],
    ) -> Iterator[tuple[Layer, Finding]]:
        """Yield what the file holds against each layer, known or not; what it imports is added to `edges`."""
        for layer in layers if matches else ():
            tick()
            for rule in layer.forbidden:
                found = matches[rule.pattern].found if rule.pattern in matches else ()
                name = f"{layer.name}/forbidden/{rule.pattern}" if found else ""
                for match in found:
                    yield layer, self._pattern_finding(layer, name, rule, path, match)
        if facts is not None and layers and self._needs_imports:
            for item in facts.imports:
                tick()
                yield from self._imports(path, layers, item, edges, tick)

    def _known_numbers(self, layer: Layer, finding: Finding) -> list[int]:
        """Return the known violations that cover the finding, by the file's name, the layer and the pattern."""
        if not self._known_violations:
            return []
        file = finding.path.rpartition("/")[2]
        kind, _, rule = finding.rule[len(layer.name) + 1 :].partition("/")
        patterns = {rule} if kind == "forbidden" else {rule, *_with_parents(finding.subject)}
        listed = (entry for p in patterns for entry in self._known_violations.get((file, layer.name, p), ()))
        return [number for number, known in listed if _is_of_file(known, finding.path)]

    @cached_property
    def _known_violations(self) -> Mapping[tuple[str, str, str], list[tuple[int, KnownViolation]]]:
        """The known violations by file name, layer and pattern, so that a finding is compared with few of thousands."""
        known: dict[tuple[str, str, str], list[tuple[int, KnownViolation]]] = {}
        for number, violation in enumerate(self.boundaries.known_violations):
            key = (violation.file.rpartition("/")[2], violation.layer, violation.pattern)
            known.setdefault(key, []).append((number, violation))
        return known

    def _pattern_finding(self, layer: Layer, name: str, rule: ForbiddenPattern, path: str, match: Match) -> Finding:
        return Finding(
            path=path,
            line=match.line,
            end_line=match.end_line,
            column=match.column,
            end_column=match.end_column,
            rule=name,
            message=f"Layer {layer.name!r} must not contain {_shown(match.text, rule.pattern)}{_because(rule.reason)}",
            level=self.level,
            subject=match.text,
        )

    def _imports(
        self, path: str, layers: tuple[Layer, ...], item: Import, edges: list[Edge], tick: Callable[[], object]
    ) -> Iterator[tuple[Layer, Finding]]:
        targets = self.modules.targets(path, item, tick)
        hits = self._hits(path, item, targets, tick) if self._forbids_imports else {}
        for layer in layers if hits else ():
            for rule, hit in self._forbidden(layer, hits):
                message = f"Layer {layer.name!r} must not import {rule.module!r}{_because(rule.reason)}"
                named = f"{layer.name}/forbidden_imports/{rule.module}"
                yield layer, self._import_finding(path, item, named, message, hit)
        met: dict[tuple[str, int], object] = {}  # several files that a name may mean often lie in the same layers
        for name, target in targets:
            tick()
            reached = self.map.layers_of(target) if target is not None and target != path else ()
            if not reached or (name, id(reached)) in met:
                continue
            met[name, id(reached)] = reached
            crossing = self._crossing(layers, reached)
            if self.boundaries.acyclic and crossing.sources and len(edges) <= MAX_FILE_EDGES:
                place = (path, item.line, item.end_line, item.column)
                edges.append(Edge(crossing.sources, crossing.targets, *place, name))
            for violation in crossing.violations:
                yield (
                    violation.layer,
                    self._import_finding(
                        path, item, violation.rule, f"{violation.before}{name!r}{violation.after}", name
                    ),
                )

    def _hits(
        self, path: str, item: Import, targets: list[tuple[str, str | None]], tick: Callable[[], object]
    ) -> dict[tuple[str, int], str]:
        """Return the rules on imports that the import violates, by layer and number, each with the first name that
        does.

        Its names are looked for as they are written, and as the files that it means are called. They differ where a
        folder above the module is a package, or has a manifest, that only the path tells of. A file of ours is no
        distribution whose name is a part of its path.
        """
        hits = _Hits(self._rules_by_module, self._longest_rule)
        base = self.modules.absolute(path, item) or ""
        is_ours = item.level > 0 and any(target for _, target in targets) and is_well_known(base)
        bases: dict[str, None] = {} if is_ours else {base: None}
        for written in bases:
            hits.look_up(written)
            hits.look_below(written, item.names)
        for name, target in targets:
            tick()
            others = self.modules.other_names(target) if target is not None and target != path else ()
            for other in (other for other in others if other == others[-1] or not is_well_known(other)):
                hits.look_up(other)
                if name == base and len(bases) < MAX_BASES:
                    bases[other] = None
        for other in bases:
            tick()
            hits.look_below(other, item.names)
        return hits.found

    def _crossing(self, layers: tuple[Layer, ...], reached: tuple[Layer, ...]) -> _Crossing:
        """Return what an import from some layers into others means, found once for all imports between them."""
        key = (id(layers), id(reached))
        crossing = self._crossings.get(key)
        if crossing is None or crossing.layers is not layers or crossing.reached is not reached:
            if len(self._crossings) >= MAX_CROSSINGS:
                self._crossings.clear()
            crossing = self._crossings[key] = self._crossed(layers, reached)
        return crossing

    def _crossed(self, layers: tuple[Layer, ...], reached: tuple[Layer, ...]) -> _Crossing:
        targets = tuple(layer.name for layer in reached)
        own = [layer for layer in layers if layer.name not in set(targets)]
        violations = tuple(violation for layer in own for violation in self._reach(layer, targets))
        return _Crossing(layers, reached, tuple(layer.name for layer in own), targets, violations)

    def _forbidden(self, layer: Layer, hits: Mapping[tuple[str, int], str]) -> Iterator[tuple[ForbiddenImport, str]]:
        """Yield the rules of the layer that the import violates, each with the name that does, in their order."""
        for number, rule in enumerate(layer.forbidden_imports):
            if (hit := hits.get((layer.name, number))) is not None:
                yield rule, hit

    @cached_property
    def _rules_by_module(self) -> Mapping[str, list[tuple[str, int]]]:
        """The layers' rules on imports, by layer and number, for each module."""
        found: dict[str, list[tuple[str, int]]] = {}
        for layer in self.boundaries.layers:
            for number, rule in enumerate(layer.forbidden_imports):
                found.setdefault(rule.module, []).append((layer.name, number))
        return found

    @cached_property
    def _longest_rule(self) -> int:
        return max(map(len, self._rules_by_module), default=0)

    def _reach(self, layer: Layer, names: tuple[str, ...]) -> Iterator[_Violation]:
        """Yield what it means that the layer imports a module of the layers `names`."""
        if layer.may_import is not None and not set(names) & set(layer.may_import):
            allowed = _listed(layer.may_import) or "no other layer"
            rule = f"{layer.name}/may_import/{names[0]}"
            before = f"Layer {layer.name!r} may import {allowed}, but "
            yield _Violation(layer, rule, before, f" belongs to {names[0]!r}")
        if (verdict := self._order(layer.name, names)) is not None:
            target, message = verdict
            yield _Violation(layer, f"{layer.name}/order/{target}", f"{message}: ", "")

    def _order(self, source: str, targets: tuple[str, ...]) -> tuple[str, str] | None:
        """Return the violated target and why, None where any of the target's layers may be imported."""
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


def _with_parents(module: str) -> Iterator[str]:
    """Yield the module and every module above it."""
    while module:
        yield module
        module = module.rpartition(".")[0]


def _is_of_file(known: KnownViolation, path: str) -> bool:
    return path == known.file or path.endswith(f"/{known.file.lstrip('/')}")


@remembered(4_096)
def _shown(matched: str, pattern: str) -> str:
    """Return the matched text in quotes where it is code; a text that assigns or quotes a value is not repeated."""
    text = " ".join(matched.split())
    if _VALUES.search(text) or len(text) > MAX_SHOWN_CHARS or masked(text) != text:
        return f"what the pattern {_quoted_pattern(pattern)} matches"
    return repr(text)


@remembered(4_096)
def _quoted_pattern(pattern: str) -> str:
    return quoted(pattern)  # to mask it takes longer than to find its matches


def _listed(names: Sequence[str]) -> str:
    """Return the names in quotes, of a long list the first ones."""
    more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    return ", ".join([*map(shown_name, names[:MOST_NAMED]), *more])


def shown_name(name: str) -> str:
    """Return a layer's name in quotes for a message with many names."""
    return repr(name if len(name) <= MOST_NAME_CHARS else name[: MOST_NAME_CHARS - 1] + "…")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
