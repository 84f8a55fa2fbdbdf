"""A project that is ready to be built, without its pages; and agents of every kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from forgeguard_app.builders.process import RunBounds
from forgeguard_app.flows.builds.answer_review import ReviewAnswer, answer_build
from forgeguard_app.flows.builds.start_build import start_build
from forgeguard_app.flows.context.worker_context import Builder
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.projects.answer_questionnaire import answer_questionnaire
from forgeguard_app.flows.projects.manage_project import create_project, described
from forgeguard_app.flows.projects.save_contract import Edit, save_contract, write_contracts
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.simulator.git_http import git
from forgeguard_app.simulator.state import Pull, Repository
from forgeguard_app.store.build_changes import BuildChange, list_asked
from forgeguard_app.store.build_logs import LogLine, list_lines
from forgeguard_app.store.build_phases import BuildPhase, list_phases
from forgeguard_app.store.builds import Build, find_build
from forgeguard_app.store.repos import find_repo_named
from forgeguard_app.store.users import SealedTokens, upsert_user
from tests.support.answers import filled
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.stored_builds import get_project_status, has_ended, has_stopped

PROJECT = (
    'printf \'[project]\\nname = "shop"\\nversion = "1"\\ndependencies = ["aiohttp", "asyncpg"]\\n\' > '
    "pyproject.toml; mkdir -p shop/domain shop/services; "
)
PHASES = "".join(
    f"## Phase {number}: {name}\n\n**Objective.** Do it.\n\n### Deliverables\n\n- It.\n\n### Exit "
    f"criteria\n\n- It works.\n\n"
    for number, name in enumerate(("First", "Second"))
)
BUILDER = {"contents": "write", "pull_requests": "write", "workflows": "write"}


@dataclass
class Building:
    """A project of one person, linked to a repository."""

    product: Product
    person: Person
    project_id: UUID
    repository: Repository

    async def start(self) -> UUID:
        """A build."""
        return await start_build(self.product.pool, self.person, self.project_id)

    async def build(self, build_id: UUID) -> Build:
        """As it is now."""
        async with self.product.pool.acquire() as connection:
            found = await find_build(connection, build_id)
        assert found is not None
        return found

    async def ended(self, build_id: UUID) -> Build:
        """At its end."""
        await self.product.until(partial(has_ended, build_id=build_id), True)
        await self.product.idle()
        return await self.build(build_id)

    async def asked(self, build_id: UUID) -> tuple[Build, list[BuildChange]]:
        """Waiting for an approval, with the changes to approve."""
        await self.product.until(partial(has_stopped, build_id=build_id), True)
        await self.product.idle()
        build = await self.build(build_id)
        assert build.status == "awaiting_approval", await self.text(build_id)
        async with self.product.pool.acquire() as connection:
            return build, await list_asked(connection, build_id)

    async def answer(self, build: Build, *, approves: bool, reason: str = "") -> None:
        """What the person says of the changes."""
        assert build.review_sha is not None
        await answer_build(self.product.pool, build, self.person, ReviewAnswer(build.review_sha, approves, reason))

    async def phases(self, build_id: UUID) -> list[BuildPhase]:
        async with self.product.pool.acquire() as connection:
            return await list_phases(connection, build_id)

    async def lines(self, build_id: UUID) -> list[LogLine]:
        async with self.product.pool.acquire() as connection:
            return await list_lines(connection, build_id, 0, 100_000)

    async def text(self, build_id: UUID) -> str:
        return "\n".join(line.message for line in await self.lines(build_id))

    async def status(self) -> str:
        return await get_project_status(self.product.pool, self.project_id)

    def pulls(self) -> list[Pull]:
        return [pull for pull in self.product.github.world.pulls.values() if pull.repository_id == self.repository.id]

    async def show(self, rev: str) -> str:
        """What the pushed branch holds: `<path>` of it."""
        return (await git(self.repository.folder, "show", rev)).decode()


def agent(script: str, bounds: RunBounds | None = None, **environment: str) -> Builder:
    """The operator's command: a shell script."""
    return Builder(("bash", "-c", script), environment, True, bounds or RunBounds(grace_s=0.3))


async def ready(product: Product, tree: WorkTree, phases: str | None = PHASES) -> Building:
    """Everything up to the button that starts a build; `phases` None keeps those that follow from the answers."""
    app = product.github.world.app
    assert app is not None
    app.permissions |= BUILDER
    repository, _ = await product.repository("built")
    tree.commit({"README.md": "# Built\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    async with product.pool.acquire() as connection:
        user_id = await upsert_user(connection, 4_711, "mona", None, SealedTokens("x", None, None))
        repo = await find_repo_named(connection, repository.full_name)
    person = Person(user_id, 4_711, "mona", user_id, None)
    project_id = await create_project(product.pool, person, described("Shop", ""), repo)
    done = await answer_questionnaire(product.pool, project_id, dict(filled("python-aiohttp").values))
    assert not done.problems
    await write_contracts(product.pool, project_id, decided_for=repo.id if repo else None)
    if phases is not None:
        await save_contract(product.pool, person, project_id, Edit(ContractType.PHASES, phases, 1))
    return Building(product, person, project_id, repository)


def running_with_mark(mark: str) -> list[str]:
    """Return the command lines of the processes that a build of that mark left."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"FORGEGUARD_BUILD={mark}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text())
        except OSError:
            continue
    return found
