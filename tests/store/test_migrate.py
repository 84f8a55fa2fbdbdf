"""The schema: the document, the migrations and the database say the same, whatever was there before."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import asyncpg
import pytest

from forgeguard_app.errors import UserError
from forgeguard_app.store.migrate import migrate, own_migrations, schema_state

ROOT = Path(__file__).parents[2]
CATALOGUE = """
SELECT 'column', table_name, column_name, data_type || coalesce(character_maximum_length::text, ''), is_nullable,
    column_default
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '' FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), '', '' FROM pg_trigger
WHERE NOT tgisinternal AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
UNION ALL
SELECT 'function', proname, pg_get_function_identity_arguments(oid), pg_get_functiondef(oid), '', '' FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
ORDER BY 1, 2, 3, 4
"""


@pytest.fixture
def dsn(own_dsn: str) -> str:
    """Here the schema itself is changed."""
    return own_dsn


async def catalogue(dsn: str) -> list[tuple[str, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(str(value) for value in row) for row in await connection.fetch(CATALOGUE)]
    finally:
        await connection.close()


def blocks(text: str) -> str:
    return "\n".join(re.findall(r"```sql\n(.*?)```", text, re.DOTALL))


async def test_the_document_and_the_migrations_make_the_same_database(empty_dsn: str, dsn: str) -> None:
    connection = await asyncpg.connect(empty_dsn)
    await connection.execute(blocks((ROOT / "db" / "schema.md").read_text()))
    await connection.close()
    assert await catalogue(empty_dsn) == await catalogue(dsn)


async def test_the_first_three_migrations_are_version_0_1_exactly(empty_dsn: str, postgres: str) -> None:
    document = (ROOT / "db" / "schema-v0.1.md").read_text()
    connection = await asyncpg.connect(empty_dsn)
    await connection.execute(blocks(document))
    by_document = await catalogue(empty_dsn)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for migration in own_migrations()[:3]:
        await connection.execute(migration.sql)
    await connection.close()
    assert await catalogue(empty_dsn) == by_document


async def test_every_migration_runs_over_a_database_that_holds_rows(empty_dsn: str) -> None:
    connection = await asyncpg.connect(empty_dsn)
    for migration in own_migrations()[:3]:
        await connection.execute(migration.sql)
    await connection.execute("""
        INSERT INTO users (github_id, github_login, access_token) VALUES (1, 'octocat', 'x');
        INSERT INTO repos (user_id, github_repo_id, full_name) SELECT id, 2, 'octocat/a' FROM users;
        INSERT INTO audit_runs (repo_id, commit_sha, status, overall_result) SELECT id, repeat('a', 40), 'completed',
            'PASS' FROM repos;
        INSERT INTO audit_checks (audit_run_id, check_code, check_name, result) SELECT id, 'A4', 'Boundary compliance',
            'PASS' FROM audit_runs;
        INSERT INTO projects (user_id, name, repo_id) SELECT user_id, 'p', id FROM repos;
        INSERT INTO builds (project_id) SELECT id FROM projects;
    """)
    for migration in own_migrations()[3:]:
        async with connection.transaction():
            await connection.execute(migration.sql)
    await connection.execute("DELETE FROM projects; DELETE FROM users")
    rows = await connection.fetchrow("SELECT user_id, full_name FROM repos")
    assert rows is not None
    assert (rows["user_id"], rows["full_name"]) == (None, "octocat/a")
    assert await connection.fetchval("SELECT conclusion FROM audit_checks") == "neutral"
    await connection.close()


async def test_migrating_twice_and_four_times_at_once_applies_each_file_once(empty_dsn: str) -> None:
    done = await asyncio.gather(*(migrate(empty_dsn) for _ in range(4)))
    assert sorted(len(names) for names in done) == [0, 0, 0, len(own_migrations()) + 1]
    assert await migrate(empty_dsn) == []


async def test_an_edited_file_and_a_newer_database_are_refused(empty_dsn: str, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(ROOT / "db" / "migrations", folder)
    (folder / "900_later.sql").write_text("CREATE TABLE later (id INTEGER);")
    await migrate(empty_dsn, folder)
    with pytest.raises(UserError, match="newer than this program"):
        await migrate(empty_dsn)
    (folder / "900_later.sql").write_text("CREATE TABLE later (id BIGINT);")
    with pytest.raises(UserError, match=r"900_later\.sql was edited"):
        await migrate(empty_dsn, folder)


async def test_a_failing_file_leaves_nothing_of_itself(empty_dsn: str, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(ROOT / "db" / "migrations", folder)
    (folder / "900_broken.sql").write_text("CREATE TABLE half (id INTEGER); SELECT nonsense;")
    with pytest.raises(asyncpg.PostgresError):
        await migrate(empty_dsn, folder)
    connection = await asyncpg.connect(empty_dsn)
    assert await connection.fetchval("SELECT to_regclass('half')") is None
    assert await connection.fetchval("SELECT count(*) FROM schema_migrations") == len(own_migrations())
    await connection.close()


async def test_the_state_of_a_schema_in_words(empty_dsn: str, dsn: str) -> None:
    for address, words in ((empty_dsn, "no schema yet"), (dsn, "")):
        connection = await asyncpg.connect(address)
        assert words in await schema_state(connection)
        assert bool(words) == bool(await schema_state(connection))
        await connection.close()
