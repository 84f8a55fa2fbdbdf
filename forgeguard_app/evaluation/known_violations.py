"""Writes a boundaries.json that records findings as known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from forgeguard_app.audit.boundaries.parse import read_boundaries
from forgeguard_app.audit.boundaries.record import known_entries, with_known
from forgeguard_app.audit.configuration import boundary_paths, configuration_paths, read_policy
from forgeguard_app.audit.facts import Tree
from forgeguard_app.audit.policy import PolicySettings
from forgeguard_app.evaluation.source import Source
from forgeguard_app.git.blobs import read_blobs, read_tree
from forgeguard_app.threads import in_thread


@dataclass(frozen=True, slots=True)
class Proposal:
    """A file as it would be: `blob` is what it is now."""

    path: str
    blob: str
    text: str


async def propose_known(
    source: Source, head: str, owner: PolicySettings, findings: Iterable[tuple[str, str]]
) -> list[Proposal]:
    """Return the boundaries files at head with the findings, given as (rule, path), recorded; each in the file with its
    layer.
    """
    tree = Tree(await read_tree(source.repository, head))
    texts = await _read(source, tree, configuration_paths(tree))
    paths = await in_thread(_boundary_paths, texts, tree, owner)
    texts |= await _read(source, tree, paths)
    return await in_thread(_recorded, tree, paths, texts, findings)


def _boundary_paths(texts: Mapping[str, bytes], tree: Tree, owner: PolicySettings) -> Sequence[str]:
    policy, _ = read_policy(texts.get, tree, owner)
    paths, _ = boundary_paths(policy, tree)
    return paths


def _recorded(
    tree: Tree, paths: Sequence[str], texts: Mapping[str, bytes], findings: Iterable[tuple[str, str]]
) -> list[Proposal]:
    entries = known_entries(findings)
    proposals: list[Proposal] = []
    for path in paths:
        text = texts.get(path, b"").decode("utf-8", "replace")
        boundaries, problems = read_boundaries(text, path)
        names = {layer.name for layer in boundaries.layers}
        # What belongs to no layer (a module without one, say) is recorded in the first file.
        ours = [entry for entry in entries if entry["layer"] in names or path == paths[0]]
        changed = None if problems else with_known(text, ours)
        if changed is not None:
            proposals.append(Proposal(path, tree.blobs[path], changed))
            entries = [entry for entry in entries if entry not in ours]
    return proposals


async def _read(source: Source, tree: Tree, paths: Iterable[str]) -> dict[str, bytes]:
    wanted = {path: tree.blobs[path] for path in paths}
    await source.ensure(set(wanted.values()))
    blobs = await read_blobs(source.repository, wanted.values())
    return {path: blobs.data[blob] for path, blob in wanted.items() if blob in blobs.data}
