"""Findings take no more than their quota, whatever is pushed: the oldest audits' go first, and it is said."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest

from forgeguard_app.flows.audits import audit_commit
from forgeguard_app.flows.context.quotas import QUOTAS, Quotas
from forgeguard_app.flows.upkeep.enforce_quotas import enforce_quotas
from forgeguard_app.flows.upkeep.keep_findings import keep_findings
from forgeguard_app.store.allowances import list_heads_with
from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.kept_findings import find_use
from forgeguard_app.store.leaked_secrets import list_leaked
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.standing_secrets import set_standing_secrets
from forgeguard_app.store.storage import list_uses
from tests.support.browsing import Browser, plain
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.stored import get_repo_id
from tests.support.stored_verdicts import Head, add_repo, add_verdict

TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
SIZE = 1_000
TEXT = "m" * (SIZE - 320 - len("a.py") - len("r"))


async def add(connection: Connection, repo_id: UUID, number: int, branch: str = "main") -> AuditRun:
    """Store a published verdict whose only finding takes `SIZE` bytes."""
    async with connection.transaction():
        head = Head(f"{number:040}", branch, [f"{branch} {number}"], TEXT, verified=True)
        run = await add_verdict(connection, repo_id, head)
        await connection.execute("UPDATE audit_runs SET published_at = now() WHERE id = $1", run.id)
        if branch == "main":
            await set_standing_secrets(connection, run)
    return run


async def kept(connection: Connection) -> list[str]:
    rows = await connection.fetch("SELECT fingerprint FROM findings ORDER BY fingerprint")
    return [row["fingerprint"] for row in rows]


def of_repository(number: int) -> Quotas:
    return replace(QUOTAS, findings_of_repository=number * SIZE)


async def test_the_newest_audits_of_branches_keep_their_findings_longest(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        await add(connection, repo_id, 1)
        await add(connection, repo_id, 2)
        await add(connection, repo_id, 3, "old")
        await add(connection, repo_id, 4, "new")
        await add(connection, repo_id, 5, "new")
        use = await find_use(connection, repo_id)
        assert use is not None
        assert use.of_repository == use.of_installation == 5 * SIZE
        await keep_findings(pool, repo_id, of_repository(5))
        assert len(await kept(connection)) == 5
        for most, left in (
            (4, {"main 2", "new 5", "old 3"}),  # an eighth is freed besides
            (2, {"main 2"}),
            (1, {"main 2"}),
        ):
            await keep_findings(pool, repo_id, of_repository(most))
            assert set(await kept(connection)) == left
        assert (await find_use(connection, repo_id)).of_repository == SIZE  # type: ignore[union-attr]


async def test_what_stands_is_known_after_its_findings_are_gone(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        runs = [await add(connection, repo_id, number) for number in range(1, 4)]
        await connection.execute("UPDATE repos SET standing_branch = NULL")  # as before secrets that stand were stored
        await connection.execute("DELETE FROM standing_secrets")
        await keep_findings(pool, repo_id, of_repository(2))
        assert await kept(connection) == ["main 3"]
        newest = await add(connection, repo_id, 4)
        standing = "SELECT standing_count FROM audit_checks WHERE audit_run_id = $1"
        assert await connection.fetchval(standing, newest.id) == 4
        leaked = await list_leaked(connection, repo_id, secrets=True, most=9)
        assert [(leak.run_id, leak.path) for leak in leaked[:3]] == [
            (runs[0].id, ""),
            (runs[1].id, ""),
            (runs[2].id, "a.py"),
        ]
        assert len(await list_leaked(connection, repo_id, secrets=False, most=9)) == 2
        counts = await connection.fetchrow(
            """
            SELECT k.kept_count, a.findings_deleted_at IS NOT NULL AS is_gone FROM audit_checks k
            JOIN audit_runs a ON a.id = k.audit_run_id WHERE a.id = $1
            """,
            runs[0].id,
        )
        assert counts is not None
        assert dict(counts) == {"kept_count": 0, "is_gone": True}


async def test_a_head_without_its_findings_is_audited_again_where_one_of_them_is_allowed(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        run = await add(connection, repo_id, 1, "topic")
        await keep_findings(pool, repo_id, of_repository(0))
        assert await kept(connection) == []
        assert await list_heads_with(connection, repo_id, "W1", "topic 1") == [run.id]


async def test_the_quota_of_an_installation_is_that_of_all_its_repositories(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repos = [await add_repo(connection, f"acme/{name}", number) for number, name in enumerate("ab", 1)]
        other = await add_repo(connection, "other/c", 3)
        for number in range(3):
            for repo_id in (*repos, other):
                await add(connection, repo_id, number)
        await keep_findings(pool, repos[0], replace(QUOTAS, findings_of_installation=5 * SIZE))
        numbers = {repo_id: (await _use(connection, repo_id)) for repo_id in (*repos, other)}
        assert numbers == {repos[0]: 2 * SIZE, repos[1]: 2 * SIZE, other: 3 * SIZE}


async def _use(connection: Connection, repo_id: UUID) -> int:
    use = await find_use(connection, repo_id)
    assert use is not None
    return use.of_repository


async def test_findings_from_before_they_were_counted_are_counted_and_shown_to_the_operator(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        for number in range(45):
            await add(connection, repo_id, number)
        await connection.execute("UPDATE audit_runs SET finding_bytes = NULL")
        await connection.execute("UPDATE repos SET finding_bytes = 0")
        await enforce_quotas(pool)
        assert await _use(connection, repo_id) == 45 * SIZE
        await enforce_quotas(pool, of_repository(8))
        assert len(await kept(connection)) == 7
        uses = {(use.kind, use.holder_kind, use.holder_name): use.bytes for use in await list_uses(connection, 99)}
        assert uses["findings", "repository", "acme/a"] == uses["findings", "installation", "acme"] == 7 * SIZE
        await connection.execute("UPDATE repos SET finding_bytes = 99 * finding_bytes")  # audits were deleted beside
        await keep_findings(pool, repo_id, of_repository(8))
        assert (await _use(connection, repo_id), len(await kept(connection))) == (7 * SIZE, 7)


async def test_strangers_heads_push_out_no_findings_of_the_repository_s_own(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        for number, branch in enumerate(("main", "main", "topic")):
            await add(connection, repo_id, number, branch)
        for number in range(3, 9):
            async with connection.transaction():
                head = Head(f"{number:040}", f"pull/{number}", [f"pull {number}"], TEXT, fork=True)
                run = await add_verdict(connection, repo_id, head)
                if number < 8:
                    await connection.execute("UPDATE audit_runs SET published_at = now() WHERE id = $1", run.id)
        await keep_findings(pool, repo_id, of_repository(5))
        assert set(await kept(connection)) == {"main 0", "main 1", "topic 2", "pull 8"}
        await keep_findings(pool, repo_id, of_repository(3))
        assert set(await kept(connection)) == {"main 1", "topic 2"}


async def test_texts_of_checks_count_where_they_are_long_and_are_cut_with_the_findings(pool: Pool) -> None:
    """A summary repeats paths, of which one alone may take 16,384 bytes."""
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        for number in range(8):
            async with connection.transaction():
                head = Head(f"{number:040}", f"b{number}", summary="s" * 20_000)
                await add_verdict(connection, repo_id, head)
        taken = await _use(connection, repo_id)
        assert 8 * 15_000 < taken < 8 * 20_000
        await connection.execute("UPDATE audit_runs SET finding_bytes = NULL")
        await connection.execute("UPDATE repos SET finding_bytes = 0")
        await enforce_quotas(pool)
        assert abs(await _use(connection, repo_id) - taken) < 100, "counted alike, with PostgreSQL's spaces in JSON"
        await keep_findings(pool, repo_id, replace(QUOTAS, findings_of_repository=taken // 2))
        assert await _use(connection, repo_id) <= taken // 2
        sizes = await connection.fetch("SELECT length(summary) FROM audit_checks ORDER BY 1")
        assert {row["length"] for row in sizes} == {1_000, 20_000}
        assert len(sizes) == 8


RULES = {"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "never"}]}]}


@pytest.mark.nightly
async def test_one_push_of_many_branches_keeps_no_more_findings_than_its_quota(
    product: Product, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_commit, "QUOTAS", replace(QUOTAS, findings_of_repository=100_000))
    repository, _ = await product.repository()
    tree.commit({"boundaries.json": json.dumps(RULES)})
    await product.push(tree, repository)
    await product.idle()
    tree.commit({f"{number}.py": "bad = 1\n" for number in range(100)})
    heads = [tree.commit({"n.txt": str(number)}) for number in range(6)]
    await product.push(tree, repository, "", *(f"{head}:refs/heads/t{n}" for n, head in enumerate(heads)))
    for head in heads:
        await product.verdicts(repository, head)
    async with product.pool.acquire() as connection:
        rows = await connection.fetchval("SELECT count(*) FROM findings")
        assert 0 < rows * 320 <= 100_000
        gone = await connection.fetchval(
            "SELECT id FROM audit_runs WHERE findings_deleted_at IS NOT NULL ORDER BY created_at LIMIT 1"
        )
    async with product.session.get(f"{product.address}/audits/{gone}") as answer:
        page = await answer.text()
    assert "The findings of this audit are not kept any more" in page
    assert "100 findings" in page, "the counts stay"
    for part in ("", "/findings"):
        async with product.session.get(f"{product.address}/api/v1/audits/{gone}{part}") as answer:
            assert (await answer.json())["findings_deleted_at"] is not None, part


async def test_a_verified_secret_is_named_to_writers_after_its_finding_is_gone(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository()
    tree.commit({"a.py": "x = 1\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    tree.commit({"b.py": f"T = '{TOKEN}'\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    async with product.pool.acquire() as connection:
        repo_id = await get_repo_id(connection)
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "write")
    async with Browser(product) as browser:
        await browser.sign_in(user, f"/repos/{repository.full_name}")
        assert "b.py:1" in plain(browser.text)
        await keep_findings(product.pool, repo_id, of_repository(0))
        await browser.get(f"/repos/{repository.full_name}")
        assert "b.py:1" not in plain(browser.text)
        assert "A verified secret was" in browser.text
        assert "whose findings are not kept" in browser.text
