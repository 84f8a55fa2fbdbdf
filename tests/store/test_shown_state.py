"""What decides the shown state of audits that wait, and what reading it costs."""

from __future__ import annotations

from forgeguard_app.store.pool import Pool
from forgeguard_app.store.shown_state import MAX_EARLIER, list_states
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
        await connection.execute("ANALYZE")
        rows = await connection.fetch("SELECT id FROM audit_runs ORDER BY created_at DESC LIMIT 10")
        async with rows_read(connection) as read:
            states = await list_states(connection, [row["id"] for row in rows])
        assert {run.queue.earlier for run, _ in states.values()} == {MAX_EARLIER + 1}
        assert read.number < 5_000
