"""What people do in a rehearsal, and what is to be expected of it."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass, field
from typing import Any

from forgeguard_app.simulator.state import Installation, Repository
from forgeguard_app.simulator.story import Story
from tests.chaos.invariants import Head
from tests.chaos.schedule import Schedule, Step
from tests.support.repositories import ENV

_DATES = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}

LATE_S = 0.15


def git(repository: Repository, *arguments: str) -> str:
    """git's output in the bare repository, always at the same date, so that commits have the same ids."""
    done = subprocess.run(
        ["git", f"--git-dir={repository.folder}", *arguments],
        env=ENV | _DATES,
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


@dataclass
class Deeds:
    """One repository's story so far."""

    story: Story
    repository: Repository
    installation: Installation
    schedule: Schedule
    start: str
    trees: dict[str, str]
    heads: dict[str, Head] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    groups: list[tuple[str, str]] = field(default_factory=list)
    number: int = 0
    late: list[asyncio.Task[None]] = field(default_factory=list)  # deliveries that are still to be made

    async def do(self, step: Step) -> None:
        """One step of the schedule."""
        deeds: dict[str, Any] = {
            "main": self._main,
            "branch": self._branch,
            "force": self._force,
            "delete": self._delete,
            "pull": self._pull,
            "fork": self._fork,
            "group": self._group,
            "drop": self._drop,
            "rerun": self._rerun,
            "suspend": self._suspend,
            "rename": self._rename,
            "vanish": self._vanish,
            "usurp": self._usurp,
            "transfer": self._transfer,
            "privatize": self._privatize,
            "publicize": self._publicize,
            "remove": self._remove,
        }
        await deeds[step.deed](step)

    async def _main(self, step: Step) -> None:
        sha = self._commit(step.variant, self.branches.get("main", self.start))
        # Where the App comes in the storm, this head may be its baseline and a push.
        self.expect(sha, step.variant, {1, 2} if self.schedule.install_in_storm else {1})
        self.branches["main"] = sha
        await self.story.move(self.repository, "main", sha)

    async def _branch(self, step: Step) -> None:
        sha = self._commit(step.variant, self.start)
        self.expect(sha, step.variant)
        self.branches[f"topic{self.number}"] = sha
        await self.story.move(self.repository, f"topic{self.number}", sha)

    async def _force(self, step: Step) -> None:
        name = self._newest_topic()
        if name is None:
            return
        sha = self._commit(step.variant, self.start)
        self.expect(sha, step.variant)
        self.heads[self.branches[name]].gone = True
        self.branches[name] = sha
        await self.story.move(self.repository, name, sha)

    async def _delete(self, _: Step) -> None:
        name = self._newest_topic()
        if name is not None:
            self.heads[self.branches.pop(name)].gone = True
            await self.story.move(self.repository, name, None)

    def _newest_topic(self) -> str | None:
        return max((name for name in self.branches if name != "main"), default=None)

    async def _pull(self, step: Step) -> None:
        await self._branch(step)
        name = f"topic{self.number}"
        await self.story.open_pull(self.repository, name, self.branches[name], "main")

    async def _fork(self, step: Step) -> None:
        sha = self._commit(step.variant, self.start)
        self.expect(sha, step.variant)
        await self.story.open_pull(self.repository, "main", sha, "main", fork=True)

    async def _group(self, step: Step) -> None:
        sha = self._commit(step.variant, self.start)
        self.expect(sha, step.variant)
        self.groups.append((sha, self.start))
        await self.story.queue_group(self.repository, sha, self.start)

    async def _drop(self, _: Step) -> None:
        if self.groups:
            sha, base = self.groups.pop()
            self.heads[sha].gone = True
            await self.story.drop_group(self.repository, sha, base)

    async def _suspend(self, _: Step) -> None:
        if not self.schedule.install_in_storm:
            self.story.suspend(self.installation, on=True)
            await asyncio.sleep(0.1)
            self.story.suspend(self.installation, on=False)

    async def _rename(self, _: Step) -> None:
        self.number += 1
        self.story.rename(self.repository, f"shop{self.number}")

    async def _vanish(self, _: Step) -> None:
        """The old name is gone, and nobody told of the new one."""
        self.number += 1
        self.story.world.rename(self.repository, f"shop{self.number}", redirect=False)

    async def _usurp(self, _: Step) -> None:
        """The old name belongs to a public copy, and nobody told."""
        self.number += 1
        await self.story.take_name(self.repository, f"shop{self.number}")

    async def _transfer(self, _: Step) -> None:
        """The repository goes to another account on which the App is installed, and nobody told."""
        self.number += 1
        owner = self.story.world.add_account(f"other{self.number}")
        self.installation = self.story.github.install(owner, [])
        self.story.world.transfer(self.repository, owner)

    async def _privatize(self, _: Step) -> None:
        """What GitHub said before it comes late, too."""
        former = self._edited()
        self.story.set_private(self.repository, private=True)
        self._send_late(former)

    async def _publicize(self, _: Step) -> None:
        self.story.set_private(self.repository, private=False)

    async def _remove(self, _: Step) -> None:
        """The App is taken off the repository, and comes back a moment later."""
        if self.schedule.install_in_storm or self.repository.id not in self.installation.repository_ids:
            return
        former = self._edited()
        self.story.remove(self.repository, self.installation)
        self._send_late(former)
        await asyncio.sleep(0.1)
        self.story.add(self.repository, self.installation)

    def _edited(self) -> dict[str, Any]:
        """An event that says what the repository is now."""
        shapes, world = self.story.shapes, self.story.world
        return {
            "action": "edited",
            "changes": {},
            "repository": shapes.repository(self.repository),
            "sender": shapes.account(world.pusher),
            "installation": shapes.simple_installation(self.installation),
        }

    def _send_late(self, payload: dict[str, Any]) -> None:
        self.number += 1
        delay_s = LATE_S * (1 + self.number % 5)
        self.late.append(asyncio.create_task(self._after(delay_s, payload)))

    async def _after(self, delay_s: float, payload: dict[str, Any]) -> None:
        await asyncio.sleep(delay_s)
        self.story.github.webhooks.send("repository", payload)

    async def _rerun(self, _: Step) -> None:
        evaluated = [
            head
            for head in self.heads.values()
            if len([r for r in self.story.world.runs_of(self.repository.id, head.sha) if r.status == "completed"]) == 3
            and (self.repository.id, head.sha) in self.story.world.suites
            and not head.gone
            and head.runs == {1}
        ]
        if evaluated:
            evaluated[-1].runs = {2}
            self.story.rerun(self.repository, evaluated[-1].sha)

    def _commit(self, variant: str, parent: str) -> str:
        self.number += 1
        return git(self.repository, "commit-tree", self.trees[variant], "-p", parent, "-m", f"{variant} {self.number}")

    def expect(self, sha: str, variant: str, runs: set[int] | None = None) -> None:
        """The head is to be evaluated; `runs` is how often, once where it is left out."""
        self.heads[sha] = Head(sha, variant, runs or {1})
