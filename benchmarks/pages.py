"""Badges and pages of the real server on loopback: time of a badge, size and first paint of pages, the huge audit
too.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
from playwright.async_api import Page
from rich.console import Console

from forgeguard_app.cli.demo import Stage, _git, _install, _verdicts, serving
from forgeguard_app.simulator.server import SimulatedGitHub
from tests.browser.walking import chromium

BADGES = 1_000
FILES, IMPORTS = 50, 100  # 5,000 findings
LOADS = 10


def main() -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)
        asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> None:
    async with SimulatedGitHub(folder / "github", secondary_limits=False) as github, serving(github, folder) as address:
        owner = github.world.add_account("acme")
        repository = await github.create_repository(owner, "shop")
        stage = Stage(github, repository, Console(quiet=True), address)
        github.people.allow(github.world.pusher, repository, "admin")
        work = folder / "work"
        work.mkdir()
        await _git(work, "init", "--quiet", "--initial-branch=main")
        (work / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
        await _push(work, github.clone_url(repository), "main")
        await _install(stage)
        for number in range(FILES):
            (work / f"m{number}.py").write_text("".join(f"import requests{index}\n" for index in range(IMPORTS)))
        sha = await _push(work, github.clone_url(repository), "topic")
        runs = await _verdicts(stage, sha, None)
        assert runs is not None
        print(f"findings: {sum(len(run.annotations) for run in runs)} annotated of {FILES * IMPORTS}")
        await _badges(f"{address}/badges/{repository.full_name}.svg")
        audit = str(runs[0].details_url)
        async with chromium() as browser:
            page = await browser.new_page()
            await _sign_in(page, address)
            for name, path in (
                ("start", address),
                ("repository", f"{address}/repos/{repository.full_name}"),
                ("huge audit", audit),
            ):
                await _page(page, name, path)


async def _push(work: Path, url: str, branch: str) -> str:
    await _git(work, "add", "--all")
    await _git(work, "commit", "--quiet", "--message", "Change")
    await _git(work, "push", "--quiet", url, f"HEAD:refs/heads/{branch}")
    return await _git(work, "rev-parse", "HEAD")


async def _badges(address: str) -> None:
    took: list[float] = []
    async with aiohttp.ClientSession() as session:
        for _ in range(BADGES):
            began = time.perf_counter()
            async with session.get(address) as answer:
                await answer.read()
            took.append(time.perf_counter() - began)
    quantiles = statistics.quantiles(took, n=100)
    print(f"badge: p50 {quantiles[49] * 1e3:.1f} ms, p99 {quantiles[98] * 1e3:.1f} ms of {BADGES} (bound: 5)")


async def _sign_in(page: Page, address: str) -> None:
    await page.goto(f"{address}/login")
    await page.get_by_role("button", name="octo-developer").click()
    await page.get_by_role("button", name="Authorize").click()
    await page.wait_for_url(f"{address}/")


async def _page(page: Page, name: str, address: str) -> None:
    paints: list[float] = []
    for _ in range(LOADS):
        await page.goto(address)
        paints.append(await _painted(page))
    sizes = await page.evaluate(
        "['encodedBodySize', 'decodedBodySize'].map(name => [...performance.getEntriesByType('navigation'),"
        " ...performance.getEntriesByType('resource')].reduce((sum, one) => sum + one[name], 0))"
    )
    print(
        f"{name}: first paint median {statistics.median(paints):.0f} ms, worst {max(paints):.0f} ms of "
        f"{LOADS} (bound: 300),"
        f" {sizes[0] / 1_000:.0f} KB sent with styles and scripts (bound: 100), {sizes[1] / 1_000:.0f} KB unpacked"
    )


async def _painted(page: Page) -> float:
    """When something was first seen, in milliseconds; asked again and again, since the page allows no script of
    ours.
    """
    for _ in range(200):
        found = await page.evaluate("performance.getEntriesByName('first-contentful-paint').map(one => one.startTime)")
        if found:
            return float(found[0])
        await asyncio.sleep(0.02)
    raise AssertionError("nothing was painted")
