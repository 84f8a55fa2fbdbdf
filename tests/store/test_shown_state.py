"""What decides the shown state of audits that wait, and what reading it costs."""

from __future__ import annotations

from forgeguard_app.store.badges import find_badge_run
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.shown_state import MAX_EARLIER, MOST_OF_COMMIT, list_states
from tests.support.rows_read import rows_read
from tests.support.stored_verdicts import add_repo

_WAITING = """
INSERT INTO audit_runs (repo_id, commit_sha, branch, created_at)
SELECT $1, lpad(to_hex(n), 40, '0'), 'main', now() - interval '9 days' + n * interval '1 second'
FROM generate_series(1, $2::integer) n
"""


async def test_earlier_pushes_that_wait_are_counted_to_a_bound_for_each_audit_of_a_page(pool: Pool) -> None:
    """Those of a default branch wait for one another, so that many pushes of one repository may."""
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        await connection.execute(_WAITING, repo_id, 5_000)
        await connection.execute("VACUUM ANALYZE")  # what other tests deleted is read from indexes until then
        rows = await connection.fetch("SELECT id FROM audit_runs ORDER BY created_at DESC LIMIT 10")
        async with rows_read(connection) as read:
            states = await list_states(connection, [row["id"] for row in rows])
        assert {run.queue.earlier for run, _ in states.values()} == {MAX_EARLIER + 1}
        assert read.number < 5_000


_OF_ONE_COMMIT = """
INSERT INTO audit_runs (repo_id, commit_sha, branch, status, overall_result, evaluated_target, created_at)
SELECT $1, $2, 'b' || n, 'completed', 'PASS', 'main', now() - interval '9 days' + n * interval '1 second'
FROM generate_series(1, $3::integer) n
"""


async def test_the_badge_of_a_pull_request_reads_a_bounded_number_of_its_head_s_audits(pool: Pool) -> None:
    """Badges are anybody's, and one push brings thousands of branches to a commit."""
    commit = "a" * 40
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        await connection.execute(_OF_ONE_COMMIT, repo_id, commit, 20 * MOST_OF_COMMIT)
        await connection.execute(
            """
            INSERT INTO pulls (repo_id, number, head_sha, head_ref, base_ref, head_repo_github_id)
            SELECT $1, n, $2, 'b1', (ARRAY['main', 'other'])[n], 1 FROM generate_series(1, 2) n
            """,
            repo_id,
            commit,
        )
        await connection.execute("VACUUM ANALYZE")
        newest = await connection.fetchval("SELECT id FROM audit_runs ORDER BY created_at DESC LIMIT 1")
        for number in (1, 2):
            async with rows_read(connection) as read:
                assert await find_badge_run(connection, repo_id, None, number) == newest
            assert read.number < 10 * MOST_OF_COMMIT
