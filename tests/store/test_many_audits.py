"""Reading costs the same however often one commit of a repository was audited."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.store.allowances import list_heads_with
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.timeline import MOST_OF_BRANCH, list_trend
from tests.support.rows_read import rows_read
from tests.support.stored_verdicts import add_repo

_AUDITS = """
INSERT INTO audit_runs (repo_id, commit_sha, branch, status, overall_result, findings_deleted_at, created_at)
SELECT $1, CASE WHEN n < 9 THEN lpad(n::text, 40, '0') ELSE repeat('a', 40) END,
    CASE WHEN $3 THEN 'b' || n ELSE 'main' END, 'completed', 'PASS', now(),
    now() - interval '9 days' + n * interval '1 second'
FROM generate_series(1, $2::integer) n
"""


async def add_audits(connection: Connection, number: int, *, on_branches: bool) -> UUID:
    """Add audits of a repository, nearly all of one commit, on `main` or on a branch each; return its id."""
    repo_id = await add_repo(connection)
    await connection.execute(_AUDITS, repo_id, number, on_branches)
    await connection.execute("VACUUM ANALYZE")
    return repo_id


async def test_the_trend_reads_a_bounded_number_of_a_branch_s_audits(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_audits(connection, 5 * MOST_OF_BRANCH, on_branches=False)
        async with rows_read(connection) as read:
            trend = await list_trend(connection, repo_id, "main", 30)
        assert [point.commit_sha for point in trend] == ["a" * 40]
        assert read.number < 5 * MOST_OF_BRANCH


async def test_the_trend_shows_the_newest_audit_of_each_head(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_audits(connection, 20, on_branches=False)
        trend = await list_trend(connection, repo_id, "main", 30)
        assert [point.commit_sha[-1] for point in trend] == ["1", "2", "3", "4", "5", "6", "7", "8", "a"]
        assert [point.commit_sha[-1] for point in await list_trend(connection, repo_id, "main", 2)] == ["8", "a"]


async def test_the_heads_of_an_allowance_are_found_in_a_look_at_each_audit(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_audits(connection, 3_000, on_branches=True)
        async with rows_read(connection) as read:
            heads = await list_heads_with(connection, repo_id, "A4", "f" * 64)
        assert len(heads) == 9
        assert read.number < 100_000
