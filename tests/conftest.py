"""Fixtures: one real PostgreSQL a test process, a fresh database a test, a simulated GitHub behind real HTTP."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import uuid
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from threading import Event, Thread

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from forgeguard_app.store.embedded import embedded_postgres
from forgeguard_app.store.migrate import migrate
from forgeguard_app.store.pool import Pool, open_pool
from tests.support.databases import empty
from tests.support.repositories import WorkTree
from tests.support.running import Product, running

SAMPLE = 6  # one of so many nightly tests runs with the others
# No test asserts a time, so that it holds on a slow machine too.
settings.register_profile("forgeguard", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("forgeguard")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of nightly tests."""
    parser.addoption(
        "--nightly", choices=("none", "sample", "all"), default="sample", help="which nightly tests to run"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the nightly tests that are not wanted; the sample depends on the commit alone, so all workers agree."""
    wanted = config.getoption("--nightly")
    named = any("::" in argument for argument in config.args)
    if wanted == "all" or named:
        return
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=config.rootpath, capture_output=True, check=False).stdout
    left_out = [
        item
        for item in items
        if item.get_closest_marker("nightly")
        and (wanted == "none" or zlib.crc32(commit + item.nodeid.encode()) % SAMPLE)
    ]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.fixture(scope="session")
def reachable_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can reach when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="forgeguard-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def seen_folder() -> Iterator[Path]:
    """A folder that builders see, too: where the tests run as root, /tmp is one of their own."""
    folder = Path(tempfile.mkdtemp(prefix="forgeguard-test-", dir="/var/cache" if os.geteuid() == 0 else None))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(reachable_folder: Path) -> Iterator[str]:
    """The DSN of this process's own PostgreSQL, its template database migrated."""
    started, stop = Event(), Event()
    found: list[str] = []
    failed: list[BaseException] = []

    async def run() -> None:
        async with embedded_postgres(reachable_folder / "pg", ["fsync=off", "full_page_writes=off"]) as dsn:
            await migrate(dsn)
            admin = await asyncpg.connect(dsn.replace("/forgeguard?", "/postgres?"))
            await admin.execute("CREATE DATABASE shared TEMPLATE forgeguard")
            await admin.close()
            found.append(dsn)
            started.set()
            while not stop.is_set():
                await asyncio.sleep(0.05)

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failed.append(error)
            started.set()

    # A thread that lives as long as the tests: PostgreSQL dies with the thread that started it.
    thread = Thread(target=main)
    thread.start()
    started.wait(60)
    if failed:
        raise failed[0]
    yield found[0]
    stop.set()
    thread.join(30)


@pytest.fixture
async def empty_dsn(postgres: str) -> AsyncIterator[str]:
    """The DSN of a fresh database without a schema."""
    async for dsn in _fresh(postgres, "template1"):
        yield dsn


@pytest.fixture
async def dsn(postgres: str) -> str:
    """The DSN of this process's migrated database, emptied; who changes its schema takes `own_dsn`."""
    shared = postgres.replace("/forgeguard?", "/shared?")
    await empty(shared)
    return shared


@pytest.fixture
async def own_dsn(postgres: str) -> AsyncIterator[str]:
    """The DSN of a migrated database that is thrown away."""
    async for dsn in _fresh(postgres, "forgeguard"):
        yield dsn


async def _fresh(postgres: str, template: str) -> AsyncIterator[str]:
    name = f"t{uuid.uuid4().hex}"
    admin = await asyncpg.connect(postgres.replace("/forgeguard?", "/postgres?"))
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield postgres.replace("/forgeguard?", f"/{name}?")
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    """A pool over a fresh migrated database."""
    pool = await open_pool(dsn)
    yield pool
    pool.terminate()


@pytest.fixture
def tree(tmp_path: Path) -> WorkTree:
    """An empty repository with a work tree."""
    return WorkTree(tmp_path / "work")


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the person who runs the tests, and no .env of theirs."""
    for name in os.environ:
        if name.startswith("FORGEGUARD_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def product(dsn: str, tmp_path: Path) -> AsyncIterator[Product]:
    """Simulated GitHub, web server and worker."""
    async with running(dsn, tmp_path / "product") as started:
        yield started


def pytest_xdist_auto_num_workers() -> int:
    """Two processes a core: most tests wait for a database, a server or a browser more than they compute."""
    return 2 * (os.cpu_count() or 1)
