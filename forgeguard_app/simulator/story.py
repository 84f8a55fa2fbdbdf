"""Deeds of people and of GitHub, one call each: the state changes, and the App is told."""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

from forgeguard_app.simulator.git_http import ZERO, git, push_payload
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import Installation, Pull, Repository


class Story:
    """Deeds in a simulated GitHub."""

    def __init__(self, github: SimulatedGitHub) -> None:
        self.github, self.world, self.shapes = github, github.world, github.shapes

    async def move(self, repository: Repository, branch: str, sha: str | None) -> None:
        """Push: let the branch point to the commit, or be gone."""
        ref = f"refs/heads/{branch}"
        try:
            before = (await git(repository.folder, "rev-parse", "--verify", "--quiet", ref)).decode().strip()
        except RuntimeError:
            before = ZERO
        await self._set_ref(repository, ref, sha)
        payload = await push_payload(self.shapes, repository, ref, before, sha or ZERO)
        await self.github.pushed(repository, payload)

    async def open_pull(self, repository: Repository, branch: str, sha: str, base: str, *, fork: bool = False) -> Pull:
        """Open a pull request; a fork's head lies in a reference of its own alone."""
        pull = self.world.add_pull(repository, branch, sha, base, fork=fork)
        await self._set_ref(repository, f"refs/pull/{pull.number}/head", sha)
        self._tell_pull(repository, pull, "opened")
        return pull

    async def retarget(self, repository: Repository, pull: Pull, base: str) -> None:
        """Let the pull request aim elsewhere."""
        former, pull.base_ref = pull.base_ref, base
        self._tell_pull(repository, pull, "edited", changes={"base": {"ref": {"from": former}, "sha": {"from": ZERO}}})

    def close_pull(self, repository: Repository, pull: Pull) -> None:
        """Close the pull request."""
        pull.state = "closed"
        self._tell_pull(repository, pull, "closed")

    async def queue_group(self, repository: Repository, sha: str, base_sha: str, base: str = "main") -> str:
        """Let the merge queue want a group evaluated, and return the group's branch."""
        branch = f"gh-readonly-queue/{base}/pr-1-{base_sha}"
        await self.move(repository, branch, sha)
        self._tell_group(repository, "checks_requested", branch, sha, base_sha, base)
        return branch

    async def drop_group(self, repository: Repository, sha: str, base_sha: str, base: str = "main") -> None:
        """Let the merge queue give the group up."""
        branch = f"gh-readonly-queue/{base}/pr-1-{base_sha}"
        self._tell_group(repository, "destroyed", branch, sha, base_sha, base, reason="invalidated")
        await self.move(repository, branch, None)

    def rerun(self, repository: Repository, sha: str) -> None:
        """Somebody asks to run all checks again."""
        suite = self.world.suites[repository.id, sha]
        self.github.tell(repository, "check_suite", self.shapes.suite_event(repository, sha, suite, "rerequested"))

    def press(self, repository: Repository, run_id: int, identifier: str) -> None:
        """Somebody presses a button on a check run."""
        run = self.world.check_runs[run_id]
        body = {"action": "requested_action", "check_run": self.shapes.check_run(run)}
        self.github.tell(repository, "check_run", body | {"requested_action": {"identifier": identifier}})

    def suspend(self, installation: Installation, *, on: bool) -> None:
        """Suspend the installation, or let it work again."""
        installation.suspended_at = self.world.now() if on else None
        installation.updated_at = self.world.now()
        action = "suspend" if on else "unsuspend"
        self.github.webhooks.send("installation", self.github.installation_payload(action, installation))

    def archive(self, repository: Repository, *, on: bool) -> None:
        """Archive the repository, or let it take writes again."""
        repository.archived = on
        self.github.tell(repository, "repository", {"action": "archived" if on else "unarchived"})

    def rename(self, repository: Repository, name: str) -> None:
        """Give the repository another name; the old one redirects."""
        former = repository.name
        self.world.rename(repository, name)
        changes = {"repository": {"name": {"from": former}}}
        self.github.tell(repository, "repository", {"action": "renamed", "changes": changes})

    def set_private(self, repository: Repository, *, private: bool) -> None:
        """Make the repository private, or public."""
        self.world.set_private(repository, private=private)
        self.github.tell(repository, "repository", {"action": "privatized" if private else "publicized"})

    def remove(self, repository: Repository, installation: Installation) -> None:
        """Take the App off the repository."""
        installation.repository_ids.discard(repository.id)
        self._tell_of_repositories(installation, "removed", [repository])

    def add(self, repository: Repository, installation: Installation) -> None:
        """Add one more repository to the installation."""
        installation.repository_ids.add(repository.id)
        self._tell_of_repositories(installation, "added", [repository])

    async def take_name(self, repository: Repository, name: str, *, guarded: bool = False) -> Repository:
        """Rename the repository without telling anybody; its old one belongs to a public copy, `guarded` like
        it.
        """
        former, folder = repository.name, repository.folder
        self.world.rename(repository, name, redirect=False)
        copy = self.world.add_repository(repository.owner, former)
        await asyncio.to_thread(shutil.copytree, folder, copy.folder, symlinks=True)
        installation = self.world.installation_of(repository.id)
        if installation is not None and guarded:
            installation.repository_ids.add(copy.id)
        return copy

    def _tell_of_repositories(self, installation: Installation, action: str, repositories: list[Repository]) -> None:
        body = self.github.installation_payload(action, installation)
        del body["repositories"]
        short = [self.shapes.short_repository(repository) for repository in repositories]
        lists = {f"repositories_{kind}": short if kind == action else [] for kind in ("added", "removed")}
        whole = body | lists | {"repository_selection": "selected", "requester": None}
        self.github.webhooks.send("installation_repositories", whole)

    async def _set_ref(self, repository: Repository, ref: str, sha: str | None) -> None:
        if sha is None:
            await git(repository.folder, "update-ref", "-d", ref)
        else:
            await git(repository.folder, "update-ref", ref, sha)
            repository.pushed[sha] = self.world.now()

    def _tell_pull(self, repository: Repository, pull: Pull, action: str, **more: Any) -> None:
        pull.updated_at = self.world.now()
        self.github.tell(
            repository,
            "pull_request",
            {"action": action, "number": pull.number, "pull_request": self.shapes.pull(pull), **more},
        )

    def _tell_group(
        self, repository: Repository, action: str, branch: str, sha: str, base_sha: str, base: str, **more: Any
    ) -> None:
        group = {
            "head_sha": sha,
            "head_ref": f"refs/heads/{branch}",
            "base_sha": base_sha,
            "base_ref": f"refs/heads/{base}",
            "head_commit": {
                "id": sha,
                "tree_id": sha,
                "message": "",
                "timestamp": "2026-01-01T00:00:00Z",
                "author": {"name": "A", "email": "a@example.invalid"},
                "committer": {"name": "A", "email": "a@example.invalid"},
            },
        }
        self.github.tell(repository, "merge_group", {"action": action, "merge_group": group, **more})
