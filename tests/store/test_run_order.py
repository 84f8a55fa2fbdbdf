"""The look for stranded runs: what it finds, and what its cost grows with."""

from __future__ import annotations

import pytest

from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.run_order import BEFORE_ALL, list_unpublished
from tests.support.rows_read import rows_read

_REPOS = """
WITH accounts AS (
    INSERT INTO installations (github_installation_id) SELECT g FROM generate_series(1, 20) g
    RETURNING id, github_installation_id
), limits AS (
    INSERT INTO rate_limits (github_installation_id) SELECT g FROM generate_series(1, 20) g
)
INSERT INTO repos (github_repo_id, full_name, installation_id)
SELECT 20 * n + a.github_installation_id, 'a/r', a.id FROM accounts a, generate_series(0, 1) n
"""
_WAITING = """
WITH runs AS (
    INSERT INTO audit_runs (repo_id, commit_sha, branch, created_at)
    SELECT r.id, lpad(to_hex(n), 40, '0'), 'main', now() - interval '9 days' + n * interval '1 second'
    FROM repos r, generate_series(1, $1) n WHERE r.github_repo_id = 7 RETURNING id
)
INSERT INTO procrastinate_jobs (queue_name, task_name, args)
SELECT 'forgeguard/7', 'audit_commit', jsonb_build_object('run_id', id) FROM runs
"""


async def add_waiting(connection: Connection, number: int) -> None:
    """Add so many old runs of one repository, each with its job."""
    await connection.execute("DISCARD PLANS")  # those of PostgreSQL's own look-ups of keys, made for fewer rows
    await connection.execute(_WAITING, number)
    await connection.execute("DISCARD PLANS")


@pytest.mark.parametrize("analyzed", [(), ("audit_runs", "procrastinate.procrastinate_jobs")])
async def test_a_page_of_waiting_runs_reads_as_much_however_many_wait(pool: Pool, analyzed: tuple[str, ...]) -> None:
    """The small tables are never analyzed, as in a small deployment, whose tables stay below autovacuum's threshold."""
    async with pool.acquire() as connection:
        await connection.execute(_REPOS)
        numbers = []
        for number in (400, 8_000):
            await add_waiting(connection, number)
            for table in analyzed:
                await connection.execute(f"ANALYZE {table}")
            async with rows_read(connection) as read:
                page = await list_unpublished(connection, 60, BEFORE_ALL, 200)
            assert (len(page), {run.task for run in page}) == (200, {None})
            numbers.append(read.number)
        assert numbers[1] < 2 * numbers[0], numbers


async def test_each_run_is_on_one_page_and_one_without_a_job_wants_it(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(_REPOS)
        await add_waiting(connection, 25)
        # Of one time, as runs of one transaction may be.
        await connection.execute("UPDATE audit_runs SET created_at = now() - interval '1 hour'")
        lost = await connection.fetchval(
            "DELETE FROM procrastinate_jobs WHERE id = (SELECT max(id) FROM procrastinate_jobs)"
            " RETURNING args->>'run_id'"
        )
        found, after = [], BEFORE_ALL
        while page := await list_unpublished(connection, 60, after, 10):
            found += page
            after = page[-1].place
        assert len({run.place.run_id for run in found}) == len(found) == 25
        wanting = [run for run in found if run.task is not None]
        assert [(str(run.place.run_id), run.task) for run in wanting] == [(lost, "audit_commit")]
        assert await list_unpublished(connection, 7_200, BEFORE_ALL, 10) == []
