"""An audit's findings are stored and counted in few statements, however many there are."""

from __future__ import annotations

from forgeguard_app.store.pool import Pool
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
