"""Nobody takes more than a quota for long: the oldest goes first, the newest stays, and it is said."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.quotas import QUOTAS
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.projects import manage_project
from forgeguard_app.flows.projects.answer_questionnaire import MAX_BYTES, answer_questionnaire
from forgeguard_app.flows.projects.manage_project import create_project, described, remove_project, restore_project
from forgeguard_app.flows.projects.save_contract import Edit, save_contract
from forgeguard_app.flows.upkeep.enforce_quotas import chosen_mirrors, enforce_quotas
from forgeguard_app.git.mirror import MirrorOnDisk
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.store.build_logs import delete_old_logs
from forgeguard_app.store.builds import set_build_ended
from forgeguard_app.store.contracts import set_contract
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.projects import ListedProject, list_projects
from forgeguard_app.store.purge import Holder
from forgeguard_app.store.storage import delete_versions_over, get_contract_bytes, hold_contracts, list_uses

_SIZES = "SELECT coalesce(sum(octet_length(content)), 0) FROM contract_versions"


async def person(connection: Connection, number: int) -> UUID:
    found: UUID = await connection.fetchval(
        "INSERT INTO users (github_id, github_login) VALUES ($1, 'u' || $1::bigint) RETURNING id", number
    )
    return found


async def project(connection: Connection, user_id: UUID, name: str) -> UUID:
    found: UUID = await connection.fetchval(
        "INSERT INTO projects (user_id, name, status) VALUES ($1, $2, 'contracts_ready') RETURNING id", user_id, name
    )
    return found


async def test_the_logs_of_the_builds_that_ended_first_go_beyond_a_project_s_or_a_person_s_quota(pool: Pool) -> None:
    async with pool.acquire() as connection:
        mona, other = await person(connection, 1), await person(connection, 2)
        projects = [await project(connection, mona, name) for name in ("one", "two")]
        builds: list[tuple[UUID, UUID, UUID]] = []
        for of, by in ((0, mona), (0, mona), (0, other), (1, mona)):
            build_id = await connection.fetchval(
                "INSERT INTO builds (project_id, user_id, status, contracts) VALUES ($1, $2, 'running', "
                '\'{"ui": "x"}\') RETURNING id',
                projects[of],
                by,
            )
            await connection.execute(
                "INSERT INTO build_logs (build_id, message) SELECT $1, repeat('x', 936) FROM generate_series(1, 10)",
                build_id,
            )
            async with connection.transaction():
                assert await set_build_ended(connection, build_id, "failed")
            builds.append((build_id, projects[of], by))
        assert await connection.fetchval("SELECT array_agg(DISTINCT log_bytes) FROM builds") == [10_000]
        assert await connection.fetchval("SELECT count(*) FROM builds WHERE contracts <> '{}'::jsonb") == 0
        logged = "SELECT array_agg(DISTINCT build_id) FROM build_logs"
        await enforce_quotas(pool)
        assert len(await connection.fetchval(logged)) == 4
        await enforce_quotas(pool, replace(QUOTAS, logs_of_project=20_000))
        assert set(await connection.fetchval(logged)) == {build[0] for build in builds[1:]}
        await enforce_quotas(pool, replace(QUOTAS, logs_of_person=10_000))
        assert set(await connection.fetchval(logged)) == {builds[2][0], builds[3][0]}
        gone = await connection.fetch("SELECT id, log_bytes FROM builds WHERE log_deleted_at IS NOT NULL")
        assert {(row["id"], row["log_bytes"]) for row in gone} == {(builds[0][0], 0), (builds[1][0], 0)}
        uses = {(use.kind, use.holder_kind, use.holder_name): use.bytes for use in await list_uses(connection, 99)}
        assert uses["build_logs", "all", ""] == 20_000
        assert uses["build_logs", "person", "u1"] == uses["build_logs", "project", "two of u1"] == 10_000


async def test_the_lines_around_findings_of_the_oldest_audits_go(pool: Pool) -> None:
    async with pool.acquire() as connection:
        installation_id = await connection.fetchval(
            "INSERT INTO installations (github_installation_id, account_login) VALUES (1, 'acme') RETURNING id"
        )
        runs = []
        for number, name in enumerate(("acme/a", "acme/a", "acme/b"), 1):
            repo_id = await connection.fetchval(
                """
                INSERT INTO repos (github_repo_id, full_name, installation_id) VALUES ($1, $2, $3)
                ON CONFLICT (github_repo_id) DO UPDATE SET full_name = excluded.full_name RETURNING id
                """,
                ord(name[-1]),
                name,
                installation_id,
            )
            run_id = await connection.fetchval(
                """
                INSERT INTO audit_runs (repo_id, commit_sha, started_at, excerpt_bytes, created_at)
                VALUES ($1, repeat('a', 40), now(), 1000, now() + make_interval(secs => $2)) RETURNING id
                """,
                repo_id,
                number,
            )
            check_id = await connection.fetchval(
                "INSERT INTO audit_checks (audit_run_id, check_code, check_name, result) VALUES ($1, 'A4', "
                "'A4', 'FAIL') RETURNING id",
                run_id,
            )
            await connection.execute(
                """
                INSERT INTO findings (audit_check_id, ordinal, path, line, end_line, column_number, rule, message,
                    level, is_new, is_counted,
                    fingerprint, excerpt, excerpt_line)
                VALUES ($1, 0, 'a.py', 1, 1, 1, 'r', 'm', 'failure', true, true, 'f', repeat('x', 1000), 1)
                """,
                check_id,
            )
            runs.append(run_id)
        kept = """SELECT array_agg(c.audit_run_id) FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
            WHERE f.excerpt IS NOT NULL"""
        await enforce_quotas(pool)
        assert set(await connection.fetchval(kept)) == set(runs)
        await enforce_quotas(pool, replace(QUOTAS, excerpts_of_repository=1_500))
        assert set(await connection.fetchval(kept)) == set(runs[1:])
        await enforce_quotas(pool, replace(QUOTAS, excerpts_of_installation=1_500))
        assert await connection.fetchval(kept) == runs[2:]
        assert await connection.fetchval("SELECT count(*) FROM findings") == 3, "the findings stay"
        deleted = await connection.fetch("SELECT id FROM audit_runs WHERE excerpts_deleted_at IS NOT NULL")
        assert {row["id"] for row in deleted} == set(runs[:2])
        uses = {(use.kind, use.holder_kind, use.holder_name): use.bytes for use in await list_uses(connection, 99)}
        assert uses["excerpts", "installation", "acme"] == uses["excerpts", "repository", "acme/b"] == 1_000


async def test_former_versions_go_beyond_a_person_s_quota_however_many_are_saved_at_once(pool: Pool) -> None:
    async with pool.acquire() as connection:
        mona, other = await person(connection, 1), await person(connection, 2)
        projects = [await project(connection, mona, str(number)) for number in range(4)]
        theirs = await project(connection, other, "theirs")
        await set_contract(connection, theirs, "stack", "x" * 5_000, "other")
        await set_contract(connection, theirs, "stack", "y" * 5_000, "other")

    async def save(project_id: UUID) -> None:
        async with pool.acquire() as connection:
            for number in range(12):
                async with connection.transaction():
                    await hold_contracts(connection, project_id)
                    await set_contract(connection, project_id, "stack", str(number % 10) * 1_000, "mona")
                    await delete_versions_over(connection, project_id, 9_000)
                assert await connection.fetchval(_SIZES) <= 9_000 + 10_000, "at every moment"

    await asyncio.gather(*map(save, projects))
    async with pool.acquire() as connection:
        assert await connection.fetchval(_SIZES) == 9_000 + 10_000, "those of others stay"
        assert (await get_contract_bytes(connection, projects[0])).all == 4_000
        present = await connection.fetchval(
            "SELECT count(*) FROM project_contracts c JOIN contract_versions v ON v.contract_id = c.id AND "
            "v.version = c.version"
        )
        assert present == 5
        async with connection.transaction():
            await delete_versions_over(connection, projects[0], 0)
        assert await connection.fetchval(_SIZES) == 4_000 + 10_000, "the present ones stay whatever the quota"


async def test_contracts_beyond_what_a_person_may_keep_are_refused_with_what_to_do(pool: Pool) -> None:
    async with pool.acquire() as connection:
        mona = await person(connection, 1)
        project_id = await project(connection, mona, "full")
        for _ in range(2):
            full = await project(connection, mona, "other")
            await set_contract(connection, full, "ui", "x" * (QUOTAS.contracts_of_person // 2), "mona")
        await set_contract(connection, project_id, "ui", "# UI\n", "mona")
    who = Person(mona, 1, "mona", mona, None)
    with pytest.raises(UserError, match="delete a project"):
        await save_contract(pool, who, project_id, Edit(ContractType.UI, "# UI again\n", 1))
    async with pool.acquire() as connection:
        text = "SELECT content FROM project_contracts WHERE project_id = $1"
        assert await connection.fetchval(text, project_id) == "# UI\n", "nothing is lost"


async def test_others_leave_room_for_the_contracts_of_the_projects_creator(pool: Pool) -> None:
    async with pool.acquire() as connection:
        mona, other = await person(connection, 1), await person(connection, 2)
        for _ in range(2):
            full = await project(connection, mona, "full")
            await set_contract(connection, full, "ui", "x" * (QUOTAS.contracts_of_others // 2 - 1_000), "u2")
        project_id = await project(connection, mona, "there")
        await set_contract(connection, project_id, "ui", "# UI\n", "u1")
    creator, writer = Person(mona, 1, "u1", mona, None), Person(other, 2, "u2", other, None)
    long = "# UI\n" + "y" * 5_000
    with pytest.raises(UserError, match="ask the creator"):
        await save_contract(pool, writer, project_id, Edit(ContractType.UI, long, 1))
    assert await save_contract(pool, writer, project_id, Edit(ContractType.UI, "# UI of u2\n", 1)) == 2
    assert await save_contract(pool, creator, project_id, Edit(ContractType.UI, long, 2)) == 3
    with pytest.raises(UserError, match="ask the creator"):
        await save_contract(pool, writer, project_id, Edit(ContractType.UI, long + "z", 3))


async def test_what_shortens_contracts_is_saved_beyond_the_quota_too(pool: Pool) -> None:
    async with pool.acquire() as connection:
        mona = await person(connection, 1)
        project_id = await project(connection, mona, "there")
        await set_contract(connection, project_id, "ui", "# UI\n" + "x" * 1_000, "mona")
        for _ in range(2):
            full = await project(connection, mona, "full")
            await set_contract(connection, full, "ui", "x" * (QUOTAS.contracts_of_person // 2), "mona")
    who = Person(mona, 1, "mona", mona, None)
    assert await save_contract(pool, who, project_id, Edit(ContractType.UI, "# UI\n", 1)) == 2


@pytest.mark.nightly
async def test_contracts_saved_at_once_in_several_projects_pass_no_bound_together(pool: Pool) -> None:
    async with pool.acquire() as connection:
        mona = await person(connection, 1)
        full = await project(connection, mona, "full")
        await set_contract(connection, full, "ui", "x" * (QUOTAS.contracts_of_person - 25_000), "u1")
        projects = [await project(connection, mona, str(number)) for number in range(6)]
        for project_id in projects:
            await set_contract(connection, project_id, "ui", "# UI\n", "u1")
    who, text = Person(mona, 1, "u1", mona, None), "# UI\n" + "y" * 10_000
    saving = (save_contract(pool, who, project_id, Edit(ContractType.UI, text, 1)) for project_id in projects)
    outcomes = await asyncio.gather(*saving, return_exceptions=True)
    refused = [outcome for outcome in outcomes if outcome != 2]
    assert len(refused) == 4
    assert all(isinstance(outcome, UserError) for outcome in refused), outcomes
    async with pool.acquire() as connection:
        assert (await get_contract_bytes(connection, full)).all <= QUOTAS.contracts_of_person


async def test_logs_that_were_kept_for_their_time_count_no_more_and_no_quota_is_blamed(pool: Pool) -> None:
    async with pool.acquire() as connection:
        mona = await person(connection, 1)
        build_id = await connection.fetchval(
            """
            INSERT INTO builds (project_id, user_id, status, completed_at, log_bytes)
            VALUES ($1, $2, 'failed', now() - make_interval(days => 31), 10000) RETURNING id
            """,
            await project(connection, mona, "old"),
            mona,
        )
        await connection.execute("INSERT INTO build_logs (build_id, message) VALUES ($1, 'x'), ($1, 'y')", build_id)
        left = "SELECT ARRAY[log_bytes::text, log_deleted_at::text] FROM builds"
        assert await delete_old_logs(connection, 1) == 1
        assert await connection.fetchval(left) == ["10000", None], "a line is left"
        assert await delete_old_logs(connection, 1) == 1
        assert await connection.fetchval(left) == ["0", None]
        await enforce_quotas(pool, replace(QUOTAS, logs_of_person=0))
        assert await connection.fetchval(left) == ["0", None]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 50), st.integers(0, 100)), max_size=12),
    st.integers(0, 120),
    st.integers(0, 80),
    st.integers(0, 60),
)
def test_mirrors_never_take_more_than_an_account_or_all_may(
    found: list[tuple[int, int, int]], most_bytes: int, of_account: int, oldest: int
) -> None:
    mirrors = [MirrorOnDisk(Path(str(n)), n, float(used), size) for n, (_, size, used) in enumerate(found)]
    holders = {n: Holder(f"r{n}", f"o{owner % 3}") for n, (owner, _, _) in enumerate(found) if owner}
    stay, go = chosen_mirrors(mirrors, holders, oldest, most_bytes, of_account)
    assert sorted(mirror.github_repo_id for mirror in [*stay, *go]) == list(range(len(found)))
    assert sum(mirror.size_bytes for mirror in stay) <= most_bytes
    for account in {holder.account_login for holder in holders.values()}:
        assert (
            sum(mirror.size_bytes for mirror in stay if holders[mirror.github_repo_id].account_login == account)
            <= of_account
        )
    assert all(mirror.github_repo_id in holders and mirror.used_at >= oldest for mirror in stay)
    enough = sum(mirror.size_bytes for mirror in mirrors)
    if enough <= min(most_bytes, of_account):
        assert all(mirror.github_repo_id not in holders or mirror.used_at < oldest for mirror in go)


async def test_answers_are_bounded_together_and_no_list_reads_them(pool: Pool) -> None:
    async with pool.acquire() as connection:
        mona = await person(connection, 1)
        project_id = await project(connection, mona, "one")
    rows = [{"screen": f"{n}", "purpose": "y" * 2_000} for n in range(300)]
    await answer_questionnaire(pool, project_id, {"ui.screens": rows})
    calls = [{"method": "GET", "path": f"/{n}", "purpose": "y" * 2_000} for n in range(300)]
    with pytest.raises(UserError, match=f"at most {MAX_BYTES >> 20} MB"):
        await answer_questionnaire(pool, project_id, {"api.endpoints": calls})
    await answer_questionnaire(pool, project_id, {"ui.screens": rows[:100], "api.endpoints": calls[:100]})
    async with pool.acquire() as connection:
        (found,) = await list_projects(connection, mona, None, 10)
    assert type(found) is ListedProject
    assert not hasattr(found, "questionnaire_state")


async def test_deleted_projects_count_while_they_are_kept(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manage_project, "MAX_PROJECTS", 2)
    monkeypatch.setattr(manage_project, "MAX_KEPT", 4)
    async with pool.acquire() as connection:
        user_id = await person(connection, 1)
    mona = Person(user_id, 1, "mona", user_id, None)
    made = []
    for _ in range(4):
        made.append(await create_project(pool, mona, described("Shop", ""), None))
        await remove_project(pool, made[-1])
    with pytest.raises(UserError, match="deleted many"):
        await create_project(pool, mona, described("Shop", ""), None)
    await restore_project(pool, mona, made[0])
    async with pool.acquire() as connection:
        await connection.execute("DELETE FROM projects WHERE deleted_at IS NOT NULL")
    at_once = [create_project(pool, mona, described("Shop", ""), None) for _ in range(6)]
    done = await asyncio.gather(*at_once, return_exceptions=True)
    assert len([outcome for outcome in done if isinstance(outcome, UUID)]) == 1, "those made at once are counted, too"


async def test_who_may_write_to_one_project_pushes_out_no_versions_of_another(pool: Pool) -> None:
    async with pool.acquire() as connection:
        mona = await person(connection, 1)
        private, *shared = [await project(connection, mona, name) for name in ("private", "one", "two")]
        for project_id, number, by in ((private, 4, "mona"), (shared[0], 40, "bob"), (shared[1], 40, "bob")):
            for n in range(number):
                async with connection.transaction():
                    await hold_contracts(connection, project_id)
                    await set_contract(connection, project_id, "stack", str(n % 10) * 1_000, by)
                    await delete_versions_over(connection, project_id, 20_000)
        kept = await connection.fetch(
            """
            SELECT p.name, count(*) AS number, max(v.version) AS newest FROM contract_versions v
            JOIN project_contracts c ON c.id = v.contract_id JOIN projects p ON p.id = c.project_id GROUP BY 1
                ORDER BY 1
            """
        )
    numbers = {row["name"]: row["number"] for row in kept}
    assert numbers["private"] == 4
    assert sum(numbers.values()) == 20
    assert abs(numbers["one"] - numbers["two"]) <= 1
    assert {row["name"]: row["newest"] for row in kept} == {"private": 4, "one": 40, "two": 40}
