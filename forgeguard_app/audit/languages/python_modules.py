"""Which file a Python import means, decided from paths alone.

Without an interpreter there is no sys.path. A module is looked for where Python would find it when the code runs
as its authors run it: in the folders above the importing file that are no packages, at the root, beside every
project's manifest, and in the `src` (`lib`, `python`) folder beside it. Where that leaves several files, each of them
is a meaning of the import: a file that somebody adds must not take an import away from the one that it meant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from functools import cached_property
from typing import NamedTuple

from forgeguard_app.audit.languages.imports import Import
from forgeguard_app.audit.languages.python_paths import (
    MAX_DEPTH,
    Remembering,
    folder_above,
    is_package,
    joined,
    with_parents,
)
from forgeguard_app.audit.languages.standard_library import is_standard

MAX_FOLDERS = 400_000  # a few git trees can name each other to any number of folders
MAX_KEPT = 100_000  # of what a name means below a folder
_SOURCE_FOLDERS = ("src", "lib", "python")
_SUFFIXES = (".py", ".pyi", ".pyw")
# What Python takes of the files of one name in one folder: a package, then a module.
# https://docs.python.org/3/library/importlib.html#importlib.machinery.FileFinder
_INITS = ("__init__.py", "__init__.pyi")
_NOTHING: Set[str] = frozenset()
_RUNNING = ("/__init__.py", ".py", ".pyw")


class _Place(NamedTuple):
    """A folder above a file from which it may import."""

    folder: str
    is_root: bool
    sources: tuple[str, ...]  # the source folders beside it, where it is the root of a project


class ModuleIndex(Remembering):
    """The modules of one tree; `cut` where it has more folders than are kept, so that some imports are not resolved."""

    def __init__(
        self, paths: Iterable[str], manifest_folders: Iterable[str] = (), max_folders: int = MAX_FOLDERS
    ) -> None:
        self.paths = frozenset(paths)
        self.cut = False
        self._max_folders = max_folders
        self.packages = frozenset(
            folder
            for folder, _, name in (path.rpartition("/") for path in self.paths)
            if name.startswith("__init__.py")
        )
        self._children: dict[str, set[str]] = {}
        self._last_parts: set[str] = set()  # of the names of all modules: most imported names are none
        self._add_children(path for path in self.paths if path.endswith(_SUFFIXES))
        self._python_folders = frozenset(self._children)
        self._add_children(path for path in self.paths if not path.endswith(_SUFFIXES))
        self._manifests = tuple(manifest_folders)
        # An `__init__.py` beside a project's manifest, or in `src`, does not keep its modules from being found.
        self._search_roots = self._global_roots()
        self._root_set = frozenset(self._search_roots)
        self.roots = tuple(root for root in self._search_roots if root not in self.packages)
        self._names: dict[str, str] = {}
        self._held_below: dict[tuple[str, str], Set[str] | None] = {}
        self._found_at_roots: dict[str, tuple[str, ...]] = {}
        self._searched: dict[str, tuple[_Place, ...]] = {}
        self._searched_last: tuple[str | None, tuple[str, ...]] = (None, ())
        self._packages_around: dict[tuple[str, str], tuple[str, ...]] = {}

    def _add_children(self, paths: Iterable[str]) -> None:
        """Note for each folder the names importable from it: modules, packages and folders that hold sources below."""
        children = self._children
        for path in paths:
            self.cut = self.cut or len(children) > self._max_folders
            if self.cut:
                break
            folder, _, name = path.rpartition(".")[0].rpartition("/")
            self._last_parts.update((name, folder.rpartition("/")[2]))
            if folder.count("/") >= MAX_DEPTH:
                *parts, name = folder.split("/", MAX_DEPTH)[:MAX_DEPTH]
                folder = "/".join(parts)
            while True:
                known = children.setdefault(folder, set())
                if name in known:
                    break
                known.add(name)
                self._last_parts.add(name)
                if not folder:
                    break
                folder, _, name = folder.rpartition("/")

    def _global_roots(self) -> tuple[str, ...]:
        roots: dict[str, None] = {}
        for folder in dict.fromkeys(("", *self._manifests)):
            for root in (*(joined(folder, name) for name in _SOURCE_FOLDERS), folder):
                if root in self._children and (root != folder or not root or root not in self.packages):
                    roots[root] = None
        return tuple(roots)

    def root_of(self, path: str) -> str:
        """Return the folder from which the file's module name counts."""
        folder = path.rpartition("/")[0]
        while folder in self.packages and folder not in self._root_set and folder:
            folder = folder.rpartition("/")[0]
        best = self._root_above(folder)
        if path.rpartition("/")[0] in self.packages and folder not in self._root_set:
            return folder if not self._is_namespace(folder, best) else best
        return best

    def _is_namespace(self, folder: str, root: str) -> bool:
        """Return whether the folders between a root and a package can be namespace packages under a source folder."""
        below = folder[len(root) :].strip("/")
        return root != "" and all(part.isidentifier() for part in below.split("/"))

    def name_of(self, path: str) -> str:
        """Return the file's module name, '' for an `__init__.py` at a root."""
        name = self._names.get(path)
        if name is None:
            root = self.root_of(path)
            below = path[len(root) + 1 :] if root else path
            parts = below.rpartition(".")[0].split("/")
            if parts[-1] == "__init__":
                parts.pop()
            name = self._names[path] = ".".join(parts)
        return name

    def package_of(self, path: str) -> str:
        """Return the package that relative imports of the file count from."""
        name = self.name_of(path)
        return name if is_package(path) else name.rpartition(".")[0]

    def absolute(self, path: str, item: Import) -> str | None:
        """Return the absolute name of what the statement's module part means; None where the dots leave the tree."""
        if not item.level:
            return item.module
        parts = self.package_of(path).split(".") if self.package_of(path) else []
        up = item.level - 1
        if up > len(parts):  # the package begins further up than the nearest root
            if up > path.count("/"):
                return None
            parts = self._name_from_root(folder_above(path, item.level)).split(".")
        else:
            parts = parts[: len(parts) - up]
        return ".".join(part for part in (*parts, item.module) if part)

    def _root_above(self, folder: str) -> str:
        while folder and folder not in self._root_set:
            folder = folder.rpartition("/")[0]
        return folder

    def _name_from_root(self, below: str) -> str:
        """Return the dotted name of a folder or module as counted from the nearest root above it."""
        root = self._root_above(below.rpartition("/")[0])
        return below[len(root) + 1 if root else 0 :].replace("/", ".")

    def other_names(self, path: str) -> tuple[str, ...]:
        """Return the module names that a file has, whichever name it was imported by."""
        stem = path.rpartition(".")[0].removesuffix("/__init__")
        return tuple(dict.fromkeys((self.name_of(path), self._name_from_root(stem))))

    @property
    def folders(self) -> frozenset[str]:
        """The folders from which something can be imported."""
        return frozenset(self._children)

    def _places(self, folder: str) -> tuple[_Place, ...]:
        """Return the folders above a folder's files that hold Python and are roots or no packages, nearest first."""
        missing: list[str] = []
        while folder not in self._searched and folder:
            missing.append(folder)
            folder = folder.rpartition("/")[0]
        known = self._searched.get(folder)
        for at in ("", *reversed(missing)) if known is None else reversed(missing):
            is_root, known = at in self._root_set, known or ()  # shared with all folders below
            if at in self._children and (is_root or at not in self.packages):
                known = (_Place(at, is_root, self._sources_of(at) if is_root else ()), *known)
            self._searched[at] = known
        return known or ()

    def _sources_of(self, root: str) -> tuple[str, ...]:
        sources = (joined(root, name) for name in _SOURCE_FOLDERS)
        return tuple(source for source in sources if source in self._root_set)

    def searched_from(self, path: str) -> tuple[str, ...]:
        """Return the folders from which the file may import when it runs, the nearest first."""
        folder = path.rpartition("/")[0]
        known, folders = self._searched_last
        if known != folder:
            folders = tuple(at for place in self._places(folder) for at in (place.folder, *place.sources))
            self._searched_last = (folder, folders)
        return folders

    def may_hold(self, name: str) -> bool:
        """Return whether any folder has a module or folder of the name."""
        return name in self._last_parts

    def names_in(self, folder: str) -> Set[str]:
        """Return the names of what can be imported from a folder."""
        return self._children.get(folder, _NOTHING)

    def is_root(self, folder: str) -> bool:
        """Return whether a project's modules are counted from the folder."""
        return folder in self._root_set

    def holding(self, top: str) -> tuple[str, ...]:
        """Return the roots, in order, that hold the name."""
        return self._roots_by_name.get(top, ())

    @cached_property
    def _roots_by_name(self) -> Mapping[str, tuple[str, ...]]:
        """The roots that hold each name, in order: a repository may have thousands of projects."""
        return self._by_name(self._search_roots)

    @cached_property
    def _package_roots_by_name(self) -> Mapping[str, tuple[str, ...]]:
        """The folders with a manifest that are packages too."""
        return self._by_name(root for root in dict.fromkeys(self._manifests) if root and root in self.packages)

    def _by_name(self, roots: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for root in roots:
            for name in self._children.get(root, ()):
                found.setdefault(name, []).append(root)
        return {name: tuple(roots) for name, roots in found.items()}

    def find(self, path: str, module: str) -> str | None:
        """Return the likeliest file that defines the module, or its nearest parent; None where there is none."""
        found = (self.meanings(path, name) for name in with_parents(module))
        return next((files[0] for files in found if files), None)

    def meanings(self, path: str, module: str) -> tuple[str, ...]:
        """Return the files that may define the module when the file imports it, the likeliest first.

        A folder without `__init__.py` counts as the one that it could have, unless it lies at a root: there it is
        rather the name of a distribution. A file x.py never defines x.y.
        """
        if module.rpartition(".")[2] not in self._last_parts:
            return ()
        folder = path.rpartition("/")[0]
        near, is_sure = self._near(folder, module)
        others = () if is_sure else self._at_roots(module)
        found = tuple(dict.fromkeys((*near, *others))) if near and others else near or others
        if "." not in module or is_standard(module):
            return found
        around = self._around(folder, module)
        return tuple(dict.fromkeys((*found, *around))) if around else found or self._in_packages(module)

    def _near(self, folder: str, module: str) -> tuple[tuple[str, ...], bool]:
        """Return what is found in the folders above, and whether a project above, or the package that the file lies in,
        has it: then no other project's module is meant.

        All folders above count, up to the root of the repository: a manifest and a module that somebody adds beside
        the file decide neither how the file is run nor what the import means. A name of the standard library is that
        one, but beside the file and at roots: an `email.py` further up is honest code by the dozen.
        """
        top, standard = module.partition(".")[0], is_standard(module)
        found: dict[str, None] = {}
        is_sure = False
        for place in self._places(folder):
            if standard and not place.is_root and place.folder != folder:
                continue
            folders = [at for at in (place.folder, *place.sources) if top in self._children[at]]
            if at_root := [file for at in folders if (file := self.at(at, module))]:
                found.update(dict.fromkeys(at_root))
                is_own = place.is_root or f"{folder}/".startswith(f"{joined(place.folder, top)}/")
                is_sure = is_sure or (is_own and any(self._is_running(file) for file in at_root))
        return tuple(found), is_sure

    def _at_roots(self, module: str) -> tuple[str, ...]:
        found = self._found_at_roots.get(module)
        if found is None:
            files = (self.at(root, module) for root in self.holding(module.partition(".")[0]))
            found = self._found_at_roots[module] = tuple(file for file in files if file)
        return found

    def _around(self, folder: str, module: str) -> tuple[str, ...]:
        """Return what is found in the package that the file lies in, where the folders above it are packages too: a
        stray `__init__.py` makes one of any folder.
        """
        top = module.partition(".")[0]
        if f"/{top}/" not in f"/{folder}/":
            return ()
        key = (folder, top)
        roots = self._packages_around.get(key)
        if roots is None:
            found: list[str] = []
            while folder:
                folder, _, name = folder.rpartition("/")
                if name == top and folder in self.packages:
                    found.append(folder)
            roots = tuple(found)
            self._packages_around = {key: roots}  # of the last statement alone: they may be long
        return self._present(roots, module)

    def _in_packages(self, module: str) -> tuple[str, ...]:
        """Return what is found beside manifests that lie in packages."""
        return self._present(self._package_roots_by_name.get(module.partition(".")[0], ()), module)

    def _present(self, roots: Iterable[str], module: str) -> tuple[str, ...]:
        files = (self.at(root, module) for root in roots)
        return tuple(file for file in files if file and file in self.paths)

    def at(self, root: str, module: str, *, below_package: bool = False) -> str | None:
        """Return what defines exactly this module where it is counted from the folder."""
        parent, _, last = module.rpartition(".")
        held = self._held(root, parent)
        if held is not None and last not in held:
            return None
        stem = joined(root, module.replace(".", "/"))
        for suffix in (*_RUNNING, "/__init__.pyi"):
            if stem + suffix in self.paths:
                return stem + suffix
        if stem in self._python_folders and (below_package or "." in module):
            return f"{stem}/__init__.py"
        return f"{stem}.pyi" if f"{stem}.pyi" in self.paths else None

    def _held(self, root: str, parent: str) -> Set[str] | None:
        """Return the names in the folder of a package that is counted from a root; None where it lies too deep to be
        known. Kept, because a statement may name thousands of modules of one package, and paths may be long.
        """
        if not parent:
            return self._children.get(root, _NOTHING) if root.count("/") < MAX_DEPTH and not self.cut else None
        key = (root, parent)
        if key not in self._held_below:
            stem = joined(root, parent.replace(".", "/"))
            held = self._children.get(stem, _NOTHING) if stem.count("/") < MAX_DEPTH and not self.cut else None
            if len(self._held_below) >= MAX_KEPT:
                self._held_below.clear()
            self._held_below[key] = held
            return held
        return self._held_below.get(key)

    def _is_running(self, file: str) -> bool:
        """Return whether a file is there and no stub, which Python does not import."""
        return file in self.paths and not file.endswith(".pyi")

    def _parent_package(self, path: str, item: Import, tick: Callable[[], object]) -> tuple[str, ...]:
        """Return the deepest package above a module that was not found."""
        for name in with_parents(item.module.rpartition(".")[0]):
            tick()
            files = self._defining(path, item, name)
            if packages := tuple(file for file in files if is_package(file)):
                return packages
        return ()

    def _defining(self, path: str, item: Import, written: str) -> tuple[str, ...]:
        """Return the files that may define a module that the statement names."""
        if not item.level:
            return self.meanings(path, written)
        folder = folder_above(path, item.level)
        if not written:
            inits = (joined(folder, name) for name in _INITS)
            return tuple(init for init in inits if init in self.paths)[:1]
        if written.rpartition(".")[2] not in self._last_parts:
            return ()
        file = self.at(folder, written, below_package=True)
        if file is not None and self._is_running(file):
            return (file,)
        # A package without `__init__.py` may go on below another root.
        base = self.absolute(path, item._replace(module=written))
        others = self.meanings(path, base) if base else ()
        return tuple(dict.fromkeys((file, *others))) if file else others

    def targets(
        self, path: str, item: Import, tick: Callable[[], object] = lambda: None
    ) -> list[tuple[str, str | None]]:
        """Return the modules that the statement may reach: absolute name and file, None where the tree has none.
        `tick` is called for each name, and may raise.

        A name that is no module of its own counts as its module, so that `from a import x, y` reaches `a` once. One
        that is a module of its own reaches `a` too where `a` may be a file, which has no modules below it.
        """
        base = self.absolute(path, item)
        if base is None:
            return []
        own = self._defining(path, item, item.module) or self._parent_package(path, item, tick)
        # The module itself is reached by all names that are none, its files by all names.
        reached: tuple[list[tuple[str, str | None]], ...] = (
            [(base, file) for file in own if not is_package(file)],
            [(base, file) for file in own or (None,)],
        )
        added = -1
        found: dict[tuple[str, str | None], None] = {}
        for name in dict.fromkeys(item.names or ("*",)):
            tick()
            files = self._defining(path, item, ".".join(filter(None, (item.module, name)))) if name != "*" else ()
            for file in files:
                found[f"{base}.{name}" if base else name, file] = None
            through = 0 if files else 1
            if through > added:
                found.update(dict.fromkeys(reached[through]))
                added = through
        return list(found)
