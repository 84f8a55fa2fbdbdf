"""The real server, with nothing configured, and a real browser in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from forgeguard_app.cli.running import start_child, stop_children
from forgeguard_app.simulator.server import SimulatedGitHub
from tests.support.running import free_port

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "build" / "screenshots"
READY_S = 60.0
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
expect.set_options(timeout=60_000)  # a busy machine is no fault


@dataclass
class Site:
    """A server that nobody configured yet."""

    github: SimulatedGitHub
    address: str
    log: Path

    async def link(self) -> str:
        """The one-time link, as the log says it."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            found = re.findall(r"http://[^\s\"']+/setup\?token=[\w-]+", self.log.read_text("utf-8", "replace"))
            if found:
                return str(found[-1])
            await asyncio.sleep(0.05)
        raise AssertionError(f"no link in the log: {self.log.read_text('utf-8', 'replace')[-2_000:]}")


@contextlib.asynccontextmanager
async def site(dsn: str, folder: Path, more: Mapping[str, str] | None = None) -> AsyncIterator[Site]:
    """`forgeguard serve` in set-up mode, as a process of its own."""
    async with SimulatedGitHub(folder / "github", secondary_limits=False) as github:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        env = {name: "" for name in os.environ if name.startswith("FORGEGUARD_")} | {
            "FORGEGUARD_DATABASE_URL": dsn,
            "FORGEGUARD_SECRET_KEY": "k" * 40,
            "FORGEGUARD_HOME": str(folder / "home"),
            "FORGEGUARD_PORT": str(port),
            "FORGEGUARD_GITHUB_URL": github.address,
            "FORGEGUARD_GITHUB_API_URL": github.api_url,
        }
        env |= more or {}
        log = folder / "server.log"
        with log.open("wb") as out:
            child = start_child(["serve"], env, out.fileno())
        try:
            await _listening(address)
            yield Site(github, address, log)
        finally:
            await stop_children([child])


async def _listening(address: str) -> None:
    deadline = time.monotonic() + READY_S
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{address}/healthz"):
                    return
            await asyncio.sleep(0.05)
    raise AssertionError("the server never listened")


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium; `scripts/install_test_tools.sh` puts it there."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path is not None, "Chromium is missing: run scripts/install_test_tools.sh"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


@contextlib.asynccontextmanager
async def window(
    browser: Browser, *, phone: bool = False, dark: bool = False, scripts: bool = True, errors: bool = True
) -> AsyncIterator[Page]:
    """A window of its own; whatever goes wrong in it, or is asked of anybody else, fails the test."""
    context: BrowserContext = await browser.new_context(
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
    )
    page, wrong = await context.new_page(), []
    page.on("console", lambda message: wrong.append(message.text) if _counts(message) else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: None if "127.0.0.1" in request.url else wrong.append(f"asked of {request.url}"))
    page.set_default_timeout(30_000)
    yield page
    await context.close()
    assert not errors or not wrong, wrong


# Headings that skip a level, lists that lost their role, and headers of tables whose words are split over lines.
OUTLINE = """(() => {
    const wrong = [], levels = [...document.querySelectorAll('h1, h2, h3, h4')].map((one) => Number(one.nodeName[1]));
    if (levels.filter((one) => one === 1).length !== 1 || levels[0] !== 1) wrong.push(`headings ${levels}`);
    levels.forEach((one, at) => at && one > levels[at - 1] + 1 && wrong.push(`h${one} after h${levels[at - 1]}`));
    if (document.querySelector('ul[role], ol[role]')) wrong.push('a list with another role');
    for (const header of document.querySelectorAll('th')) {
        const texts = document.createTreeWalker(header, NodeFilter.SHOW_TEXT);
        for (let text = texts.nextNode(); text; text = texts.nextNode()) {
            for (const word of text.data.matchAll(/[^\\s-]+/g)) {
                const range = document.createRange();
                range.setStart(text, word.index);
                range.setEnd(text, word.index + word[0].length);
                const tops = new Set([...range.getClientRects()].map((one) => Math.round(one.top)));
                if (tops.size > 1) wrong.push(`header ${word[0]} is split`);
            }
        }
    }
    return wrong.join('; ');
})()"""


async def look(page: Page, name: str) -> None:
    """A screenshot for people, and what a screen reader would stumble over."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    wide = await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wide, f"{name} is wider than its window"
    assert not (wrong := await page.evaluate(OUTLINE)), f"{name}: {wrong}"
    found = await Axe().run(page)
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"


def _counts(message: ConsoleMessage) -> bool:
    """The simulated GitHub has no icon, which is no fault of ours."""
    return message.type == "error" and not message.location.get("url", "").endswith("/favicon.ico")
