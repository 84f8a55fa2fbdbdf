"""Lists parts of a configuration that match nothing in the tree: layers, globs and exceptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from forgeguard_app.audit.boundaries.parse import Boundaries
from forgeguard_app.audit.check_kinds import CHECK_KINDS, ConfiguringFile
from forgeguard_app.audit.check_settings import Entries
from forgeguard_app.audit.configuration import EffectiveConfig, Named
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.memo import Memo
from forgeguard_app.audit.model import CheckCode, Problem
from forgeguard_app.audit.pattern_sets import GlobSet, PatternSet
from forgeguard_app.audit.secrets.allowlists import CONFIG_PATH, IGNORE_PATH, Exceptions
from forgeguard_app.audit.secrets.masking import quoted


def unmatched(config: EffectiveConfig, head: Tree, facts: Facts, memo: Memo) -> Mapping[CheckCode, tuple[Problem, ...]]:
    """Return, by check, a remark at the place of each named thing that is for nothing in the tree."""
    found: dict[CheckCode, tuple[Problem, ...]] = {}
    for code, kind in CHECK_KINDS.items():
        named = config.named.get(code, ())
        remarks = [*config.remarks.get(code, ()), *_globs(named, head, facts, memo)]
        if kind.configured_by is ConfiguringFile.BOUNDARIES:
            remarks += [remark for file in config.boundaries for remark in _layers(file, head, facts, memo)]
        remarks += _modules(named, head, facts)
        if kind.configured_by is ConfiguringFile.EXCEPTIONS:
            remarks += _exceptions(config.exceptions, head, facts, memo)
        found[code] = tuple(remarks)
    return found


def _globs(named: Iterable[Named], head: Tree, facts: Facts, memo: Memo) -> list[Problem]:
    """Return a remark for each path pattern of a check's settings that matches no file."""
    globs = tuple(entry for entry in named if entry.entries is Entries.GLOBS)
    key = ("unmatched", tuple(g.text for g in globs), head.paths)
    empty = memo.context(key, lambda: _without_match((g.text for g in globs), head, facts))
    return [
        Problem(glob.path, glob.line, glob.column, f"{glob.key}: {quoted(glob.text)} matches no file of the repository")
        for glob in globs
        if glob.text in empty
    ]


def _without_match(globs: Iterable[str], head: Tree, facts: Facts) -> frozenset[str]:
    """Return the globs without a path."""
    return _lost(globs, head, facts, lambda left: GlobSet(left).matching)


def _lost(
    patterns: Iterable[str], head: Tree, facts: Facts, compiled: Callable[[list[str]], Callable[[str], list[int]]]
) -> frozenset[str]:
    """Return the patterns without a path. Those with one leave the set now and then, so that few are found again."""
    left = sorted(set(patterns))
    matching, found = compiled(left), set[int]()
    for path in head.paths:
        facts.tick()
        if not left:
            break
        found.update(matching(path))
        if len(found) > len(left) // 8:
            left = [pattern for number, pattern in enumerate(left) if number not in found]
            matching, found = compiled(left), set()
    return frozenset(pattern for number, pattern in enumerate(left) if number not in found)


def _exceptions(exceptions: Exceptions, head: Tree, facts: Facts, memo: Memo) -> list[Problem]:
    """Return a remark for each ignored secret and each path pattern of an allowlist that is for no file."""
    remarks = [
        Problem(IGNORE_PATH, number, 1, "this entry ignores nothing: its file is not in the repository")
        for number, entry in exceptions.places
        if not entry.commit and entry.path not in head.blobs
    ]
    key = ("unmatched", exceptions.pattern_places, head.paths)
    patterns = [pattern for _, pattern in exceptions.pattern_places]
    empty = memo.context(key, lambda: _lost(patterns, head, facts, _expressions))
    return remarks + [
        Problem(CONFIG_PATH, number, 1, "this path pattern matches no file of the repository")
        for number, pattern in exceptions.pattern_places
        if pattern in empty
    ]


def _expressions(patterns: list[str]) -> Callable[[str], list[int]]:
    index = PatternSet(patterns)
    return lambda path: index.matching(path.encode("utf-8", "replace"))


def _layers(file: Boundaries, head: Tree, facts: Facts, memo: Memo) -> list[Problem]:
    """Return a remark for each glob of a layer that matches no file, one for the layer where none does."""
    key = ("unmatched", file, head.paths)
    globs = {glob for layer in file.layers for glob in layer.globs if not glob.startswith("!")}
    empty = memo.context(key, lambda: _without_match(globs, head, facts))
    remarks = list(file.remarks)
    for layer in file.layers:
        facts.tick()
        own = [glob for glob in layer.globs if not glob.startswith("!")]
        lost = [glob for glob in own if glob in empty]
        if own and len(lost) == len(own):
            remarks.append(Problem(file.path, layer.line, 1, f"the layer {quoted(layer.name)} matches no file"))
            continue
        place = f"in the layer {quoted(layer.name)}"
        remarks += [
            Problem(file.path, layer.line, 1, f"the glob {quoted(glob)} {place} matches no file") for glob in lost
        ]
    return remarks


def _modules(named: Iterable[Named], head: Tree, facts: Facts) -> list[Problem]:
    """Return a remark for each module of `provides` and `ignore_modules` that no file imports."""
    modules = [entry for entry in named if entry.entries is Entries.MODULES]
    if not modules:
        return []
    imported = _imported({entry.text for entry in modules}, head, facts)
    return [
        Problem(module.path, module.line, module.column, f"{module.key}: no file imports {quoted(module.text)}")
        for module in modules
        if module.text not in imported
    ]


def _imported(wanted: set[str], head: Tree, facts: Facts) -> set[str]:
    """Return those of the modules that some file imports, themselves or something below them."""
    longest, found = max(map(len, wanted)), set[str]()
    for path in head.source_paths:
        source = facts.source(path, head.blobs[path])
        for item in source.imports if source is not None else ():
            facts.tick()
            near = item.module if len(item.module) <= longest else item.module[: longest + 1].rpartition(".")[0]
            while near:
                if near in wanted:
                    found.add(near)
                near = near.rpartition(".")[0]
            room = longest - len(item.module) - 1
            found.update(name for n in item.names if len(n) <= room and (name := f"{item.module}.{n}") in wanted)
        if len(found) == len(wanted):
            break
    return found
