"""The repository in which a build's commits are made: ours alone, shallow, on this machine until the build's end."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from forgeguard_app.errors import Temporary
from forgeguard_app.git.command import GitError, GitTimeout, Repository, authorization
from forgeguard_app.git.mirror import FETCH_TIMEOUT_S, Remote, meaning_of
from forgeguard_app.git.range import has_commit


async def open_ledger(folder: Path, remote: Remote, commits: Iterable[str]) -> Repository:
    """The repository with these commits and all their files, made or completed as needed.

    Raises:
        CommitGone, RepositoryGone: as their names say.
        Temporary: the network or the other side failed.
    """
    repository = Repository(folder)
    if not (folder / "HEAD").exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        await repository.run("init", "--quiet", "--bare", "--template=", str(folder))
    environment = authorization(remote.url, remote.token) if remote.token else {}
    missing = [commit for commit in commits if not await has_commit(repository, commit)]
    if missing:
        try:
            await repository.run(
                "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", remote.url,
                *(f"+{commit}:refs/forgeguard/{commit}" for commit in missing), timeout_s=FETCH_TIMEOUT_S, environment=environment,
            )  # fmt: skip
        except GitTimeout as error:
            raise Temporary(str(error)) from error
        except GitError as error:
            raise meaning_of(error) from error
    return repository


async def list_paths(repository: Repository, commit: str) -> set[str]:
    """Every file's path."""
    out = await repository.run("ls-tree", "-r", "-z", "--name-only", commit)
    return set(out.decode("utf-8", "surrogateescape").split("\0")) - {""}
