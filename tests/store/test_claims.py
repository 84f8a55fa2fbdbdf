"""What counts as a death of a worker by itself, and what never does."""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path

import asyncpg
import pytest

from forgeguard_app.store.audits import AuditRun, begin_run, find_run, release_run
from forgeguard_app.store.builds import Build, begin_phase, release_phase
from forgeguard_app.store.claims import FormerClaim, claim, release, set_stopping
from forgeguard_app.store.pool import Pool, open_pool
from tests.chaos.database import Database

WORK = uuid.uuid4()
_LEFT = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"


async def claimed(pool: Pool) -> FormerClaim:
    async with pool.acquire() as connection, connection.transaction():
        return await claim(connection, WORK)


async def dead(pool: Pool, witness: Pool) -> None:
    """The process of the pool is gone, and PostgreSQL noticed."""
    async with pool.acquire() as connection:
        name = await connection.fetchval("SELECT current_setting('application_name')")
    pool.terminate()
    async with witness.acquire() as connection:
        while await connection.fetchval(_LEFT, name):
            await connection.execute("SELECT pg_sleep(0.005)")


async def test_a_worker_that_died_by_itself_is_a_death(dsn: str, pool: Pool) -> None:
    worker = await open_pool(dsn)
    assert await claimed(worker) is FormerClaim.NONE
    await dead(worker, pool)
    assert await claimed(pool) is FormerClaim.DIED


async def test_a_work_that_was_given_back_leaves_nothing(dsn: str, pool: Pool) -> None:
    assert await claimed(pool) is FormerClaim.NONE
    async with pool.acquire() as connection:
        assert await release(connection, WORK)
    assert await claimed(pool) is FormerClaim.NONE


async def test_a_worker_that_lives_while_another_takes_over_did_not_die(dsn: str, pool: Pool) -> None:
    worker = await open_pool(dsn)
    await claimed(worker)
    assert await claimed(pool) is FormerClaim.INTERRUPTED
    async with worker.acquire() as connection:
        assert not await release(connection, WORK), "it belongs to the other now"
    assert await claimed(pool) is FormerClaim.INTERRUPTED, "the same process again"
    worker.terminate()


async def test_a_worker_that_was_told_to_stop_did_not_die_by_itself(dsn: str, pool: Pool) -> None:
    worker = await open_pool(dsn)
    await claimed(worker)
    async with worker.acquire() as connection:
        await set_stopping(connection)
    await dead(worker, pool)
    assert await claimed(pool) is FormerClaim.INTERRUPTED


_ROWS = f"""
INSERT INTO users (github_id, github_login) VALUES (1, 'mona');
INSERT INTO repos (github_repo_id, full_name) VALUES (2, 'o/r');
INSERT INTO projects (user_id, name) SELECT id, 'p' FROM users;
INSERT INTO builds (id, project_id) SELECT '{WORK}', id FROM projects;
INSERT INTO audit_runs (id, repo_id, commit_sha) SELECT '{WORK}', id, 'c' FROM repos;
"""


@pytest.mark.parametrize("kind", ["audit run", "build"])
async def test_deaths_are_counted_and_interruptions_apart_from_them(dsn: str, pool: Pool, kind: str) -> None:
    async def begun(worker: Pool) -> tuple[int, int]:
        async with worker.acquire() as connection, connection.transaction():
            begin = begin_run if kind == "audit run" else begin_phase
            found: AuditRun | Build | None = await begin(connection, WORK)
            assert found is not None
            return found.deaths, found.interruptions

    async with pool.acquire() as connection:
        await connection.execute(_ROWS)
    first, second = await open_pool(dsn), await open_pool(dsn)
    assert await begun(first) == (0, 0)
    await dead(first, pool)
    assert await begun(second) == (1, 0)
    assert await begun(pool) == (1, 1), "the second one lives"
    async with pool.acquire() as connection, connection.transaction():
        if kind == "build":
            await release_phase(connection, WORK)
        else:
            run = await find_run(connection, WORK)
            assert run is not None
            await release_run(connection, run)
    assert await begun(second) == (1, 1), "what was released counts as nothing"
    second.terminate()


@pytest.mark.parametrize("how", ["restart", "orderly restart", "crash"])
async def test_a_worker_that_died_while_postgresql_was_restarted_did_not_die_by_itself(
    reachable_folder: Path, tmp_path: Path, how: str
) -> None:
    async with Database(reachable_folder / tmp_path.name) as database, database.fresh() as dsn:
        worker = await open_pool(dsn)
        await claimed(worker)
        if how != "crash":
            await database.restart(orderly=how == "orderly restart")
        else:
            connection = await asyncpg.connect(dsn)
            os.kill(await connection.fetchval("SELECT pg_backend_pid()"), signal.SIGKILL)
        worker.terminate()
        other = await _again(dsn)
        assert await claimed(other) is not FormerClaim.DIED
        other.terminate()


async def _again(dsn: str) -> Pool:
    """A connection, as soon as PostgreSQL takes one."""
    for _ in range(500):
        try:
            pool = await open_pool(dsn)
            async with pool.acquire() as connection:
                await connection.execute("SELECT pg_sleep(0.05)")
            return pool
        except (OSError, asyncpg.PostgresError):
            continue
    raise AssertionError("PostgreSQL never came back")
