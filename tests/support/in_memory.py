"""Evaluates files that lie nowhere: the engine alone, as fast as a property test wants it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from hashlib import sha256

from forgeguard_app.audit.check import Change
from forgeguard_app.audit.configuration import EffectiveConfig, choose, read_configuration
from forgeguard_app.audit.engine import audit
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.languages import languages_reading
from forgeguard_app.audit.memo import Memo
from forgeguard_app.audit.model import Report
from forgeguard_app.audit.policy import PolicySettings
from forgeguard_app.audit.secrets.scanner import AddedBlock, scan
from forgeguard_app.evaluation.facts_cache import FactsCache


def evaluate_in_memory(
    files: Mapping[str, str],
    *,
    changed: Collection[str] | None = None,
    links: Collection[str] = (),
    tick: Callable[[], object] = lambda: None,
) -> tuple[Report, EffectiveConfig]:
    """The report on these files, as a whole tree or as a push that changed some, and the configuration that applied.

    `tick` is called as an evaluation looks at its clock.
    """
    data = {path: text.encode("utf-8", "surrogateescape") for path, text in files.items()}
    blobs = {path: sha256(content).hexdigest() for path, content in data.items()}
    tree = Tree(blobs, frozenset(links))
    configuration = read_configuration(data.get, tree, PolicySettings(), tick=tick)
    config = choose(configuration, None, target_applies=False, fork=False, owner=PolicySettings())
    cache = FactsCache().hold()
    patterns = frozenset(r.pattern for file in config.boundaries for layer in file.layers for r in layer.forbidden)
    for path, content in data.items():
        cache.learn(blobs[path], content, patterns, languages_reading(path))
    change = Change(
        head_sha="a" * 40,
        base_sha=None,
        head=tree,
        base=tree if changed is not None else Tree({}),
        changed=changed or (),
        renames={},
        touched={},
        whole_tree=changed is None,
        added=tuple(scan((AddedBlock(path, None, 1, content) for path, content in data.items()), config.exceptions)),
    )
    facts = Facts(cache.sources, cache.matches, {blobs[path]: content for path, content in data.items()}, tick)
    return audit(change, facts, config, Memo()), config
