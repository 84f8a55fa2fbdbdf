"""Access that changes while pages and streams are open, in schedules drawn from seeds, told by an event or by none.

Whatever happened, a minute later nobody sees a repository that GitHub does not let them see; the minute is played by
making what is known half a minute older, with a beat of every stream after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from forgeguard_app.simulator.state import Account, Installation, Repository
from forgeguard_app.store.repos import find_repo_named
from tests.support.browsing import Browser
from tests.support.running import Product, running

SCHEDULES = 8
DEEDS = (
    "take away",
    "take away",
    "allow",
    "revoke",
    "privatize",
    "privatize",
    "publicize",
    "remove",
    "uninstall",
    "rename",
)


@dataclass
class Scene:
    """One repository, one who may read it, and what GitHub did with it."""

    product: Product
    repository: Repository
    installation: Installation
    reader: Account
    granted: bool = True

    def do(self, deed: str, *, is_delivered: bool) -> None:
        """Do one deed; `is_delivered` is whether GitHub delivers its event."""
        people, world = self.product.github.people, self.product.github.world
        match deed:
            case "take away":
                people.levels.pop((self.reader.id, self.repository.id), None)
            case "allow":
                people.allow(self.reader, self.repository, "read")
            case "revoke":
                people.revoke(self.reader)
                self.granted = False
                self._tell(is_delivered, "github_app_authorization", "revoked")
            case "privatize" | "publicize":
                self.repository.private = deed == "privatize"
                self._tell(is_delivered, "repository", f"{deed}d")
            case "remove":
                self.installation.repository_ids.discard(self.repository.id)
                short = [self.product.github.shapes.short_repository(self.repository)]
                more = {"repositories_removed": short, "repositories_added": [], "repository_selection": "selected"}
                self._tell(is_delivered, "installation_repositories", "removed", **more, requester=None)
            case "uninstall":
                world.installations.pop(self.installation.id, None)
                self._tell(is_delivered, "installation", "deleted")
            case _:
                world.rename(self.repository, f"{self.repository.name}-x")
                self._tell(is_delivered, "repository", "renamed", changes={"repository": {"name": {"from": "x"}}})

    def _tell(self, is_delivered: bool, event: str, action: str, **more: Any) -> None:
        github = self.product.github
        body = github.installation_payload(action, self.installation)
        if event == "repository":
            body = {"action": action, "repository": github.shapes.repository(self.repository)}
        if is_delivered:
            github.webhooks.send(event, body | {"sender": github.shapes.account(self.reader)} | more)

    def may_see(self, *, signed_in: bool) -> bool:
        """Whether GitHub lets one see it; what left the App's installation is nobody's business of ours."""
        world, levels = self.product.github.world, self.product.github.people.levels
        held = self.installation.id in world.installations and self.repository.id in self.installation.repository_ids
        reads = signed_in and self.granted and held and (self.reader.id, self.repository.id) in levels
        return reads or not self.repository.private


@contextlib.asynccontextmanager
async def stream(product: Product, browser: Browser, part: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """The live stream of a part."""
    jar = browser.cookies.get(product.address.removeprefix("http://"), {})
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{product.address}/events?of={part}", headers=headers) as answer,
    ):
        yield answer


async def told_gone(answer: aiohttp.ClientResponse) -> bool:
    """Wait until the stream says that its part is gone; False where it never does."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(15):
            while block := await answer.content.readuntil(b"\n\n"):
                if block.startswith(b"event: gone"):
                    return True
    return False


async def play(product: Product, seed: int) -> None:
    """Play one schedule, and assert what must hold a minute after it."""
    source = random.Random(seed)
    private = source.random() < 0.5
    repository, installation = await product.repository(f"shop{seed}", private=private)
    assert installation is not None
    scene = Scene(product, repository, installation, product.github.people.add(f"reader{seed}"))
    product.github.people.allow(scene.reader, repository, "read")
    async with product.pool.acquire() as connection:
        repo = await find_repo_named(connection, repository.full_name)
    assert repo is not None
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(Browser(product))
        nobody = await stack.enter_async_context(Browser(product))
        await reader.sign_in(scene.reader)
        path = f"/repos/{repository.full_name}"
        streams = {}
        for browser, signed_in in ((reader, True), (nobody, False)):
            browser.home()
            assert (await browser.get(path) == 200) == scene.may_see(signed_in=signed_in)
            if scene.may_see(signed_in=signed_in):
                streams[signed_in] = await stack.enter_async_context(stream(product, browser, f"repo/{repo.id}~x"))
        deeds = [(source.choice(DEEDS), source.random() < 0.4) for _ in range(source.randint(1, 4))]
        for deed, is_delivered in deeds:
            scene.do(deed, is_delivered=is_delivered)
        await product.github.webhooks.settle()
        product.web_context.visibility.every_s = 0.0
        async with product.pool.acquire() as connection:
            await connection.execute("UPDATE users SET access_checked_at = access_checked_at - interval '31 seconds'")
        for browser, signed_in in ((reader, True), (nobody, False)):
            if not scene.may_see(signed_in=signed_in):
                if signed_in in streams:
                    assert await told_gone(streams[signed_in]), (seed, deeds, signed_in)
                for address in (path, f"/repos/{repository.full_name}", f"/api/v1/repos/{repo.id}"):
                    assert await browser.get(address) != 200, (seed, deeds, signed_in, address)
                    assert scene.repository.full_name not in browser.text
                await browser.get(f"/badges/{repository.full_name}.json")
                assert '"unknown"' in browser.text or browser.status == 404, (seed, deeds)


@pytest.mark.parametrize("first", [0, *(pytest.param(SCHEDULES * n, marks=pytest.mark.nightly) for n in (1, 2, 3))])
async def test_a_minute_after_access_was_lost_nothing_is_shown(dsn: str, tmp_path: Path, first: int) -> None:
    async with running(dsn, tmp_path / "p", worker=False, beat_s=0.05) as product:
        for seed in range(first, first + SCHEDULES):
            product.web_context.visibility.every_s = 30.0
            await play(product, seed)
