"""Lists the blobs of which an evaluation needs facts that are not known yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from forgeguard_app.audit.configuration import EffectiveConfig
from forgeguard_app.audit.facts import Tree
from forgeguard_app.audit.languages import languages_reading
from forgeguard_app.audit.languages.language import Language
from forgeguard_app.audit.memo import Memo
from forgeguard_app.evaluation.facts_cache import HeldFacts
from forgeguard_app.evaluation.left_out import layer_map

OVERLAY = "overlay:"  # the beginning of the names of contents that no blob has
Wanted = tuple[frozenset[Language], frozenset[str]]  # as which languages a blob is read, and for which patterns
# Unions by the identity of their sets, which stay alive beside them.
_Unions = dict[tuple[int, ...], tuple[frozenset[str], list[frozenset[str]]]]


def list_wanted(
    held: HeldFacts, trees: Iterable[Tree], config: EffectiveConfig, memo: Memo, tick: Callable[[], object]
) -> dict[str, Wanted]:
    """Return the blobs to read: as which languages, and for which patterns. What is known is held from now on."""
    wanted: dict[str, Wanted] = {}
    bounded = [file for file in config.boundaries if any(layer.forbidden for layer in file.layers)]
    maps = [layer_map(memo, file, config) for file in bounded]
    unions: _Unions = {}  # files of the same layers share one set of patterns
    for tree in trees:
        for path, blob in tree.blobs.items():
            tick()
            patterns = _union([layers.patterns_of(path) for layers in maps], unions)
            languages = languages_reading(path)
            if blob.startswith(OVERLAY):
                continue
            if (languages or patterns) and held.lacks(blob, patterns, languages):
                before = wanted.get(blob, (languages, frozenset()))
                wanted[blob] = (before[0] | languages, _union([before[1], patterns], unions))
    return wanted


def _union(sets: list[frozenset[str]], known: _Unions) -> frozenset[str]:
    """Return the union, one object for the same sets: thousands of patterns are not copied for each file."""
    distinct = {id(patterns): patterns for patterns in sets if patterns}
    if len(distinct) < 2:
        return next(iter(distinct.values()), frozenset())
    key = tuple(sorted(distinct))
    if key not in known:
        known[key] = (frozenset().union(*distinct.values()), sets)
    return known[key][0]
