"""What is kept no longer: logs of builds that ended long ago, and trials that nobody looks at any more."""

from __future__ import annotations

from forgeguard_app.store.build_logs import KEPT_DAYS, delete_old_logs
from forgeguard_app.store.contracts import KEPT_BYTES, list_versions, set_contract
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.purge import TRIAL_DAYS, delete_old_trials


async def test_logs_go_a_month_after_the_build_s_end_and_trials_after_a_week(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            """
            INSERT INTO users (github_id, github_login) VALUES (1, 'mona');
            INSERT INTO repos (github_repo_id, full_name) VALUES (2, 'o/r');
            INSERT INTO projects (user_id, name) SELECT id, 'p' FROM users;
            """
        )
        for days in (None, KEPT_DAYS - 1, KEPT_DAYS + 1):
            build_id = await connection.fetchval(
                "INSERT INTO builds (project_id, status, completed_at) SELECT id, 'failed', now() - "
                "make_interval(days => $1) FROM projects RETURNING id",
                days,
            )
            await connection.execute("INSERT INTO build_logs (build_id, message) VALUES ($1, 'a'), ($1, 'b')", build_id)
        for days in (TRIAL_DAYS - 1, TRIAL_DAYS + 1):
            await connection.execute(
                "INSERT INTO trials (repo_id, user_id, kind, created_at) SELECT r.id, u.id, 'first_rules', "
                "now() - make_interval(days => $1) FROM repos r, users u",
                days,
            )
        assert await delete_old_logs(connection, 1) == 1
        assert await delete_old_logs(connection, 100) == 1
        assert await delete_old_logs(connection, 100) == 0
        assert await connection.fetchval("SELECT count(*) FROM build_logs") == 4
        await delete_old_trials(connection)
        assert await connection.fetchval("SELECT count(*) FROM trials") == 1


async def test_of_a_contract_s_versions_the_newest_are_kept_within_a_bound_of_bytes(pool: Pool) -> None:
    async with pool.acquire() as connection:
        project_id = await connection.fetchval(
            """
            WITH u AS (INSERT INTO users (github_id, github_login) VALUES (1, 'mona') RETURNING id)
            INSERT INTO projects (user_id, name) SELECT id, 'p' FROM u RETURNING id
            """
        )
        for number in range(8):
            await set_contract(connection, project_id, "stack", str(number) * (KEPT_BYTES // 4), "mona")
        contract_id = await connection.fetchval("SELECT id FROM project_contracts")
        assert [version.version for version in await list_versions(connection, contract_id)] == [8, 7, 6, 5]
        await set_contract(connection, project_id, "stack", "x" * (KEPT_BYTES + 1), "mona")
        assert [version.version for version in await list_versions(connection, contract_id)] == [9]
