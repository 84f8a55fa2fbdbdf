"""The boundaries that a repository's own files describe."""

from __future__ import annotations

from forgeguard_app.audit.boundaries.parse import Boundaries
from forgeguard_app.audit.facts import Tree
from forgeguard_app.git.blobs import read_tree
from forgeguard_app.git.command import EMPTY_TREE
from forgeguard_app.judging.facts_cache import FactsCache
from forgeguard_app.judging.gathering import Gathering
from forgeguard_app.judging.request import Request
from forgeguard_app.judging.source import Source


async def read_boundaries_of(source: Source, head: str) -> tuple[Boundaries, ...]:
    """Return every boundaries.json that counts at the commit."""
    gathering = Gathering(FactsCache(), source, Request(head, EMPTY_TREE))
    configuration = await gathering.configuration_of(Tree(await read_tree(source.repository, head)))
    return configuration.boundaries
