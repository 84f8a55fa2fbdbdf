"""Imports that the repository itself satisfies, decided from paths and manifests.

A module of the repository satisfies an import where the importing file finds it when it runs: in the folders above it,
at its project's root and in the source folders beside that. A module of another project satisfies the files of the
projects that declare that one. A stub or a bare folder satisfies nothing that runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum
from heapq import nsmallest
from typing import NamedTuple

from forgeguard_app.audit.languages.imports import Import
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.languages.python_paths import joined, with_parents
from forgeguard_app.audit.requirements.declared import DeclarationIndex, Declarations
from forgeguard_app.audit.requirements.model import Manifest

_ENTRY_BYTES = 200
MAX_NAMES = 100  # of one statement, or of one folder that is no package, that are looked for in it
_RUNNING = (".py",)  # Python imports a .pyw on Windows alone
_BUILDING = (".py", ".pyi", ".pyx", ".c", ".cc", ".cpp", ".cxx", ".rs")


class Holding(IntEnum):
    """Kinds of a folder's answer to an imported module, from nothing to a module that runs."""

    NOTHING = 0
    STUB = 1  # or another file that Python does not import
    FOLDER = 2  # without a package or module that the statement names
    MODULE = 3


class OwnModule(NamedTuple):
    """The repository's answer to an imported module.

    `holding` is what the importing file finds when it runs. Else `file` has the module's name elsewhere, '' where
    none does; `owner` is the other project that it belongs to and that runs, None where there is none.
    """

    holding: Holding
    file: str = ""
    owner: Manifest | None = None


_NOTHING = OwnModule(Holding.NOTHING)
_FOUND = OwnModule(Holding.MODULE)


class OwnModules:
    """The modules of one tree for its imports, with what its manifests say of its projects."""

    def __init__(self, modules: ModuleIndex, index: DeclarationIndex, paths: Sequence[str] = ()) -> None:
        self._modules = modules
        self._index = index
        self._paths = paths
        self._running: dict[tuple[str, str], bool] = {}
        self._built_from: dict[str, str] | None = None

    def look_up(
        self, path: str, item: Import, declarations: Declarations, tick: Callable[[], object] = lambda: None
    ) -> OwnModule:
        """Return what the repository has of an absolute import of the file. `tick` is called for each folder that has
        the name, and may raise.

        Where several projects have the module, one that the declarations name comes first.
        """
        modules, top = self._modules, item.module.partition(".")[0]
        if not modules.may_hold(top):
            return _NOTHING
        searched = modules.searched_from(path)
        best, first = Holding.NOTHING, ""
        for folder in searched:
            if top not in modules.names_in(folder):
                continue
            if self._runs(folder, top):
                return _FOUND
            tick()
            held = self._held(folder, path, item)
            if held is Holding.MODULE or (held is Holding.FOLDER and modules.is_root(folder)):
                best = max(best, held)
            if best is Holding.MODULE:
                return _FOUND
            first = first or (joined(folder, item.module.replace(".", "/")) if held else "")
        return self._elsewhere(path, item, declarations, tick, OwnModule(best, first))

    def _runs(self, folder: str, top: str) -> bool:
        """Return whether a folder has a module or package of a name without dots that runs."""
        known = self._running.get((folder, top))
        if known is None:
            file = self._modules.at(folder, top)
            known = self._running[folder, top] = file is not None and file.endswith(_RUNNING)
        return known

    def _elsewhere(
        self,
        path: str,
        item: Import,
        declarations: Declarations,
        tick: Callable[[], object],
        found: OwnModule,
    ) -> OwnModule:
        importer = self._index.project_of(path)
        searched = frozenset(self._modules.searched_from(path))
        for root in self._modules.holding(item.module.partition(".")[0]):
            tick()
            if root in searched:
                continue
            held = self._held(root, path, item)
            if not held:
                continue
            file = joined(root, item.module.replace(".", "/"))
            owner = self._index.project_of(file) if held >= Holding.FOLDER else None
            if owner is not None and (importer is None or owner.project_name != importer.project_name):
                if owner.project_name in declarations.scopes or owner.project_name in declarations.own_names:
                    return OwnModule(found.holding, file, owner)
                found = found._replace(file=found.file or file, owner=found.owner or owner)
            found = found._replace(file=found.file or file)
        return found

    def _held(self, folder: str, path: str, item: Import) -> Holding:
        """Return what a folder holds of the module: a file x.py may set up x.y when it is imported."""
        modules, module = self._modules, item.module
        file = modules.at(folder, module.partition(".")[0])
        if file is not None:
            # A guard for type checkers may be true when the code runs: it makes no module of a stub.
            is_stub = not file.endswith(_RUNNING) and not path.endswith(".pyi")
            return Holding.STUB if is_stub else Holding.MODULE
        if module.partition(".")[0] not in modules.names_in(folder):
            return Holding.NOTHING
        names = [f"{module}.{name}" for name in item.names[:MAX_NAMES] if name != "*"]
        for name in (*names, *with_parents(module)):
            file = modules.at(folder, name)
            if file is not None and file in modules.paths and file.endswith(_RUNNING):
                return Holding.MODULE
        below = nsmallest(MAX_NAMES, modules.names_in(joined(folder, module.replace(".", "/"))))
        files = (modules.at(folder, f"{module}.{name}") for name in below)
        return Holding.FOLDER if any(file and file.endswith(_RUNNING) for file in files) else Holding.STUB

    def built_from(self, top: str, tick: Callable[[], object] = lambda: None) -> str:
        """Return a file that has the name, or whose folder has it, from which a project here may build a module or
        package: Python that runs where there is some, else a stub or code to compile; '' where there is none.
        """
        if self._built_from is None:
            found: dict[str, str] = {}
            for path in self._paths:
                tick()
                for name in _last_names(path) if path.endswith(_BUILDING) else ():
                    if name not in found or (path.endswith(_RUNNING) and not found[name].endswith(_RUNNING)):
                        found[name] = path
            self._built_from = found
        return self._built_from.get(top, "")

    @property
    def bytes(self) -> int:
        """About what is remembered takes in memory."""
        return _ENTRY_BYTES * (len(self._running) + len(self._built_from or ()))


def _last_names(path: str) -> tuple[str, str]:
    """Return the names of a file, without its suffix, and of its folder."""
    folder, _, name = path.rpartition("/")
    return name.partition(".")[0], folder.rpartition("/")[2]
