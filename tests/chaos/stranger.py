"""Somebody who is not signed in reads whatever they can, all the time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import aiohttp

from forgeguard_app.simulator.state import Repository, World

PAUSE_S = 0.03
TIMEOUT = aiohttp.ClientTimeout(total=3)


class Stranger:
    """Looks at the pages of a repository, and notes what was shown though we knew that it is private."""

    def __init__(self, world: World, repository: Repository, address: str) -> None:
        self.world, self.repository, self.address = world, repository, address
        self.seen: list[str] = []  # what was shown and should not have been
        self._session: aiohttp.ClientSession | None = None

    @contextlib.asynccontextmanager
    async def looking(self) -> AsyncIterator[Stranger]:
        """Look, until the block ends."""
        async with aiohttp.ClientSession(timeout=TIMEOUT) as self._session:
            task = asyncio.create_task(self._look())
            try:
                yield self
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def sees_repository(self) -> bool | None:
        """Return whether the repository is shown now; None where the server does not answer."""
        shown = await self._shown()
        return None if shown is None else bool(shown)

    async def _look(self) -> None:
        while True:
            told = told_private(self.world, self.repository)
            for place in await self._shown() or ():
                if told and told_private(self.world, self.repository):
                    self.seen.append(f"shown to a stranger though it is private, and we were told: {place}")
            await asyncio.sleep(PAUSE_S)

    async def _shown(self) -> list[str] | None:
        """Return the addresses that show something, None where one is not answered."""
        name = self.repository.full_name
        shown: list[str] = []
        for place in (f"/repos/{name}", f"/badges/{name}.json", f"/badges/{name}.svg"):
            found = await self._get(place)
            if found is None:
                return None
            status, text = found
            unknown = _says_unknown(text) if place.startswith("/badges") else False
            if status == 200 and not unknown:
                shown.append(place)
        return shown

    async def _get(self, place: str) -> tuple[int, str] | None:
        assert self._session is not None
        try:
            async with self._session.get(self.address + place) as answer:
                return None if answer.status >= 500 else (answer.status, await answer.text())
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
        one.repository_id == repository.id
        and one.arrived is not None
        and one.arrived >= since
        and one.status_code < 300
        and json.loads(one.body)["repository"]["private"]
        for one in list(world.deliveries)
    )
