"""Reads a repository with git, whatever passes: GitHub's lag, a token that was revoked, a name that was changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.git.mirror import CommitGone, Remote, RepositoryGone
from forgeguard_app.github.repo_access import RepoAccess

_T = TypeVar("_T")
MAX_MOVES = 3


async def _remote_of(context: WorkerContext, access: RepoAccess) -> Remote:
    """Return where the repository is now, under its present name, with a token that opens it.

    Raises:
        InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away, or its limit is reached.
    """
    full_name = await access.name()
    token = await access.token()
    return Remote(f"{context.github_url}/{full_name}.git", token.value)


async def retry_until_visible(
    context: WorkerContext, access: RepoAccess, work: Callable[[Remote], Awaitable[_T]]
) -> _T:
    """Return the work's answer, given the repository's remote.

    A fresh token that opens nothing is tried for five seconds with growing pauses, an older one is replaced once.
    Before a repository or a commit counts as gone, the repository is looked up by its id, and followed where its name
    changed.

    Raises:
        RepositoryGone: no token opens it.
        InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away, or its limit is reached.
        Exception: whatever the work raises.
    """
    replaced, moves = False, 0
    while True:
        remote = await _remote_of(context, access)
        token = await access.token()
        await token.pause()
        try:
            return await work(remote)
        except CommitGone:
            moves += 1
            if moves > MAX_MOVES or not await access.has_moved():
                raise
        except RepositoryGone:
            if token.fresh:
                token.refused()
                continue
            moves += 1
            if moves <= MAX_MOVES and await access.has_moved():
                continue
            access.drop(token)
            if replaced:
                raise
            replaced = True
