"""A server without an App, and a person who sets it up."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest

from forgeguard_app.app.serve import serve
from forgeguard_app.settings import Settings
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.store.pool import Pool, open_pool
from tests.support.browsing import Browser
from tests.support.running import free_port

KEY = "k" * 40


@dataclass
class Bare:
    """A server without an App; as much of a Product as a browser needs."""

    github: SimulatedGitHub
    pool: Pool
    address: str
    app_exists: asyncio.Event
    output: pytest.CaptureFixture[str]

    async def link(self) -> str:
        """Return the one-time link from the log."""
        printed = ""
        for _ in range(500):
            printed += self.output.readouterr().out
            if found := re.findall(r"/setup\?token=[\w-]+", printed):
                return str(found[-1])
            await asyncio.sleep(0.02)
        raise AssertionError(f"no link in the log: {printed}")


@contextlib.asynccontextmanager
async def without_app(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Bare]:
    """A server in set-up mode beside a simulated GitHub."""
    async with SimulatedGitHub(tmp_path / "github") as github:
        port = free_port()
        settings = Settings.model_validate(
            {
                "database_url": dsn,
                "port": port,
                "home": tmp_path / "home",
                "github_url": github.address,
                "github_api_url": github.api_url,
                "secret_key": KEY,
            }
        )
        stop, ready, exists = asyncio.Event(), asyncio.Event(), asyncio.Event()
        server = asyncio.create_task(serve(settings, stop, ready, exists))
        await ready.wait()
        pool = await open_pool(dsn)
        yield Bare(github, pool, settings.address, exists, capsys)
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await server
        pool.terminate()


@contextlib.asynccontextmanager
async def browsing(bare: Bare) -> AsyncIterator[Browser]:
    """A browser that begins at this server."""
    async with Browser(bare) as browser:  # type: ignore[arg-type]
        yield browser


def fields(bare: Bare, **changes: str) -> dict[str, str]:
    """What a person fills in, with these changes."""
    plain = {
        "name": "Guard",
        "kind": "guard",
        "organization": "",
        "github_url": bare.github.address,
        "public_url": bare.address,
    }
    return plain | changes


async def to_github(browser: Browser, bare: Bare) -> str:
    """Go from the set-up page to GitHub's; returns where GitHub's page for a new App is."""
    if browser.address != f"{bare.address}/setup":
        await browser.get(f"{bare.address}/setup")
    await browser.submit("/setup", **fields(bare))
    action = re.findall(r'action="([^"]+/settings/apps/new[^"]+)"', browser.text)[0].replace("&amp;", "&")
    await browser.submit(action)
    return str(action)


async def answer_of(browser: Browser, name: str = "Guard") -> str:
    """Press the button on GitHub's page; returns the address to which GitHub sends the browser, not yet opened."""
    form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', browser.text))
    await browser.post(
        "/settings/apps", {key: unescape(value) for key, value in form.items()} | {"name": name}, follow=False
    )
    return browser.headers["Location"]
