"""Which file a Python import means, decided from paths alone.

Without an interpreter there is no sys.path. A module is looked for where Python would find it when the code runs
as its authors run it: in the folders above the importing file that are no packages, at the root, beside every
project's manifest, and in the `src` (`lib`, `python`) folder beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from forgeguard_app.audit.languages.imports import Import

MAX_DEPTH = 100  # folders in one another that are searched; each costs the length of its path
MAX_FOLDERS = 400_000  # a few git trees can name each other to any number of folders
_SOURCE_FOLDERS = ("src", "lib", "python")


class ModuleIndex:
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
        self._children = self._list_children()
        self._manifests = tuple(manifest_folders)
        self.roots = self._global_roots()
        self._root_set = frozenset(self.roots)
        self._names: dict[str, str] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        # What is found at the roots is the same for every file.
        self._found_at_roots: dict[str, str | None] = {}
        self._held_at_roots: dict[str, bool] = {}
        self._searched: dict[str, tuple[str, ...]] = {}

    def _list_children(self) -> dict[str, set[str]]:
        """For each folder the names importable from it: modules, packages and folders that hold Python below."""
        children: dict[str, set[str]] = {}
        for path in self.paths:
            if len(children) > self._max_folders:
                self.cut = True
                break
            folder, _, name = path.rpartition("/")
            name = name.rpartition(".")[0]
            if folder.count("/") >= MAX_DEPTH:
                *parts, name = folder.split("/", MAX_DEPTH)[:MAX_DEPTH]
                folder = "/".join(parts)
            while True:
                known = children.setdefault(folder, set())
                if name in known:
                    break
                known.add(name)
                if not folder:
                    break
                folder, _, name = folder.rpartition("/")
        return children

    def _global_roots(self) -> tuple[str, ...]:
        roots: dict[str, None] = {}
        for folder in dict.fromkeys(("", *self._manifests)):
            sources = [f"{folder}/{name}" if folder else name for name in _SOURCE_FOLDERS]
            for root in (*sources, folder):
                if root in self._children and root not in self.packages:
                    roots[root] = None
        return tuple(roots)

    def root_of(self, path: str) -> str:
        """Return the folder from which the file's module name counts."""
        folder = path.rpartition("/")[0]
        while folder in self.packages and folder:
            folder = folder.rpartition("/")[0]
        best = folder
        while best and best not in self._root_set:
            best = best.rpartition("/")[0]
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
        if path.rpartition("/")[2].startswith("__init__."):
            return name
        return name.rpartition(".")[0]

    def absolute(self, path: str, item: Import) -> str | None:
        """Return the absolute name of what the statement's module part means; None where the dots leave the tree."""
        if not item.level:
            return item.module
        parts = self.package_of(path).split(".") if self.package_of(path) else []
        up = item.level - 1
        if up > len(parts):
            return None
        parts = parts[: len(parts) - up]
        return ".".join((*parts, item.module) if item.module else parts)

    @property
    def folders(self) -> frozenset[str]:
        """Return the folders from which something can be imported."""
        return frozenset(self._children)

    def _above(self, path: str) -> tuple[str, ...]:
        """Return the folders above the file that are no packages and hold Python, the nearest first."""
        own = path.rpartition("/")[0]
        known = self._searched.get(own)
        if known is None:
            folders: list[str] = []
            folder = own
            while True:
                if folder not in self.packages and folder in self._children:
                    folders.append(folder)
                if not folder:
                    break
                folder = folder.rpartition("/")[0]
            known = self._searched[own] = tuple(folders)
        return known

    def holding(self, top: str) -> tuple[str, ...]:
        """Return the roots, in order, that hold the name."""
        return self._roots_by_name.get(top, ())

    @cached_property
    def _roots_by_name(self) -> Mapping[str, tuple[str, ...]]:
        """The roots that hold each name, in order: a repository may have thousands of projects."""
        found: dict[str, list[str]] = {}
        for root in self.roots:
            for name in self._children[root]:
                found.setdefault(name, []).append(root)
        return {name: tuple(roots) for name, roots in found.items()}

    def find(self, path: str, module: str) -> str | None:
        """Return the file that defines the module, or its nearest parent module; None where the repository has none."""
        top = module.partition(".")[0]
        for folder in self._above(path):
            if top in self._children[folder] and (found := self._find_below(folder, module)) is not None:
                return found
        if module not in self._found_at_roots:
            below = (self._find_below(root, module) for root in self.holding(top))
            self._found_at_roots[module] = next((found for found in below if found is not None), None)
        return self._found_at_roots[module]

    def find_relative(self, path: str, level: int, module: str) -> str | None:
        """Return the file that a relative import means."""
        folder = path.rpartition("/")[0]
        for _ in range(level - 1):
            folder = folder.rpartition("/")[0]
        if not module:
            return self._init(folder)
        return self._find_below(folder, module)

    def _find_below(self, root: str, module: str) -> str | None:
        key = (root, module)
        if key in self._found:
            return self._found[key]
        stem = f"{root}/" if root else ""
        stem += module.replace(".", "/")
        found: str | None = None
        while len(stem) > len(root):
            found = self._module_at(stem)
            if found is not None:
                break
            stem = stem.rpartition("/")[0]
        self._found[key] = found
        return found

    def _module_at(self, stem: str) -> str | None:
        for suffix in (".py", ".pyi", ".pyw"):
            if stem + suffix in self.paths:
                return stem + suffix
        return self._init(stem)

    def _init(self, folder: str) -> str | None:
        for name in ("__init__.py", "__init__.pyi"):
            path = f"{folder}/{name}" if folder else name
            if path in self.paths:
                return path
        return None

    def is_own(self, path: str, module: str) -> bool:
        """Return whether the repository itself holds what an absolute import names, namespace folders included."""
        if any(self._holds(folder, module) for folder in self._above(path)):
            return True
        if module not in self._held_at_roots:
            roots = self.holding(module.partition(".")[0])
            self._held_at_roots[module] = any(self._holds(root, module) for root in roots)
        return self._held_at_roots[module]

    def _holds(self, root: str, module: str) -> bool:
        if module.partition(".")[0] not in self._children[root]:
            return False
        below = module.replace(".", "/")
        folder = f"{root}/{below}" if root else below
        return folder in self._children or self._find_below(root, module) is not None

    def targets(self, path: str, item: Import) -> list[tuple[str, str | None]]:
        """Return the modules that the statement reaches: absolute name and file, None where the tree has none.

        A name that is no module of its own counts as its module, so that `from a import x, y` reaches `a` once.
        """
        base = self.absolute(path, item)
        if base is None:
            return []
        own = self._locate(path, item, item.module)
        found: dict[str, str | None] = {}
        for name in item.names or ("*",):
            target = self._locate(path, item, f"{item.module}.{name}" if item.module else name) if name != "*" else own
            if name == "*" or target is None or target == own:
                found[base] = own
            else:
                found[f"{base}.{name}" if base else name] = target
        return list(found.items())

    def _locate(self, path: str, item: Import, written: str) -> str | None:
        if not item.level:
            return self.find(path, written)
        return self.find_relative(path, item.level, written)
