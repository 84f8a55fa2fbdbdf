"""The manifests of a tree that count, each read with what it includes."""

from __future__ import annotations

from dataclasses import replace

from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.memo import AnswerCache, Memo
from forgeguard_app.audit.pattern_sets import any_glob
from forgeguard_app.audit.policy import CheckPolicy
from forgeguard_app.audit.requirements.declared import home_of, included_paths
from forgeguard_app.audit.requirements.model import DependencyScope, Manifest
from forgeguard_app.audit.requirements.readers import is_manifest, read_manifest

MAX_FOLLOWED = 100_000  # includes of all manifests of a tree
_NOT_FOLLOWED = f"the manifests include more than {MAX_FOLLOWED:,} files in all, so that its includes are not followed"


def manifest_paths(tree: Tree, policy: CheckPolicy) -> tuple[str, ...]:
    """Return the manifests that count: those the configuration names, else all that we know by name."""
    if policy.manifests is not None:
        named = any_glob(policy.manifests)
        return tuple(path for path in tree.blobs if named(path))
    ignored = any_glob(policy.ignore)
    return tuple(path for path in tree.blobs if is_manifest(path) and not ignored(path))


def read_manifests(tree: Tree, facts: Facts, policy: CheckPolicy, memo: Memo) -> tuple[Manifest, ...]:
    """Return every manifest that counts and every file that one includes, each read once for each scope.

    At most MAX_FOLLOWED includes are followed; a manifest whose includes are not says so in `unread`.
    """
    readings = memo.context("manifests", AnswerCache[Manifest])
    pending: list[tuple[str, DependencyScope | None, str]] = [
        (path, None, home_of(path)) for path in manifest_paths(tree, policy)
    ]
    visited: set[tuple[str, DependencyScope | None, str]] = set()
    included: dict[tuple[str, DependencyScope | None], tuple[tuple[str, DependencyScope], ...]] = {}
    found: list[Manifest] = []
    followed = 0
    while pending:
        path, scope, home = step = pending.pop()
        data = facts.texts.get(tree.blobs.get(path, ""))
        if step in visited or data is None:
            continue
        visited.add(step)
        facts.tick()
        key = (path, tree.blobs[path], scope)
        manifest = readings.get_or(key, lambda p=path, t=data, s=scope: read_manifest(p, t, s))  # type: ignore[misc]
        if (path, scope) not in included:
            included[path, scope] = tuple(dict.fromkeys(included_paths(manifest)))
        following = included[path, scope]
        followed += len(following)
        if following and followed > MAX_FOLLOWED:
            manifest = replace(manifest, opaque=_NOT_FOLLOWED, unread=_NOT_FOLLOWED)
        else:
            # What a manifest refers to counts where the manifest does.
            pending.extend((*other, home) for other in following if (*other, home) not in visited)
        found.append(replace(manifest, home=home))
    return tuple(sorted(found, key=lambda manifest: manifest.path))
