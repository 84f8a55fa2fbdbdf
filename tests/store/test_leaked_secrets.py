"""The verified secrets of a repository's page: which are listed, and what reading them costs."""

from __future__ import annotations

from uuid import UUID

import pytest

from forgeguard_app.store.leaked_secrets import list_leaked
from forgeguard_app.store.pool import Connection, Pool
from tests.support.rows_read import rows_read
from tests.support.stored_verdicts import Head, add_repo, add_verdict

_BRANCHES = """
WITH runs AS (
    INSERT INTO audit_runs (repo_id, commit_sha, branch, status, overall_result, verified_count, created_at)
    SELECT $1, lpad(to_hex(n), 40, '0'), CASE WHEN $3 THEN 'main' ELSE 'b' || n END, 'completed', 'FAIL', 1,
        now() - interval '9 days' + n * interval '1 second'
    FROM generate_series(1, $2::integer) n RETURNING id
), checks AS (
    INSERT INTO audit_checks (audit_run_id, check_code, check_name, result, conclusion, title, summary)
    SELECT id, 'W1', 'W1', 'FAIL', 'failure', 't', 's' FROM runs RETURNING id
)
INSERT INTO findings (audit_check_id, ordinal, path, line, end_line, column_number, rule, message, level, is_new,
    is_counted, fingerprint, is_verified)
SELECT c.id, n, 'a.py', n, n, 1, 'token', 'm', 'failure', true, true, n::text, true
FROM checks c, generate_series(1, 3) n
"""


async def add_branches(connection: Connection, repo_id: UUID, number: int, *, is_default: bool) -> None:
    await connection.execute("DELETE FROM audit_runs")
    await connection.execute("DISCARD PLANS")  # those of PostgreSQL's own look-ups of keys, made for fewer rows
    await connection.execute(_BRANCHES, repo_id, number, is_default)
    await connection.execute("DISCARD PLANS")


@pytest.mark.parametrize("is_default", [False, True])
async def test_the_secrets_of_a_repository_cost_as_much_however_many_audits_reported_them(
    pool: Pool, is_default: bool
) -> None:
    """Anybody may ask for the page of a public repository, and few pages have a connection at once."""
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        numbers = []
        for number in (1_500, 6_000):
            await add_branches(connection, repo_id, number, is_default=is_default)
            await connection.execute("VACUUM ANALYZE")
            async with rows_read(connection) as read:
                assert len(await list_leaked(connection, repo_id, secrets=False, most=20)) == 3
            numbers.append(read.number)
        assert numbers[1] < 2 * numbers[0], numbers


async def test_secrets_are_those_of_the_newest_audit_of_each_branch_and_of_each_commit_of_the_default_one(
    pool: Pool,
) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        for head in (
            Head("a" * 40, secrets=["pushed"], verified=True),
            Head("b" * 40, secrets=["again"], verified=True),
            Head("b" * 40),
            Head("c" * 40, branch="x", secrets=["old"], verified=True),
            Head("d" * 40, branch="x", secrets=["x"], verified=True),
            Head("e" * 40, branch="y", secrets=["y"], verified=True),
            Head("f" * 40, branch="y"),
            Head("0" * 40, secrets=["unverified"]),
        ):
            async with connection.transaction():
                await add_verdict(connection, repo_id, head)
        found = await list_leaked(connection, repo_id, secrets=True, most=20)
        assert {leak.commit_sha[0] for leak in found} == {"a", "d"}
