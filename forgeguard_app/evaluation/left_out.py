"""Counts what was not read of a head, by the reason, and writes the sentences that say so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from itertools import pairwise

from forgeguard_app.audit.boundaries.layer_map import LayerMap
from forgeguard_app.audit.boundaries.parse import Boundaries
from forgeguard_app.audit.check_kinds import Reads, kind_with
from forgeguard_app.audit.check_settings import BOUNDARIES, MANIFESTS
from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.configuration import EffectiveConfig
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.languages import SUFFIXES
from forgeguard_app.audit.languages.imports import Cut
from forgeguard_app.audit.languages.python_modules import MAX_FOLDERS, ModuleIndex
from forgeguard_app.audit.languages.python_paths import MAX_DEPTH, joined
from forgeguard_app.audit.memo import Memo
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.audit.policy import settings_with
from forgeguard_app.audit.scope import Scope
from forgeguard_app.git.command import BIG_FILE_BYTES, HOW_TO_COMPLETE

MAX_INCLUDE_ROUNDS = 20
MOST_NAMED = 5
_CUT = {
    Cut.BOUND: "imports beyond the number or length that is read in one file",
    Cut.ENCODING: "imports of files that declare an encoding that is not read, or is not theirs; save them as UTF-8",
    Cut.POINTER: "imports of files whose contents Git LFS keeps elsewhere",
    Cut.SYNTAX: "imports after a string or an f-string that does not end, or in a file with null characters",
}


@dataclass
class LeftOut:
    """Blobs that were not read, by the reason, and files that manifests include over too many others."""

    too_large: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)  # objects that the repository does not hold
    lost: set[str] = field(default_factory=set)  # blobs that were read, but whose facts found no room
    too_deep: list[str] = field(default_factory=list)
    configuration: set[str] = field(default_factory=set)  # paths at any commit of the range that found no room
    manifests: set[str] = field(default_factory=set)  # likewise
    # Source files that the change put behind links and submodules, with the paths of those.
    unfollowed: dict[str, str] = field(default_factory=dict)
    new_links: Set[str] = frozenset()  # that the change put somewhere, or let mean something else

    @property
    def depends_on_range(self) -> bool:
        """Return whether another evaluation of the same files might read more."""
        return bool(self.missing or self.lost or self.too_deep or self.configuration or self.manifests)

    def sentences(
        self, head: Tree, config: EffectiveConfig, facts: Facts, memo: Memo, scope: Scope
    ) -> Iterator[tuple[CheckCode, str]]:
        """Yield what each check would have read of the files in the scope, with the reason why it did not."""

        def files(blobs: set[str]) -> list[str]:
            found = (path for path, blob in head.blobs.items() if blob in blobs and path in scope)
            return _Ticked(found if blobs else (), facts.tick)

        large, absent, lost = files(self.too_large), files(self.missing), files(self.lost)
        sources = _Ticked((path for path in head.source_paths if path in scope), facts.tick)
        cut = _cut_files(sources, head, facts)
        passing = through_links(self.new_links, sources, head, facts, memo.modules(head))
        unfollowed = passing | {path: link for path, link in self.unfollowed.items() if path in scope}
        deep = _Ticked((path for path in sources if path.count("/") > MAX_DEPTH), facts.tick)
        for code, check in CHECKS.items():
            if check.kind.reads is not Reads.TREE:
                continue
            if paths := check.contents(large, head, config, memo):
                yield code, f"larger than {BIG_FILE_BYTES >> 20} MB: {named(paths)}."
            if paths := check.contents(absent, head, config, memo):
                yield code, f"not in this clone: {named(paths)}; {HOW_TO_COMPLETE}."
            if lost:
                yield code, f"more files and forbidden patterns than are kept at once: {named(lost)}."
            covered = ((reason, check.imports(paths, head, config, memo)) for reason, paths in cut)
            yield from ((code, f"{_CUT[reason]}: {named(paths)}.") for reason, paths in covered if paths)
            if paths := check.imports(list(unfollowed), head, config, memo):
                behind = {unfollowed[path] for path in paths}
                yield code, f"what the change put behind links and submodules, which are not followed: {named(behind)}."
            if paths := check.imports(deep, head, config, memo):
                yield code, f"modules in more than {MAX_DEPTH} folders one in another: {named(paths)}."
            if memo.modules(head).cut and check.imports(sources, head, config, memo):
                yield code, f"modules in more than {MAX_FOLDERS:,} folders, whose imports are not resolved."
        if self.too_deep:
            included = named(self.too_deep)
            sentence = f"included by more than {MAX_INCLUDE_ROUNDS} manifests one after the other: {included}."
            yield kind_with(MANIFESTS).code, sentence
        for code in CheckCode:
            unread = self.configuration | (self.manifests if code is kind_with(MANIFESTS).code else set())
            if unread:
                yield code, f"more configuration and manifests than are read at once: {named(unread)}."


class _Ticked(list[str]):
    """Paths of which each step looks at the clock, however long the one who goes through them takes for each."""

    def __init__(self, paths: Iterable[str], tick: Callable[[], object]) -> None:
        super().__init__(paths)
        self._tick = tick

    def __iter__(self) -> Iterator[str]:
        for path in super().__iter__():
            self._tick()
            yield path


def _cut_files(sources: Iterable[str], head: Tree, facts: Facts) -> list[tuple[Cut, list[str]]]:
    """Return the files of which imports may be missing, by the reason."""
    cut: dict[Cut, list[str]] = {}
    for path in sources:
        if (found := facts.source(path, head.blobs[path])) is not None and found.cut:
            cut.setdefault(found.cut, []).append(path)
    return sorted(cut.items())


def unfollowed(links: Set[str], submodules: Set[str], base: Tree) -> dict[str, str]:
    """Return the source files that may lie behind these links and submodules, with the paths of those: a link that has
    the name of a source file, and what stands where the base has a module or a folder of source files. Other submodules
    hold what was never part of this repository.
    """
    found = {path: path for path in links if path.endswith(SUFFIXES)}
    others = (links - found.keys()) | submodules
    folders = {path for path in others if any(path + suffix in base.blobs for suffix in SUFFIXES)}
    if others:
        for path in base.source_paths:
            folders.update(parent for parent in _parents(path) if parent in others)
    return found | {f"{folder}/__init__.py": folder for folder in folders}


def through_links(
    links: Set[str], sources: Iterable[str], head: Tree, facts: Facts, modules: ModuleIndex
) -> dict[str, str]:
    """Return the source files of which an import passes a link to a folder, with the path of one that it passes."""
    by_names: dict[tuple[str, str], str] = {}  # by the names of the folder above and of the link
    for link in sorted(links):
        folder, _, name = link.rpartition("/")
        if name.isidentifier():
            by_names.setdefault((folder.rpartition("/")[2], name), link)
    found: dict[str, str] = {}
    for path in sources if by_names else ():
        source = facts.source(path, head.blobs[path])
        for item in source.imports if source is not None else ():
            pairs = _pairs(modules.absolute(path, item) or "", item.names)
            if link := _passed(pairs, by_names, links, modules.searched_from(path), facts.tick):
                found[path] = link
                break
    return found


def _passed(
    pairs: Iterable[tuple[str, str]],
    by_names: Mapping[tuple[str, str], str],
    links: Set[str],
    searched: Collection[str],
    tick: Callable[[], object],
) -> str:
    """Return a link that one of these parts of an import may be; '' where there is none."""
    for above, name in pairs:
        tick()
        at_top = (at for folder in searched if (at := joined(folder, name)) in links)
        if link := by_names.get((above, name), "") if above else next(at_top, ""):
            return link
    return ""


def _pairs(base: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each part of an imported name with the part above it, '' above the first one."""
    parts = ["", *base.split(".")] if base else [""]
    yield from pairwise(parts)
    yield from ((parts[-1], name) for name in dict.fromkeys(names))


def _parents(path: str) -> Iterator[str]:
    at = path.rfind("/")
    while at > 0:
        yield path[:at]
        at = path.rfind("/", 0, at)


def layer_map(memo: Memo, boundaries: Boundaries, config: EffectiveConfig) -> LayerMap:
    """Return the layers of a boundaries.json as the configuration that applies sees them."""
    return memo.layers(boundaries, settings_with(config.policy, BOUNDARIES).ignore)


def named(paths: Iterable[str]) -> str:
    """Return the first of the paths, in order, for a sentence."""
    ordered = sorted(paths)
    return ", ".join(f"`{path}`" for path in ordered[:MOST_NAMED]) + (
        " and others" if len(ordered) > MOST_NAMED else ""
    )
