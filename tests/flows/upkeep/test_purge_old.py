"""Old rows are deleted kind by kind: one that cannot be deleted keeps no other kind, and no comparison waits."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from forgeguard_app.flows.upkeep.purge_old import purge_old
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.purge import RUNS_AT_ONCE
from tests.support.refusing import refuse
from tests.support.running import running
from tests.support.stored import count_repos
from tests.support.stored_runs import count_runs


async def insert_old(connection: Connection) -> None:
    """Store a repository that left, and a delivery, both of them old, and let no repository be deleted."""
    await connection.execute(
        """
        INSERT INTO repos (github_repo_id, full_name, removed_at) VALUES (2, 'o/r', now() - interval '1 year');
        INSERT INTO deliveries (github_delivery_id, event, outcome, received_at)
        VALUES ('old', 'push', 'ignored', now() - interval '1 year');
        """
    )
    await refuse(connection, "DELETE", "repos")


async def test_rows_that_cannot_be_deleted_keep_no_others(own_dsn: str, tmp_path: Path) -> None:
    async with running(own_dsn, tmp_path / "product", worker=False) as product:
        async with product.pool.acquire() as connection:
            await insert_old(connection)
        await purge_old(product.context)
        async with product.pool.acquire() as connection:
            assert await count_repos(connection, 2) == 1
            assert await connection.fetchval("SELECT count(*) FROM deliveries WHERE github_delivery_id = 'old'") == 0


async def test_installations_are_compared_although_old_rows_cannot_be_deleted(own_dsn: str, tmp_path: Path) -> None:
    async with running(own_dsn, tmp_path / "product", worker=False) as product:
        _, installation = await product.repository()
        assert installation is not None
        fresh = await product.github.create_repository(installation.account, "fresh")
        installation.repository_ids.add(fresh.id)
        async with product.pool.acquire() as connection:
            await insert_old(connection)
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(own_dsn, product.context, stop))
        try:
            await product.until(partial(count_repos, github_id=fresh.id), 1)
        finally:
            stop.set()
            await worker


async def test_a_repository_that_left_goes_with_its_audits_in_batches(own_dsn: str, tmp_path: Path) -> None:
    async with running(own_dsn, tmp_path / "product", worker=False) as product:
        async with product.pool.acquire() as connection:
            await connection.execute(
                f"""
                INSERT INTO repos (github_repo_id, full_name, removed_at) VALUES (2, 'o/r', now() - interval '1 year');
                INSERT INTO audit_runs (repo_id, commit_sha, branch, status)
                    SELECT r.id, lpad(to_hex(n), 40, '0'), 'main', 'completed' FROM repos r, generate_series(1, 450) n;
                CREATE FUNCTION refuse_many() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF (SELECT count(*) FROM gone) > {RUNS_AT_ONCE} THEN RAISE EXCEPTION 'too many at once'; END IF;
                    RETURN NULL;
                END $$;
                CREATE TRIGGER refuse_many AFTER DELETE ON audit_runs REFERENCING OLD TABLE AS gone
                    FOR EACH STATEMENT EXECUTE FUNCTION refuse_many();
                """
            )
        await purge_old(product.context)
        async with product.pool.acquire() as connection:
            assert await count_repos(connection, 2) == 0
            assert await count_runs(connection) == 0
