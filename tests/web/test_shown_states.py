"""What pages and the API say of audits in every state: nothing that is false, and the same figures for everybody."""

from __future__ import annotations

import json
import re
from pathlib import Path
from uuid import UUID

import pytest

from forgeguard_app.simulator.state import Account, Repository
from forgeguard_app.simulator.story import Story
from forgeguard_app.store.shown_state import MAX_AHEAD, list_states
from forgeguard_app.store.versions import find_audit_version
from tests.support.browsing import Browser, plain
from tests.support.repositories import WorkTree
from tests.support.rows_read import rows_read
from tests.support.running import Product, running
from tests.support.starting import START, started
from tests.support.stored import get_repo_id
from tests.support.stored_jobs import add_jobs
from tests.support.stored_runs import get_run_id

TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"


def person(product: Product, repository: Repository, level: str) -> Account:
    user = product.github.people.add(f"mona-{level}")
    product.github.people.allow(user, repository, level)
    return user


async def audit_of(product: Product, repository: Repository, sha: str) -> str:
    """The path of a head's audit."""
    runs = await product.verdicts(repository, sha)
    return "/audits/" + str(runs["A4"].details_url).rpartition("/")[2].partition("?")[0]


async def api(product: Product, path: str) -> dict[str, object]:
    async with product.session.get(f"{product.address}/api/v1{path}") as answer:
        assert answer.status == 200, await answer.text()
        found: dict[str, object] = await answer.json()
        return found


async def test_an_error_in_a_configuration_file_is_refused_as_an_allowance_with_words(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    audit = await audit_of(product, repository, await _broken(product, tree, repository))
    finding = (await api(product, f"{audit}/findings"))["items"][0]  # type: ignore[index]
    assert finding["part"] == "problem"
    async with Browser(product) as browser:
        await browser.sign_in(person(product, repository, "write"), audit)
        assert "Allow</summary>" not in browser.text
        first_line = tree.git("log", "-1", "--format=%s")
        csrf = re.findall(r'name="csrf" value="([^"]+)"', browser.text)[0]
        form = {"csrf": csrf, "check_code": "A4", "fingerprint": finding["fingerprint"], "reason": "Let it", "days": ""}
        assert await browser.post(f"{audit}/allow", form) == 400
        assert f"<title>ERROR · {first_line} · {repository.full_name}" in browser.text, "on the audit's page"
        assert "An error in a configuration file cannot be allowed" in browser.text
        assert "boundaries.json, line 1" in browser.text


async def _broken(product: Product, tree: WorkTree, repository: Repository) -> str:
    tree.commit({"boundaries.json": '{"layers": 1}'})
    return await product.push(tree, repository)


async def test_existing_secrets_are_counted_for_everybody_and_placed_for_writers_alone(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository(install=False)
    tree.commit({**START, "secret_place.py": f'T = "{TOKEN}"\n'})
    sha = await product.push(tree, repository)
    product.github.install(repository.owner, [repository])
    await product.idle()
    audit = await audit_of(product, repository, sha)
    async with Browser(product) as stranger, Browser(product) as writer:
        await stranger.get(audit)
        await writer.sign_in(person(product, repository, "write"), audit)
        for browser, sees in ((stranger, False), (writer, True)):
            await browser.get(audit)
            assert "Existing: 1 finding" in browser.text
            assert "LEAKED SECRET" in browser.text
            assert ("secret_place.py" in browser.text) is sees
            assert ("revoke it now" in browser.text) is sees
            await browser.get(f"/repos/{repository.full_name}")
            assert "LEAKED SECRET" in browser.text
            assert ("secret_place.py" in browser.text) is sees
    check = (await api(product, audit))["checks"][2]  # type: ignore[index]
    assert (check["existing"], check["new"], check["verified"], check["state"]) == (1, 0, 1, "leaked")
    assert (await api(product, f"{audit}/findings"))["items"] == []


@pytest.mark.nightly
async def test_the_configuration_page_says_which_commit_it_shows_and_what_waits(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "one") as product:
        repository = await started(product, tree)
        first = tree.git("rev-parse", "HEAD")
        async with Browser(product) as browser:
            await browser.sign_in(person(product, repository, "write"))
            page = f"/repos/{repository.full_name}/configuration"
            await browser.get(page)
            assert first[:10] in browser.text
            assert "the head of <code>main</code>" in plain(browser.text)
            assert "This is not the head" not in browser.text
            # An old head that is audited again is not the head of its branch.
            tree.commit({"b.py": "x = 1\n"})
            head = await product.push(tree, repository)
            await product.verdicts(repository, head)
            await browser.get(await audit_of(product, repository, first))
            await browser.submit(f"{browser.address.removeprefix(product.address)}/rerun")
            await product.idle()
            browser.home()
            await browser.get(page)
            assert f"<code>{head[:10]}</code></a>, the head of" in browser.text
            async with product.pool.acquire() as connection:
                await connection.execute(
                    "INSERT INTO audit_runs (repo_id, commit_sha, branch) SELECT id, repeat('c', 40), 'main' FROM repos"
                )
            await browser.get(page)
            assert "This is not the head of <code>main</code>" in plain(browser.text)
            assert "cccccccccc" in browser.text
            assert "This page shows its configuration once it is audited." in browser.text


@pytest.mark.nightly
async def test_an_old_head_that_is_audited_again_does_not_change_the_branch_s_state(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    bad = tree.commit({"b.py": "bad\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    tree.commit({"b.py": "x = 1\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    audit = await audit_of(product, repository, bad)
    async with Browser(product) as browser:
        await browser.sign_in(person(product, repository, "write"), audit)
        await browser.submit(f"{audit}/rerun")
        await product.idle()
        browser.home()
        await browser.get("/")
        row = browser.text[browser.text.index("<tbody>") :]
        assert "PASS" in row and "FAIL" not in row
    async with product.session.get(f"{product.address}/badges/{repository.full_name}.json") as answer:
        assert json.loads(await answer.text())["message"] == "passing"


@pytest.mark.nightly
async def test_heads_that_no_push_told_of_are_named_by_their_commits(product: Product, tree: WorkTree) -> None:
    repository, story = await started(product, tree), Story(product.github)
    base = tree.git("rev-parse", "HEAD")
    patch = tree.commit({"c.py": "bad\n"}, "Mend the `shop`\n\nIt was broken.")
    await product.push(tree, repository, "", "HEAD:refs/pull/1/head")
    await story.open_pull(repository, "patch", patch, "main", fork=True)
    fork = await audit_of(product, repository, patch)
    merged = tree.commit({"d.py": "x = 1\n"}, "Merge the patch")
    await product.push(tree, repository, "", "HEAD:refs/other/head")
    branch = await story.queue_group(repository, merged, base)
    group = await audit_of(product, repository, merged)
    async with Browser(product) as browser:
        titles = set()
        for audit, subject in ((fork, "Mend the `shop`"), (group, "Merge the patch")):
            await browser.get(audit)
            titles.add(re.findall("<title>(.*)</title>", browser.text)[0])
            assert f"<title>FAIL · {subject} · {repository.full_name} · ForgeGuard</title>" in browser.text
            assert re.search(rf"<h1>.*FAIL</span> {re.escape(subject)}</h1>", plain(browser.text))
            assert "by A, " in plain(browser.text)
        assert len(titles) == 2
        assert f"on <code>{branch}</code>" in plain(browser.text), "the digest in a merge group's branch is no secret"
        await browser.get(f"/repos/{repository.full_name}")
        assert "Mend the `shop`" in browser.text
        assert branch in plain(browser.text)


@pytest.mark.nightly
async def test_a_verdict_in_an_archived_repository_says_so_and_follows_once_it_takes_writes(
    product: Product, tree: WorkTree
) -> None:
    repository, story = await started(product, tree), Story(product.github)
    audit = await audit_of(product, repository, tree.git("rev-parse", "HEAD"))
    async with Browser(product) as browser:
        await browser.sign_in(person(product, repository, "write"), audit)
        story.archive(repository, on=True)
        await browser.submit(f"{audit}/rerun")
        again = browser.address
        await product.idle()
        for address in (again, f"/repos/{repository.full_name}", "/"):
            await browser.get(address)
            assert "Not on GitHub: The repository is archived" in browser.text
        story.archive(repository, on=False)
        await product.idle()
        for address in (again, f"/repos/{repository.full_name}", "/"):
            await browser.get(address)
            assert "archived" not in browser.text


async def test_where_nothing_is_evaluated_health_and_boundaries_say_so(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree, {**START, ".github/forgeguard.yml": "enabled: false\n"})
    async with Browser(product) as browser:
        await browser.sign_in(person(product, repository, "write"))
        assert "Disabled" in browser.text
        assert "nothing evaluated yet" in browser.text
        assert "100 %" not in browser.text
        tree.commit({".github/forgeguard.yml": "gate: none\n", "boundaries.json": '{"layers": 1}'})
        await product.verdicts(repository, await product.push(tree, repository))
        await browser.get(f"/repos/{repository.full_name}/configuration")
        assert "No layer of this file is understood" in browser.text
        assert "0 known violations" not in browser.text
        assert "<h2>What is wrong for A4</h2>" in browser.text
        assert "<h3>" not in browser.text
        for address in ("/rules/A4", "/rules/W1", "/api"):
            await browser.get(address)
            assert "`" not in browser.text
            assert "<code>" in browser.text
        await browser.get("/rules/github-personal-token")
        assert "(GitHub)</bdi><br><bdi>Source: " in browser.text
        assert "checksum verified where there is one), private keys, and" in browser.text


async def test_the_api_filters_audits_by_the_state_that_is_shown(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    tree.commit({"c.py": f'T = "{TOKEN}"\n'})
    await product.verdicts(repository, await product.push(tree, repository))
    tree.commit({".github/forgeguard.yml": "checks: {A9: {enabled: false}}\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    async with product.pool.acquire() as connection:
        repo_id = await get_repo_id(connection)
    everything = (await api(product, f"/repos/{repo_id}/audits"))["items"]
    assert [audit["state"] for audit in everything] == ["partly", "leaked", "passed"]  # type: ignore[attr-defined]
    for state in ("partly", "leaked", "passed"):
        found = (await api(product, f"/repos/{repo_id}/audits?state={state}"))["items"]
        assert [audit["state"] for audit in found] == [state]  # type: ignore[attr-defined]
    assert (await api(product, f"/repos/{repo_id}"))["state"] == "partly"


async def waiting_run(product: Product, tree: WorkTree) -> UUID:
    """Pushes a commit where no worker evaluates it, and gives its run."""
    repository, _ = await product.repository()
    tree.commit(START)
    await product.push(tree, repository)
    await product.github.webhooks.settle()
    return await get_run_id(product.pool)


async def test_the_place_in_a_long_queue_is_not_counted(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        run_id = await waiting_run(product, tree)
        async with product.pool.acquire() as connection:
            found, _ = (await list_states(connection, [run_id]))[run_id]
            assert found.queue.ahead is not None and found.queue.ahead < 10
            await add_jobs(connection, MAX_AHEAD)
            found, _ = (await list_states(connection, [run_id]))[run_id]
            assert found.queue.ahead == MAX_AHEAD + 1


async def test_jobs_for_later_are_no_jobs_ahead_and_cost_a_page_nothing(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        run_id = await waiting_run(product, tree)
        async with product.pool.acquire() as connection:
            place, version = (
                (await list_states(connection, [run_id]))[run_id][0].queue,
                await find_audit_version(connection, run_id),
            )
            await add_jobs(connection, 5 * MAX_AHEAD, 3_600)
            async with rows_read(connection) as read:
                assert (await list_states(connection, [run_id]))[run_id][0].queue == place
                assert await find_audit_version(connection, run_id) == version
            assert read.number < 1_000
            await add_jobs(connection, 5 * MAX_AHEAD)
            versions = []
            for _ in range(2):
                async with rows_read(connection) as read:
                    assert (await list_states(connection, [run_id]))[run_id][0].queue.ahead == MAX_AHEAD + 1
                    versions.append(await find_audit_version(connection, run_id))
                assert read.number < 5 * MAX_AHEAD
                await add_jobs(connection, 1)
            assert versions[0] == versions[1] != version
