"""A repository's mirror with one commit in it, for work that reads a head as it is."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.visibility_lag import retry_until_visible
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.git.mirror import CommitGone, Mirror, Remote, RepositoryGone
from forgeguard_app.github.tokens import InstallationUnavailable
from forgeguard_app.store.installations import Installation
from forgeguard_app.store.repos import Repo


def mirror_folder(context: WorkerContext, repo: Repo) -> Path:
    """Return the folder of the repository's mirror on this machine."""
    return context.home / "mirrors" / f"{repo.github_repo_id}.git"


@contextlib.asynccontextmanager
async def mirror_at(
    context: WorkerContext, installation: Installation, repo: Repo, sha: str, who: UUID
) -> AsyncIterator[Mirror]:
    """The mirror, held against others, with the commit brought; `who` is the key of the work that needs it.

    Raises:
        UserError: the repository or the commit is not readable for us any more, or takes too much of the disk.
        RetryLater: a transient fault.
    """
    folder = mirror_folder(context, repo)
    try:
        async with Mirror(folder, Remote("")).locked(str(who)):
            yield await retry_until_visible(
                context,
                context.access(installation, repo),
                lambda remote: _fetch(Mirror(folder, remote, context.mirror_max_bytes), sha),
            )
    except CommitGone as error:
        raise UserError("The commit is not in the repository any more.") from error
    except (RepositoryGone, InstallationUnavailable) as error:
        raise UserError("ForgeGuard may not read this repository's contents any more.") from error


async def _fetch(mirror: Mirror, sha: str) -> Mirror:
    await mirror.prepare()
    await mirror.fetch([sha])
    return mirror
