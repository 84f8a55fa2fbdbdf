"""An audit's findings are stored and counted in few statements, however many there are."""

from __future__ import annotations

from uuid import UUID

import pytest

from forgeguard_app.store import standing_secrets
from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.standing_secrets import set_standing_secrets
from tests.support.stored_verdicts import Head, add_repo, add_verdict

_COUNTED = """
CREATE TEMPORARY TABLE statements (at TIMESTAMPTZ) ON COMMIT DROP;
CREATE FUNCTION pg_temp.note_statement() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO statements VALUES (now()); RETURN NULL; END';
CREATE TRIGGER note_statement AFTER INSERT ON findings FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.note_statement();
"""


async def test_the_findings_of_a_check_are_stored_in_one_statement(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(_COUNTED)
        await add_verdict(connection, repo_id, Head("a" * 40, secrets=[str(number) for number in range(300)]))
        assert await connection.fetchval("SELECT count(*) FROM findings") == 300
        assert await connection.fetchval("SELECT count(*) FROM statements") == 1
        await transaction.rollback()


async def standing(connection: Connection, run: AuditRun) -> int | None:
    number: int | None = await connection.fetchval(
        "SELECT standing_count FROM audit_checks WHERE audit_run_id = $1", run.id
    )
    return number


async def add_head(connection: Connection, repo_id: UUID, head: Head) -> int | None:
    async with connection.transaction():
        run = await add_verdict(connection, repo_id, head)
        await set_standing_secrets(connection, run)
    return await standing(connection, run)


async def test_secrets_stand_until_the_newest_audits_of_all_their_commits_report_them_no_more(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        async with connection.transaction():  # before secrets that stand were stored
            await add_verdict(connection, repo_id, Head("0" * 40, secrets=["old"]))
        assert await add_head(connection, repo_id, Head("a" * 40, secrets=["a", "b"])) == 3
        assert await add_head(connection, repo_id, Head("b" * 40, secrets=["b", "c"])) == 4
        assert await add_head(connection, repo_id, Head("c" * 40)) == 4
        assert await add_head(connection, repo_id, Head("a" * 40)) == 3, "b stands in the other commit"
        assert await add_head(connection, repo_id, Head("b" * 40, secrets=["b"])) == 2
        assert await add_head(connection, repo_id, Head("b" * 40)) == 1
        await connection.execute(
            """
            INSERT INTO allowances (repo_id, check_code, fingerprint, path, rule, reason, github_login)
            VALUES ($1, 'W1', 'old', 'a.py', 'r', 'known', 'mona')
            """,
            repo_id,
        )
        assert await add_head(connection, repo_id, Head("d" * 40)) == 0, "the allowed one does not count"
        assert await add_head(connection, repo_id, Head("e" * 40, "next", ["z"])) == 1, "another default branch"


async def test_the_secrets_that_stand_are_bounded_and_verified_ones_come_first(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = f"LIMIT greatest({3} - (SELECT count(*) FROM standing_secrets WHERE repo_id = $1), 0)"
    monkeypatch.setattr(standing_secrets, "_WITHIN_BOUND", bound)
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        await add_head(connection, repo_id, Head("a" * 40))
        await add_head(connection, repo_id, Head("b" * 40, secrets=["a", "b"]))
        assert await add_head(connection, repo_id, Head("c" * 40, secrets=["c", "d"])) == 3
        assert await add_head(connection, repo_id, Head("d" * 40, secrets=["e"])) == 3


async def test_a_verdict_reads_no_findings_of_former_audits(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        for number in range(20):
            secrets = [str(number * 1_000 + place) for place in range(400)]
            await add_head(connection, repo_id, Head(f"{number:040}", secrets=secrets))
        async with connection.transaction():
            run = await add_verdict(connection, repo_id, Head("a" * 40, secrets=["x"]))
            await connection.execute("ANALYZE")
            read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'findings'"
            before = await connection.fetchval(read)
            await set_standing_secrets(connection, run)
            assert await connection.fetchval(read) - before < 100
        assert await standing(connection, run) == 8_001
