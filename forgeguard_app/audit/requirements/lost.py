"""Manifests that a change takes away from the code that they count for: deleted, replaced by a link, unreadable,
or with a list that nobody can read any more.

Nothing would be undeclared any more: a change could bring a dependency and hide the list that lacks it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator

from forgeguard_app.audit.check import Change
from forgeguard_app.audit.facts import Tree
from forgeguard_app.audit.model import Finding, Problem
from forgeguard_app.audit.pattern_sets import any_glob
from forgeguard_app.audit.policy import CheckPolicy
from forgeguard_app.audit.requirements.declared import DeclarationIndex, Declarations
from forgeguard_app.audit.requirements.manifests import manifest_paths

MAX_ORIGINS = 20  # folders of files of one name that a new file may have come from
_GONE = "the manifest is gone, and no other one counts for changed code below it: declare there what it imports"
_LINK = "the manifest is a symbolic link now, which is not followed: commit the file itself"
_NOTHING = "the file declares nothing any more"
_ABSENT = "the manifest is not read any more: it is too large, or not at hand"
_LIST_THEM = "list the dependencies, or name the files that list them under `manifests`"


def list_lost(
    sides: tuple[DeclarationIndex, DeclarationIndex],
    change: Change,
    policy: CheckPolicy,
    findings: Iterable[Finding],
    needs: Callable[[str], bool],
    tick: Callable[[], object],
) -> tuple[Problem, ...]:
    """Return a problem for each manifest that the change made unknown, where it counted for evaluated code.

    `sides` are what base and head declare. `findings` are those of head, marked as new or not. `needs` says of a file
    at head whether it imports what somebody has to declare. `tick` is called for each file and folder, and may raise.
    """
    base, head = sides
    touched = _touched(base, head, change)
    if not touched:
        return ()
    manifests = {m.path for m in (*base.manifests, *head.manifests)}
    folders = _folders(change, policy, manifests, needs, tick)
    counting = base.governing({old for old, _ in folders}, tick)
    # A list that is no manifest by its name, and that none includes any more, is missed only where no other one counts.
    read = touched & counting & (change.head.links | frozenset(manifest_paths(change.head, policy)))
    lost = {path: why for path in sorted(read) if (why := _unreadable(path, base, head, change.head))}
    doubtful = {posixpath.dirname(f.path) for f in findings if f.new and f.rule == "unknown"}
    told_before = {posixpath.dirname(path) for path in change.base.source_paths}
    known: dict[tuple[int, int, bool, bool, bool], None] = {}
    for (old_folder, folder), changed in folders.items():
        tick()
        was, now = base.for_folder(old_folder), head.for_folder(folder)
        if was is None or was.opaque:
            continue
        asked = folder in doubtful
        # Of code that came from elsewhere, an import must be in doubt that was known there.
        had_list = folder in told_before or (asked and old_folder != folder)
        key = (id(was), id(now), changed, asked, had_list)
        if key in known:
            continue
        known[key] = None
        mine = base.governing([old_folder]) & touched
        if now is None:
            found = _without_list(mine, change.head) if changed else ()
        else:
            found = _doubted(now, mine, touched if had_list else mine, asked=asked)
        for path, why in found:
            lost.setdefault(path, why)
    return tuple(Problem(path, 1, 1, why) for path, why in lost.items())


def _touched(base: DeclarationIndex, head: DeclarationIndex, change: Change) -> frozenset[str]:
    """Return the manifests in the scope that head has otherwise than base, and than every other parent."""
    parents = (change.base, *(tree for tree, _ in change.other_parents))
    paths = {manifest.path for manifest in (*base.manifests, *head.manifests)}
    return frozenset(
        path
        for path in paths
        if path in change.scope and all(tree.blobs.get(path) != change.head.blobs.get(path) for tree in parents)
    )


def _folders(
    change: Change,
    policy: CheckPolicy,
    manifests: set[str],
    needs: Callable[[str], bool],
    tick: Callable[[], object],
) -> dict[tuple[str, str], bool]:
    """Return the folders of evaluated code at the base and at head, with whether the change brought or altered a file
    there that needs something declared.

    A manifest is no code that it counts for.
    """
    ignored = any_glob(policy.ignore)
    gone = _gone(change)
    folders: dict[tuple[str, str], bool] = {}
    for path in change.head.source_paths:
        tick()
        if path in manifests or ignored(path):
            continue
        old_path = change.renames.get(path, path)
        folder, name = posixpath.split(path)
        old = change.base.blobs.get(old_path)
        origins = {folder, posixpath.dirname(old_path)} if old is not None else {folder, *gone.get(name, ())}
        for origin in origins:
            key = (origin, folder)
            is_other = old != change.head.blobs[path] or origin != folder
            folders[key] = folders.get(key, False) or (is_other and needs(path))
    return folders


def _gone(change: Change) -> dict[str, list[str]]:
    """Return the folders of files that head has no more, by name: from there a new file of that name may have come,
    however much of it is new.
    """
    found: dict[str, list[str]] = {}
    moved = set(change.renames.values())
    for path in change.changed:
        if path in change.base.blobs and path not in change.head.blobs and path not in moved:
            folder, name = posixpath.split(path)
            if name != "__init__.py" and len(found.setdefault(name, [])) < MAX_ORIGINS:
                found[name].append(folder)
    return found


def _unreadable(path: str, base: DeclarationIndex, head: DeclarationIndex, tree: Tree) -> str:
    """Return why a manifest that stands at head cannot be read there; '' where it can, or is gone."""
    if not any(m.declared or (m.is_project and not m.unread) for m in base.at(path)):
        return ""
    if path in tree.links:
        return _LINK
    if path not in tree.blobs:
        return ""
    now = head.at(path)
    if not now:
        return _ABSENT
    return next((f"the manifest is not read any more: {m.unread}" for m in now if m.unread), "")


def _without_list(mine: Iterable[str], tree: Tree) -> Iterable[tuple[str, str]]:
    """Return the manifests that no longer count, where nothing else does.

    Code that did not change is not asked for: it may be what was left behind.
    """
    return [(path, _NOTHING if path in tree.blobs else _GONE) for path in sorted(mine)]


def _doubted(now: Declarations, mine: frozenset[str], old: frozenset[str], *, asked: bool) -> Iterator[tuple[str, str]]:
    """Yield the manifests by which the list is not known any more.

    A project's own manifest counts always, if it or code beside it was there before. Anything else counts where a new
    import is in doubt by it (`asked`).
    """
    doubts = [doubt for doubt in now.doubts if not doubt.problems]
    why = f"what is declared cannot be known any more ({now.opaque}): {_LIST_THEM}"
    for manifest in doubts:
        if manifest.path in old and (manifest.is_project or asked):
            yield manifest.path, why
    if asked and doubts and not any(manifest.path in old for manifest in doubts):
        yield from ((path, why) for path in sorted(mine))
