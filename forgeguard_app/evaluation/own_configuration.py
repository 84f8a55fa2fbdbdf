"""Reads what a repository's own files configure."""

from __future__ import annotations

from forgeguard_app.audit.configuration import Configuration
from forgeguard_app.audit.facts import Tree
from forgeguard_app.audit.policy import PolicySettings
from forgeguard_app.evaluation.facts_cache import FactsCache
from forgeguard_app.evaluation.range_loader import RangeLoader
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.source import Source
from forgeguard_app.git.blobs import read_tree
from forgeguard_app.git.command import EMPTY_TREE


async def read_own_configuration(source: Source, head: str, owner: PolicySettings | None = None) -> Configuration:
    """Return what the files at the commit configure, over what the owner sets for all repositories."""
    gathering = RangeLoader(FactsCache(), source, Request(head, EMPTY_TREE, owner=owner or PolicySettings()))
    return await gathering.configuration_of(Tree(await read_tree(source.repository, head)))
