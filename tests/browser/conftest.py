"""One product and one browser for a module's tests of live pages."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext

from forgeguard_app.flows.builds.start_build import start_build
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.projects.answer_questionnaire import answer_questionnaire
from forgeguard_app.flows.projects.manage_project import create_project, described
from forgeguard_app.flows.projects.save_contract import write_contracts
from forgeguard_app.simulator.state import Account
from forgeguard_app.store.builds import list_builds
from forgeguard_app.store.repos import Repo, find_repo_named
from forgeguard_app.store.states import BuildStatus
from tests.browser.walking import DESKTOP, chromium
from tests.support.answers import filled
from tests.support.browsing import Browser
from tests.support.building import BUILDER, agent
from tests.support.running import Product, running
from tests.support.stored import get_user_id
from tests.support.watching import Proxy, finish_build, proxied


@dataclass
class Scene:
    """A product without a worker, so that nothing changes by itself; a browser; and somebody who is signed in."""

    product: Product
    chromium: Chromium
    person: Person
    project_id: UUID
    repo: Repo
    user: Account
    cookies: dict[str, str]

    async def start_build(self) -> UUID:
        """Start a build that waits; one that a failed test left is ended, so that its failure stays its own."""
        async with self.product.pool.acquire() as connection:
            left = [
                build.id
                for build in await list_builds(connection, self.project_id, None, 100)
                if build.completed_at is None
            ]
        for build_id in left:
            await finish_build(self.product.pool, build_id, BuildStatus.CANCELLED)
        return await start_build(self.product.pool, self.person, self.project_id)

    @contextlib.asynccontextmanager
    async def window(
        self,
        *,
        scripts: bool = True,
        without: tuple[str, ...] = (),
        again: bool = False,
        expected: tuple[str, ...] = (),
    ) -> AsyncIterator[tuple[BrowserContext, Proxy]]:
        """A browser of its own behind a proxy of its own, signed in; `without` some of what browsers can do.

        With `again` it has a session of its own, which may end. Errors that hold an `expected` word are none.
        """
        cookies = await signed_in(self.product, self.user) if again else self.cookies
        async with proxied(self.product.address) as proxy:
            context = await self.chromium.new_context(viewport=DESKTOP, java_script_enabled=scripts)  # type: ignore[arg-type]
            context.set_default_timeout(90_000)
            wrong: list[str] = []
            context.on("weberror", lambda error: wrong.append(str(error.error)))
            context.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
            for name in without:
                await context.add_init_script(f"delete globalThis.{name}; delete Navigator.prototype.{name};")
            await context.add_cookies([{"name": n, "value": v, "url": proxy.address} for n, v in cookies.items()])
            yield context, proxy
            await context.close()
            allowed = ("503", "ERR_", *expected)  # a server that is away
            assert not [text for text in wrong if not any(word in text for word in allowed)], wrong


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Signed in as the maker of a project, who writes to its repository."""
    name, folder = f"live{uuid.uuid4().hex}", tmp_path_factory.mktemp("live")
    admin = await asyncpg.connect(postgres.replace("/forgeguard?", "/postgres?"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE forgeguard")
    dsn = postgres.replace("/forgeguard?", f"/{name}?")
    async with running(dsn, folder, worker=False, builder=agent("true"), beat_s=1.0) as product, chromium() as browser:
        yield await _signed_in(product, browser)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def _signed_in(product: Product, browser: Chromium) -> Scene:
    app = product.github.world.app
    assert app is not None
    app.permissions |= BUILDER
    repository, _ = await product.repository()
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "admin")
    cookies = await signed_in(product, user)
    async with product.pool.acquire() as connection:
        repo = await find_repo_named(connection, repository.full_name)
        user_id: UUID = await get_user_id(connection, user.id)
    assert repo is not None
    person = Person(user_id, user.id, "mona", user_id, None)
    project_id = await create_project(product.pool, person, described("Shop", ""), repo)
    assert not (await answer_questionnaire(product.pool, project_id, dict(filled("python-aiohttp").values))).problems
    await write_contracts(product.pool, project_id, decided_for=repo.id)
    return Scene(product, browser, person, project_id, repo, user, cookies)


async def signed_in(product: Product, user: Account) -> dict[str, str]:
    """The cookies of a new session."""
    async with Browser(product) as plain:
        await plain.sign_in(user)
        return plain.cookies[product.address.removeprefix("http://")]
