"""Which manifests count for which folder, and what they declare together."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from forgeguard_app.audit.requirements.joined import JoinedScopes, Layered, ManifestGroup, Scopes, ScopesByManifest
from forgeguard_app.audit.requirements.model import Declared, DependencyScope, Manifest

MAX_NAMED = 20
MAX_SERVING_NAMED = 5
_DOES_NOT_PARSE = "does not parse"


@dataclass(frozen=True, slots=True)
class Declarations:
    """Declared dependencies for the files of one folder: scopes by distribution, and what makes the list incomplete.

    `doubts` are the manifests that make it so, the first of them in words in `opaque`.
    """

    scopes: Scopes
    own_names: frozenset[str] = frozenset()
    provides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    opaque: str = ""
    manifest: str = ""
    doubt_groups: tuple[tuple[Manifest, ...], ...] = ()

    @property
    def doubts(self) -> Iterator[Manifest]:
        """The manifests that make the list incomplete, the nearest first."""
        return chain.from_iterable(self.doubt_groups)


NOTHING_DECLARED = Declarations({})


def included_paths(manifest: Manifest) -> Iterable[tuple[str, DependencyScope]]:
    """Return the paths, from the root, of the files that the manifest refers to; none outside the tree."""
    folder = posixpath.dirname(manifest.path)
    for name, scope in manifest.includes:
        path = posixpath.normpath(posixpath.join(folder, name))
        if not path.startswith(("../", "/")) and "://" not in name:
            yield path, scope


def home_of(path: str) -> str:
    """Return the folder whose files a manifest is for: `requirements/extras/base.txt` is for the folder above."""
    parts = posixpath.dirname(path).split("/")
    if "requirements" in parts:
        return "/".join(parts[: parts.index("requirements")])
    return "/".join(parts)


class DeclarationIndex:
    """An index of all manifests of one tree."""

    def __init__(self, manifests: Iterable[Manifest], *, everywhere: bool = False) -> None:
        self.manifests = tuple(manifests)
        self.everywhere = everywhere
        self._by_home: dict[str, list[Manifest]] = {}
        self._by_path: dict[str, list[Manifest]] = {}
        for manifest in self.manifests:
            self._by_home.setdefault("" if everywhere else manifest.home, []).append(manifest)
            self._by_path.setdefault(manifest.path, []).append(manifest)
        self._known: dict[str, Declarations | None] = {}
        self._groups: dict[tuple[str, bool], ManifestGroup | None] = {}
        self._scopes = ScopesByManifest()
        self._joined_before: dict[tuple[int, ...], Declarations | None] = {}  # folders of one project share it

    def for_folder(self, folder: str) -> Declarations | None:
        """Return the declarations that count for the folder's files; None where no manifest does.

        The nearest manifests above count. Lists of requirements add to what lies above them, up to and with the
        first project's own manifest; a workspace's root counts beside its members.
        """
        if folder not in self._known:
            counting = self._counting(folder)
            key = tuple(map(id, counting))
            if key not in self._joined_before:
                self._joined_before[key] = _joined(counting)
            self._known[folder] = self._joined_before[key]
        return self._known[folder]

    @property
    def says_anything(self) -> bool:
        """Return whether any manifest says what some folder's files may import."""
        return any(ManifestGroup((manifest,), ()).says for manifest in self.manifests)

    def at(self, path: str) -> Sequence[Manifest]:
        """Return the readings of the file: one for each scope and folder that it counts for."""
        return self._by_path.get(path, ())

    def governing(self, folders: Iterable[str], tick: Callable[[], object] = lambda: None) -> frozenset[str]:
        """Return the paths of the manifests that count for the files of these folders; `tick` is called for each."""
        groups: dict[int, ManifestGroup] = {}
        for folder in set(folders):
            tick()
            groups.update((id(group), group) for group in self._counting(folder))
        return frozenset(manifest.path for group in groups.values() for manifest in group.manifests)

    def project_of(self, path: str) -> Manifest | None:
        """Return the project that the file belongs to: the nearest above it whose manifest gives it a name."""
        folder = posixpath.dirname(path)
        while True:
            for manifest in self._by_home.get(folder, []):
                if manifest.is_project and manifest.project_name:
                    return manifest
            if not folder:
                return None
            folder = posixpath.dirname(folder)

    def member_declares(self, member: Manifest, name: str) -> bool:
        """Return whether the member itself declares the distribution; its workspace's root does not speak for it."""
        return any(item.name == name for manifest in self._by_home.get(member.home, []) for item in manifest.declared)

    def _counting(self, folder: str) -> list[ManifestGroup]:
        found: list[ManifestGroup] = []
        complete = False
        while True:
            group = self._group(folder, of_workspaces=complete) if folder in self._by_home else None
            if group is not None:
                found.append(group)
                complete = complete or group.project is not None
            if not folder:
                return found
            folder = posixpath.dirname(folder)

    def _group(self, home: str, *, of_workspaces: bool) -> ManifestGroup | None:
        """Return the manifests of the home, or its workspaces' roots alone; None where there are none."""
        key = (home, of_workspaces)
        if key not in self._groups:
            here = [m for m in self._by_home[home] if m.is_workspace_root or not of_workspaces]
            self._groups[key] = ManifestGroup(here, self._scopes.of(here)) if here else None
        return self._groups[key]


def _joined(groups: list[ManifestGroup]) -> Declarations | None:
    if not any(group.says for group in groups):
        return None
    has_list = any(group.has_list for group in groups)
    doubts = tuple(filter(None, (group.doubts_beside_lists if has_list else group.doubts for group in groups)))
    project = next((group.project for group in groups if group.project is not None), groups[0].manifests[0])
    return Declarations(
        JoinedScopes(part for group in groups for part in group.scopes),
        frozenset().union(*(group.names for group in groups)),
        Layered(part for group in reversed(groups) for part in reversed(group.provides)),
        f"{doubts[0][0].path}: {doubts[0][0].opaque or _DOES_NOT_PARSE}" if doubts else "",
        project.path,
        doubts,
    )


def differences(base: Iterable[Manifest], head: Iterable[Manifest]) -> list[str]:
    """Return sentences on the dependencies that head adds, removes or alters against base, manifest by manifest.

    What ships comes first and by name; of what only serves development a long list is counted.
    """
    base, head = tuple(base), tuple(head)
    before = {manifest.path: _entries(manifest) for manifest in base}  # one included from two places is one
    after = {manifest.path: _entries(manifest) for manifest in head}
    shipped: list[str] = []
    serving: list[str] = []
    named = {manifest.path: manifest.project_name for manifest in base}
    for manifest in head:
        name = named.pop(manifest.path, None)
        if name is not None and manifest.project_name not in (name, None):
            shipped.append(f"`{manifest.path}` renames the project `{name}` to `{manifest.project_name}`.")
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path, {}), after.get(path, {})
        changes = {
            "adds": [new[key] for key in sorted(new.keys() - old.keys())],
            "removes": [old[key] for key in sorted(old.keys() - new.keys())],
            "alters": [new[key] for key in sorted(new.keys() & old.keys()) if new[key] != old[key]],
        }
        for word, items in changes.items():
            ships = [item for item in items if item.scope in (DependencyScope.RUNTIME, DependencyScope.OPTIONAL)]
            serves = [item for item in items if item.scope not in (DependencyScope.RUNTIME, DependencyScope.OPTIONAL)]
            if ships:
                shipped.append(f"`{path}` {word} {_listed(ships, MAX_NAMED)}.")
            if serves:
                serving.append(f"`{path}` {word} for development: {_listed(serves, MAX_SERVING_NAMED)}.")
    return shipped + serving


def _listed(items: list[Declared], most: int) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return (
        ", ".join(
            f"`{item.name}`{' (optional)' if item.scope is DependencyScope.OPTIONAL else ''}" for item in items[:most]
        )
        + more
    )


def _entries(manifest: Manifest) -> dict[tuple[str, DependencyScope], Declared]:
    return {(item.name, item.scope): item for item in manifest.declared}
