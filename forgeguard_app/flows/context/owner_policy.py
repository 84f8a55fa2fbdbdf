"""The owner's file, `.github/forgeguard.yml` of the owner's `.github` repository: kept as last found valid."""

from __future__ import annotations

from forgeguard_app.audit.policy import POLICY_PATHS, PolicySettings, read_settings
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.git.blobs import read_blobs, read_tree
from forgeguard_app.git.command import GitRepository
from forgeguard_app.store.installations import Installation, set_owner_policy


def owner_settings(installation: Installation) -> PolicySettings:
    """Return the owner's file as last found valid."""
    if installation.owner_policy is None:
        return PolicySettings()
    settings, problems = read_settings(installation.owner_policy, POLICY_PATHS[0], owner=True)
    return PolicySettings() if problems else settings


async def keep_owner_policy(
    context: WorkerContext, repository: GitRepository, installation: Installation, head: str
) -> None:
    """Keep the owner's file for all of the owner's repositories once it is valid; a broken one changes nothing."""
    tree = await read_tree(repository, head)
    text: str | None = None
    if POLICY_PATHS[0] in tree:
        blobs = await read_blobs(repository, [tree[POLICY_PATHS[0]]])
        text = blobs.data.get(tree[POLICY_PATHS[0]], b"").decode("utf-8", "replace").replace("\0", "�")
        _, problems = read_settings(text, POLICY_PATHS[0], owner=True)
        if problems:
            return
    async with context.pool.acquire() as connection:
        await set_owner_policy(connection, installation.id, text)
