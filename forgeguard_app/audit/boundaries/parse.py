"""boundaries.json: the layers of a repository and what they forbid one another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from forgeguard_app.audit.documents import DocumentError, Node
from forgeguard_app.audit.globs import GlobError, check_glob, joined
from forgeguard_app.audit.json_document import read_json
from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.patterns import PatternBudget, PatternError
from forgeguard_app.audit.reading import Reading
from forgeguard_app.audit.secrets.masking import quoted

CONTRACT_PATH = "Forge/Contracts/boundaries.json"
DEFAULT_PATHS = ("boundaries.json", CONTRACT_PATH)
MAX_LAYERS = 500
MAX_RULES = 2_000
MAX_NAME_CHARS = 500  # of a layer or a module; findings repeat them
MAX_REASON_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class ForbiddenPattern:
    """Text that a layer must not contain."""

    pattern: str
    reason: str


@dataclass(frozen=True, slots=True)
class ForbiddenImport:
    """A module, with all below it, that a layer must not import."""

    module: str
    reason: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A named set of files and its rules; `globs` are relative to the repository's root."""

    name: str
    globs: tuple[str, ...]
    description: str = ""
    forbidden: tuple[ForbiddenPattern, ...] = ()
    forbidden_imports: tuple[ForbiddenImport, ...] = ()
    may_import: tuple[str, ...] | None = None
    line: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class KnownViolation:
    """A violation that is accepted for now: layer, path or end of one, and the pattern or module."""

    layer: str
    file: str
    pattern: str
    line: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Boundaries:
    """One boundaries.json. `order` goes from the uppermost layers to the lowest; names in one group are neighbours."""

    path: str
    layers: tuple[Layer, ...] = ()
    order: tuple[tuple[str, ...], ...] = ()
    exhaustive: bool = False
    acyclic: bool = False
    known_violations: tuple[KnownViolation, ...] = ()
    remarks: tuple[Problem, ...] = field(default=(), compare=False)

    @property
    def needs_imports(self) -> bool:
        """Return whether any rule looks at parsed imports."""
        rules = any(layer.forbidden_imports or layer.may_import is not None for layer in self.layers)
        return bool(rules or self.order or self.exhaustive or self.acyclic)


_KEYS = ("$schema", "description", "layers", "order", "exhaustive", "acyclic", "known_violations")
_LAYER_KEYS = ("name", "description", "glob", "forbidden", "forbidden_imports", "may_import")


def read_boundaries(
    text: str, path: str, tick: Callable[[], object] = lambda: None
) -> tuple[Boundaries, tuple[Problem, ...]]:
    """Parse the file at `path`; return it with all its errors, each at its place. `tick` is called for each known
    violation, and may raise.
    """
    reading = Reading(path)
    try:
        root = read_json(text)
    except DocumentError as error:
        return Boundaries(path), (Problem(path, error.line, error.column, error.message),)
    keys = reading.mapping(root, "boundaries.json", _KEYS)
    if "description" in keys and not isinstance(keys["description"].value, str):
        reading.problem(keys["description"], "description must be text")
    if isinstance(root.value, dict) and "layers" not in keys:
        reading.problem(root, "the key 'layers' is missing")
    folder = "" if path == CONTRACT_PATH else path.rpartition("/")[0]
    nodes = reading.items(keys["layers"], "layers") if "layers" in keys else []
    if len(nodes) > MAX_LAYERS:
        reading.problem(keys["layers"], f"more than {MAX_LAYERS} layers are not read")
    layers = _layers(reading, nodes[:MAX_LAYERS], folder)
    names = {layer.name for layer in layers}
    _check_may_import(reading, nodes[:MAX_LAYERS], names)
    known, remarks = _known_violations(reading, keys.get("known_violations"), names, tick)
    boundaries = Boundaries(
        path,
        layers=tuple(layers),
        order=_order(reading, keys.get("order"), names),
        exhaustive=_flag(reading, keys, "exhaustive"),
        acyclic=_flag(reading, keys, "acyclic"),
        known_violations=known,
        remarks=remarks,
    )
    return boundaries, tuple(sorted(reading.problems, key=lambda p: (p.line, p.column)))


def _flag(reading: Reading, keys: dict[str, Node], key: str) -> bool:
    return bool(reading.flag(keys[key], key)) if key in keys else False


def _layers(reading: Reading, nodes: list[Node], folder: str) -> list[Layer]:
    layers: list[Layer] = []
    known_names: set[str] = set()
    budget = PatternBudget()
    for node in nodes:
        keys = reading.mapping(node, "a layer", _LAYER_KEYS)
        if not isinstance(node.value, dict):
            continue
        name = _required(reading, node, keys, "name")
        if name and len(name) > MAX_NAME_CHARS:
            reading.problem(keys["name"], f"a name longer than {MAX_NAME_CHARS} characters is not read")
        if name in known_names and not reading.is_full:
            reading.problem(keys["name"], f"a layer named {quoted(name)} stands above already")
        if name:
            known_names.add(name)
        if "description" in keys and not isinstance(keys["description"].value, str):
            reading.problem(keys["description"], "description must be text")
        layers.append(
            Layer(
                name=name or "",
                globs=tuple(joined(folder, glob.removeprefix("./")) for glob in _layer_globs(reading, node, keys)),
                forbidden=_patterns(reading, keys.get("forbidden"), budget),
                forbidden_imports=_imports(reading, keys.get("forbidden_imports")),
                may_import=reading.texts(keys["may_import"], "may_import") if "may_import" in keys else None,
                line=node.line,
            )
        )
    return layers


def _required(reading: Reading, node: Node, keys: dict[str, Node], key: str) -> str | None:
    if key in keys:
        return reading.text(keys[key], key)
    reading.problem(node, f"the key {key!r} is missing")
    return None


def _layer_globs(reading: Reading, node: Node, keys: dict[str, Node]) -> tuple[str, ...]:
    if "glob" not in keys:
        reading.problem(node, "the key 'glob' is missing")
        return ()
    value = keys["glob"]
    if isinstance(value.value, list) and not value.value:
        reading.problem(value, "glob is an empty list, so that the layer holds no file")
    for item in value.value if isinstance(value.value, list) else [value]:
        if isinstance(item.value, str) and item.value.strip():
            try:
                check_glob(item.value)
            except GlobError as error:
                reading.problem(item, str(error))
    return reading.texts(value, "glob", single=True)


def _patterns(reading: Reading, node: Node | None, budget: PatternBudget) -> tuple[ForbiddenPattern, ...]:
    rules: list[ForbiddenPattern] = []
    for item in _bounded(reading, node, "forbidden"):
        keys = reading.mapping(item, "an entry of forbidden", ("pattern", "reason"))
        if not isinstance(item.value, dict):
            continue
        pattern = _required(reading, item, keys, "pattern")
        reason = _reason(reading, keys)
        if pattern is None:
            continue
        try:
            budget.check(pattern)
        except PatternError as error:
            reading.problem(keys["pattern"], f"this pattern cannot be used: {error}")
        else:
            rules.append(ForbiddenPattern(pattern, reason))
    return tuple(rules)


def _imports(reading: Reading, node: Node | None) -> tuple[ForbiddenImport, ...]:
    rules: list[ForbiddenImport] = []
    for item in _bounded(reading, node, "forbidden_imports"):
        keys = reading.mapping(item, "an entry of forbidden_imports", ("module", "reason"))
        if not isinstance(item.value, dict):
            continue
        module = _required(reading, item, keys, "module")
        reason = _reason(reading, keys)
        if module is None:
            continue
        if len(module) > MAX_NAME_CHARS or not all(part.isidentifier() for part in module.split(".")):
            if not reading.is_full:
                reading.problem(keys["module"], f"{quoted(module)} is not a module's name such as 'package.module'")
        else:
            rules.append(ForbiddenImport(module, reason))
    return tuple(rules)


def _reason(reading: Reading, keys: dict[str, Node]) -> str:
    reason = (reading.text(keys["reason"], "reason") or "") if "reason" in keys else ""
    if len(reason) > MAX_REASON_CHARS:
        reading.problem(keys["reason"], f"a reason longer than {MAX_REASON_CHARS:,} characters is not read")
    return reason


def _bounded(reading: Reading, node: Node | None, what: str) -> list[Node]:
    if node is None:
        return []
    items = reading.items(node, what)
    if len(items) > MAX_RULES:
        reading.problem(node, f"more than {MAX_RULES} entries of {what} are not read")
    return items[:MAX_RULES]


def _check_may_import(reading: Reading, nodes: list[Node], names: set[str]) -> None:
    for node in nodes:
        allowed = node.value.get("may_import") if isinstance(node.value, dict) else None
        if allowed is not None and isinstance(allowed.value, list):
            _named(reading, allowed.value, names)


def _named(reading: Reading, items: Iterable[Node], names: set[str]) -> None:
    for item in items:
        unknown = isinstance(item.value, str) and item.value.strip() and item.value not in names
        if unknown and not reading.is_full:
            reading.problem(item, f"no layer is named {quoted(item.value)}")


def _order(reading: Reading, node: Node | None, names: set[str]) -> tuple[tuple[str, ...], ...]:
    if node is None:
        return ()
    groups: list[tuple[str, ...]] = []
    placed: set[str] = set()
    for item in reading.items(node, "order"):
        group = reading.texts(item, "a group of order", single=True)
        members = item.value if isinstance(item.value, list) else [item]
        _named(reading, members, names)
        for member in members:
            if isinstance(member.value, str) and member.value in placed and not reading.is_full:
                reading.problem(member, f"the layer {quoted(member.value)} stands in order twice")
        placed.update(group)
        groups.append(group)
    return tuple(groups)


def _known_violations(
    reading: Reading, node: Node | None, names: set[str], tick: Callable[[], object]
) -> tuple[tuple[KnownViolation, ...], tuple[Problem, ...]]:
    known: list[KnownViolation] = []
    remarks: list[Problem] = []
    for item in [] if node is None else reading.items(node, "known_violations"):
        tick()
        keys = reading.mapping(item, "an entry of known_violations", ("layer", "file", "pattern", "reason"))
        if not isinstance(item.value, dict):
            continue
        values = [_required(reading, item, keys, key) for key in ("layer", "file", "pattern")]
        layer, file, pattern = (value or "" for value in values)
        if all(values):
            known.append(KnownViolation(layer, file, pattern, item.line))
            if layer not in names:
                message = f"a known violation names the layer {quoted(layer)}, which no layer has"
                remarks.append(Problem(reading.path, item.line, item.column, message))
    return tuple(known), tuple(remarks)
