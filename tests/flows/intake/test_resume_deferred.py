"""A suspension that ends, however often, gives each waiting run one job, and its event answers at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from forgeguard_app.flows.context.resume_deferred import AT_ONCE, resume_deferred
from forgeguard_app.store.installations import find_by_github_id
from tests.support.running import Product, running
from tests.support.stored_jobs import count_jobs_by_task, drop_jobs

NUMBER = AT_ONCE + 20


async def add_waiting(product: Product, number: int) -> None:
    """Runs that were deferred, and as many verdicts that GitHub did not take; none has a job."""
    async with product.pool.acquire() as connection:
        await drop_jobs(connection)
        await connection.execute(
            """
            INSERT INTO audit_runs (repo_id, commit_sha, branch, started_at, status, publish_error)
            SELECT (SELECT id FROM repos), lpad(to_hex(n), 40, '0'), 'b' || n, now(),
                CASE WHEN n <= $1 THEN 'pending' ELSE 'completed' END, CASE WHEN n > $1 THEN 'Refused.' END
            FROM generate_series(1, 2 * $1::int) AS n
            """,
            number,
        )


async def test_each_end_of_a_suspension_is_one_job_and_each_run_has_one(dsn: str, tmp_path: Path) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        _, installation = await product.repository()
        assert installation is not None
        await add_waiting(product, NUMBER)
        for _ in range(3):
            for action in ("suspend", "unsuspend"):
                product.github.webhooks.send("installation", product.github.installation_payload(action, installation))
                await product.github.webhooks.settle()
        assert await count_jobs_by_task(product.pool) == {"resume_installation": 3}
        async with product.pool.acquire() as connection:
            stored = await find_by_github_id(connection, installation.id)
            assert stored is not None
        for _ in range(3):
            await resume_deferred(product.context, stored.id)
        assert await count_jobs_by_task(product.pool) == {
            "resume_installation": 3,
            "audit_commit": NUMBER,
            "publish_verdict": NUMBER,
        }


@pytest.mark.nightly
async def test_ends_of_a_suspension_at_the_same_time_give_each_run_one_job(dsn: str, tmp_path: Path) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        await product.repository()
        await add_waiting(product, NUMBER)
        async with product.pool.acquire() as connection:
            keys = [key for row in await connection.fetch("SELECT id, installation_id FROM repos") for key in row]
        await asyncio.gather(*(resume_deferred(product.context, key) for key in keys * 3))
        assert await count_jobs_by_task(product.pool) == {"audit_commit": NUMBER, "publish_verdict": NUMBER}


@contextlib.asynccontextmanager
async def jobs_that_do_nothing(product: Product) -> AsyncIterator[None]:
    """End each job as soon as it is enqueued; its verdict is refused again."""
    async with product.pool.acquire() as connection:
        await connection.execute(
            """
            CREATE TABLE ended_jobs (run_id TEXT);
            CREATE FUNCTION end_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO ended_jobs VALUES (NEW.args->>'run_id');
                UPDATE audit_runs SET publish_error = 'Refused again.' WHERE status = 'completed'
                    AND id::text = NEW.args->>'run_id';
                UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = NEW.id;
                RETURN NULL;
            END $$;
            CREATE TRIGGER end_job AFTER INSERT ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION end_job();
            """
        )
        try:
            yield
        finally:
            await connection.execute("DROP FUNCTION end_job() CASCADE; DROP TABLE ended_jobs")


async def test_a_run_whose_job_ends_with_nothing_done_is_enqueued_once(dsn: str, tmp_path: Path) -> None:
    """What happens where a suspension begins again while the account is resumed."""
    async with running(dsn, tmp_path / "p", worker=False) as product:
        await product.repository()
        await add_waiting(product, NUMBER)
        async with jobs_that_do_nothing(product), product.pool.acquire() as connection:
            whose = await connection.fetchval("SELECT installation_id FROM repos")
            await asyncio.wait_for(resume_deferred(product.context, whose), 60)
            numbers = await connection.fetch("SELECT count(*) AS n FROM ended_jobs GROUP BY run_id")
        assert [row["n"] for row in numbers] == [1] * 2 * NUMBER


@pytest.mark.nightly
async def test_an_event_of_an_account_whose_rows_are_locked_is_answered_and_stored_later(
    dsn: str, tmp_path: Path
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        _, installation = await product.repository()
        assert installation is not None
        other = await asyncpg.connect(dsn)
        try:
            async with other.transaction():
                await other.execute("SELECT FROM installations FOR UPDATE")
                product.github.webhooks.send(
                    "installation", product.github.installation_payload("suspend", installation)
                )
                await product.github.webhooks.settle()
                assert product.github.world.deliveries[-1].status_code == 503
        finally:
            await other.close()
        product.github.webhooks.send("installation", product.github.installation_payload("suspend", installation))
        await product.github.webhooks.settle()
        assert product.github.world.deliveries[-1].status_code == 202
