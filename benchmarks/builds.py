"""Builds: how fast log lines are taken in and seen by 50 readers, from the start to the first line, and the audit of a
phase.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import aiohttp

from forgeguard_app.audit.secrets.masking import Masker
from forgeguard_app.builders.process import RunBounds
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.request import ProjectBoundaries, Request
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.flows.builds.build_log import BuildLog
from forgeguard_app.flows.builds.cancel_build import cancel_build
from forgeguard_app.flows.context.worker_context import Builder
from forgeguard_app.git.command import GitRepository
from forgeguard_app.store.embedded import embedded_postgres
from forgeguard_app.store.migrate import migrate
from forgeguard_app.store.pool import open_pool
from tests.support.browsing import Browser
from tests.support.building import Building, agent, ready
from tests.support.databases import empty
from tests.support.repositories import WorkTree
from tests.support.running import Product, running

READERS = 50
LINES = 30_000
STEADY = 5_000  # lines a second
BATCH = 400  # lines of one read of the builder's output
STARTS = 4  # more would wait for room in GitHub's limits
FILES = 1_000
CANCELS = 5
RULES = (
    '{"layers": [{"name": "a", "glob": "p/a/**", "may_import": []}, {"name": "b", "glob": "p/b/**"}], "order": '
    '["b", "a"]}'
)


def main() -> None:
    """Prints the figures."""
    asyncio.run(_all())


async def _all() -> None:
    with tempfile.TemporaryDirectory(prefix="forgeguard-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        async with embedded_postgres(folder / "pg") as dsn:
            await migrate(dsn)
            async with running(dsn, folder / "p", api_per_minute=1_000_000) as product:
                place = await ready(product, WorkTree(folder / "tree"))
                await _starts(place)
                await _intake(place)
            await _cancels(dsn, folder)
        await _audit(folder)


async def _starts(place: Building) -> None:
    took = []
    for _ in range(STARTS):
        at = datetime.now(UTC)
        build_id = await place.start()
        build = await place.ended(build_id)
        first = (await place.lines(build.id))[0]
        took.append((first.timestamp - at).total_seconds())
    print(
        f"from the start of a build to its first log line: median {statistics.median(took):.2f} s, worst "
        f"{max(took):.2f} s of {STARTS}"
    )


async def _cancels(dsn: str, folder: Path) -> None:
    """From the wish to the end of a builder that ignores SIGTERM and left its session."""
    stubborn = "trap '' TERM; (setsid bash -c \"trap '' TERM; sleep 600\" &); echo up; sleep 600"
    await empty(dsn)
    async with running(dsn, folder / "q", builder=agent(stubborn, RunBounds())) as product:
        place, took = await ready(product, WorkTree(folder / "other")), []
        for _ in range(CANCELS):
            build_id = await place.start()
            await product.until(
                f"SELECT count(*) > 0 FROM build_logs WHERE build_id = '{build_id}' AND message = 'up'", True
            )
            began = time.monotonic()
            await cancel_build(product.pool, await place.build(build_id), "mona")
            await product.until(f"SELECT status FROM builds WHERE id = '{build_id}'", "cancelled")
            took.append(time.monotonic() - began)
            await product.idle()
    print(
        f"cancelling a builder that ignores SIGTERM: median {statistics.median(took):.1f} s, worst "
        f"{max(took):.1f} s of {CANCELS}"
    )


async def _intake(place: Building) -> None:
    """A writer, the server and 50 readers, each a process of its own as in production, on the same cores."""
    product = place.product
    build_id = await place.start()
    await place.ended(build_id)
    async with product.pool.acquire() as connection:
        await connection.execute("UPDATE builds SET status = 'running', completed_at = NULL WHERE id = $1", build_id)
    rate = await _in_process(_write, product.dsn, build_id, LINES, None)
    print(f"log intake without readers: {rate:,.0f} lines/s")
    token = await _token(product)
    async with product.pool.acquire() as connection:
        start = await connection.fetchval("SELECT max(number) FROM build_logs WHERE build_id = $1", build_id)
    address = f"{product.address}/api/v1/builds/{build_id}/logs"
    reading = asyncio.create_task(_in_process(_read, address, token, start))
    await asyncio.sleep(3)
    rate = await _in_process(_write, product.dsn, build_id, LINES, STEADY)
    delays: list[float] = await reading
    print(f"log intake at a steady {STEADY:,}/s with {READERS} readers: {rate:,.0f} lines/s")
    print(
        f"a line on its way to a reader: p50 {delays[len(delays) // 2]:.2f} s, p99 "
        f"{delays[len(delays) * 99 // 100]:.2f} s, worst {delays[-1]:.2f} s"
    )
    lines = [b"a line of the builder's output, as long as lines usually are" for _ in range(BATCH)]
    began = time.monotonic()
    for _ in range(50):
        Masker().mask(lines)
    print(f"masking alone: {50 * BATCH / (time.monotonic() - began):,.0f} lines/s")


async def _in_process(what: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, what, *arguments)


def _write(dsn: str, build_id: UUID, number: int, per_s: int | None) -> float:
    """A worker's part: lines as they come from a builder, masked and kept; gives lines a second."""
    return asyncio.run(_written(dsn, build_id, number, per_s))


async def _written(dsn: str, build_id: UUID, number: int, per_s: int | None) -> float:
    pool = await open_pool(dsn, size=2)
    context: Any = SimpleNamespace(pool=pool, builder=Builder())
    log = BuildLog(context, build_id)
    began = time.monotonic()
    for first in range(0, number, BATCH):
        if per_s is not None:
            await asyncio.sleep(max(0.0, began + first / per_s - time.monotonic()))
        now = time.time()
        await log.hear(
            [
                f"{now:.4f} line {first + n} of the builder's output, as long as lines usually are".encode()
                for n in range(BATCH)
            ]
        )
    took = time.monotonic() - began
    pool.terminate()
    return number / took


def _read(address: str, token: str, start: int) -> list[float]:
    """Readers: how old a line is when it comes, for the last one of everything that is read at once."""
    return asyncio.run(_all_read(address, token, start))


async def _all_read(address: str, token: str, start: int) -> list[float]:
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream", "Last-Event-ID": str(start)}
    delays: list[float] = []
    async with aiohttp.ClientSession(read_bufsize=1 << 20, connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(_listen(session, address, headers, delays) for _ in range(READERS)))
    return sorted(delays)


async def _listen(session: aiohttp.ClientSession, address: str, headers: dict[str, str], delays: list[float]) -> None:
    got, rest = 0, b""
    async with session.get(address, headers=headers, timeout=aiohttp.ClientTimeout(120)) as answer:
        async for data in answer.content.iter_any():
            now = time.time()
            text = rest + data
            whole = text.rfind(b"\n\n") + 2
            text, rest = text[:whole], text[whole:]
            fresh = text.count(b"event: line\n")
            got += fresh
            if fresh:
                oldest = text[text.index(b'"message": "') + 12 :].partition(b" ")[0]
                delays.append(now - float(oldest))
            if got >= LINES:
                return


async def _token(product: Product) -> str:
    """Of the person whose project it is."""
    async with Browser(product) as browser:
        user = product.github.people.add("mona")
        async with product.pool.acquire() as connection:
            await connection.execute("UPDATE users SET github_id = $1 WHERE github_id = 4711", user.id)
        await browser.sign_in(user, "/account")
        await browser.submit("/account/tokens", name="bench", scope="read", days="30")
        return browser.text[browser.text.index("fgp_") :].partition("<")[0]


async def _audit(folder: Path) -> None:
    tree = WorkTree(folder / "large")
    files = {f"p/{'ab'[n % 2]}/m{n}.py": f"import os\nfrom p.{'ab'[n % 2]} import m{n}\n" for n in range(FILES)}
    base = tree.commit(
        {
            "pyproject.toml": '[project]\nname = "p"\nversion = "1"\n',
            "p/a/__init__.py": "",
            "p/b/__init__.py": "",
            **files,
        }
    )
    evaluator, took = Evaluator(), []
    repository = GitRepository(tree.folder / ".git")
    for number in range(12):
        head = tree.commit({f"p/a/m{number}.py": f"import json\nx = {number}\n", f"p/b/n{number}.py": "y = 1\n"})
        began = time.monotonic()
        await evaluator.evaluate(
            LocalSource(repository), Request(head, base, target=base, contract=ProjectBoundaries(RULES, alone=True))
        )
        took.append(time.monotonic() - began)
        base = head
    print(
        f"audit between phases, {FILES:,} files: first {took[0] * 1000:.0f} ms, then median "
        f"{statistics.median(took[1:]) * 1000:.0f} ms, worst {max(took[1:]) * 1000:.0f} ms"
    )
