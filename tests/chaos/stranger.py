"""Somebody without access reads whatever they can, all the time, signed in and not."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import aiohttp

from forgeguard_app.simulator.state import Account, Repository, World
from tests.support.browsing import PAGE, Visitor

PAUSE_S = 0.03
TIMEOUT = aiohttp.ClientTimeout(total=3)


class Stranger:
    """Looks at the pages of a repository, and notes what was shown though we knew that it is private."""

    def __init__(self, world: World, repository: Repository, address: str) -> None:
        self.world, self.repository, self.address = world, repository, address
        self.leaks: list[str] = []  # what was shown and should not have been
        self._session: aiohttp.ClientSession | None = None
        self._cookies: dict[str, str] = {}  # of the browser that is signed in

    @contextlib.asynccontextmanager
    async def looking(self, user: Account) -> AsyncIterator[Stranger]:
        """Look, until the block ends; as the user too, once they could sign in."""
        async with aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as self._session:
            tasks = [asyncio.create_task(work) for work in (self._look(), self._sign_in(user))]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def problems(self) -> list[str]:
        """Return what does not hold once all is calm: both see what GitHub shows them."""
        if not self._cookies:
            return ["the stranger could not sign in"]
        private, found = self.repository.private, []
        for who, cookies in (("somebody not signed in", {}), ("a person without access", self._cookies)):
            shown = await self._shown(cookies)
            if shown is None or bool(shown) == private:
                found.append(f"{who} sees the repository: {shown}, it is private: {private}")
        return found

    async def _sign_in(self, user: Account) -> None:
        """Sign in, again where the server or GitHub fails."""
        while not self._cookies:
            await asyncio.sleep(PAUSE_S)
            async with Visitor(self.address) as visitor:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, StopIteration, AssertionError):
                    async with asyncio.timeout(3):
                        await visitor.sign_in(user, "/account")
                    if visitor.status == 200 and visitor.address.endswith("/account"):
                        self._cookies = visitor.cookies[self.address.removeprefix("http://")]

    async def _look(self) -> None:
        while True:
            informed = told_private(self.world, self.repository)
            for cookies in ({}, self._cookies):
                for place in await self._shown(cookies) or ():
                    if informed and told_private(self.world, self.repository):
                        who = "a person without access" if cookies else "somebody not signed in"
                        self.leaks.append(f"shown to {who} though it is private, and we were told: {place}")
            await asyncio.sleep(PAUSE_S)

    async def _shown(self, cookies: dict[str, str]) -> list[str] | None:
        """Return the addresses that show something, None where one is not answered."""
        name = self.repository.full_name
        shown: list[str] = []
        for place in (f"/repos/{name}", f"/badges/{name}.json", f"/badges/{name}.svg"):
            found = await self._get(place, cookies)
            if found is None:
                return None
            status, text = found
            unknown = _says_unknown(text) if place.startswith("/badges") else False
            if status == 200 and not unknown:
                shown.append(place)
        return shown

    async def _get(self, place: str, cookies: dict[str, str]) -> tuple[int, str] | None:
        assert self._session is not None
        headers = {**PAGE, "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        try:
            async with self._session.get(self.address + place, headers=headers, allow_redirects=False) as answer:
                return None if answer.status == 429 or answer.status >= 500 else (answer.status, await answer.text())
        except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError):
            return None


def _says_unknown(text: str) -> bool:
    if text.startswith("{"):
        return bool(json.loads(text).get("message") == "unknown")
    return "unknown" in text


def told_private(world: World, repository: Repository) -> bool:
    """Return whether GitHub says private, and a delivery that says so was answered since it last became private."""
    since = repository.private_since
    if not repository.private or since is None:
        return False
    return any(
        delivery.repository_id == repository.id
        and delivery.arrived is not None
        and delivery.arrived >= since
        and delivery.status_code < 300
        and json.loads(delivery.body)["repository"]["private"]
        for delivery in list(world.deliveries)
    )
