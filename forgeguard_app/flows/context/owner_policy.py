"""The owner's file, `.github/forgeguard.yml` of the owner's `.github` repository: kept as last found valid."""

from __future__ import annotations

from forgeguard_app.audit.policy import POLICY_PATHS, PolicySettings, read_settings
from forgeguard_app.git.blobs import read_blobs, read_tree
from forgeguard_app.git.command import GitRepository
from forgeguard_app.store.audits import OwnerPolicy
from forgeguard_app.store.installations import Installation
from forgeguard_app.threads import in_thread


def owner_settings(installation: Installation) -> PolicySettings:
    """Return the owner's file as last found valid."""
    if installation.owner_policy is None:
        return PolicySettings()
    settings, problems = read_settings(installation.owner_policy, POLICY_PATHS[0], owner=True)
    return PolicySettings() if problems else settings


async def read_owner_policy(repository: GitRepository, head: str) -> OwnerPolicy | None:
    """Return the owner's file at the head, for all of the owner's repositories.

    None where it is broken, too large to be read or a link: what held before goes on.
    """
    tree = await read_tree(repository, head)
    path = POLICY_PATHS[0]
    if path not in tree:
        return None if path in tree.links else OwnerPolicy(None)
    blobs = await read_blobs(repository, [tree[path]])
    if tree[path] not in blobs.data:
        return None
    return await in_thread(_policy_of, blobs.data[tree[path]])


def _policy_of(data: bytes) -> OwnerPolicy | None:
    text = data.decode("utf-8", "replace").replace("\0", "�")
    _, problems = read_settings(text, POLICY_PATHS[0], owner=True)
    return None if problems else OwnerPolicy(text)
