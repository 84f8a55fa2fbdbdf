"""Allowing a finding on its page: who may, what it changes, how it ends, and how it is listed."""

from __future__ import annotations

import csv
import io
import json
import re
from html import escape
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from forgeguard_app.flows.audits import allow_finding
from forgeguard_app.flows.audits.allow_finding import end_expired_allowances
from forgeguard_app.simulator.state import Repository
from forgeguard_app.store.allowances import Allowance
from forgeguard_app.store.pool import Connection
from tests.support.api import Known, ask
from tests.support.browsing import Browser
from tests.support.refusing import admit, refuse
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.starting import started
from tests.support.stored_runs import count_completed_reruns, get_newest_run_id


async def red(product: Product, tree: WorkTree) -> tuple[Repository, str, str]:
    """A repository with a red head on a topic branch: its sha and the audit's address."""
    repository = await started(product, tree)
    tree.git("switch", "--quiet", "-c", "topic")
    sha = tree.commit({"=evil.py": "bad\n"})
    runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
    assert runs["A4"].conclusion == "failure"
    return repository, sha, "/audits/" + str(runs["A4"].details_url).rpartition("/")[2].partition("?")[0]


async def conclusion(product: Product, repository: Repository, sha: str) -> str | None:
    await product.idle()
    return (await product.verdicts(repository, sha))["A4"].conclusion


@pytest.mark.nightly
async def test_who_may_write_allows_a_finding_and_takes_it_back(product: Product, tree: WorkTree) -> None:
    repository, sha, audit = await red(product, tree)
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "write")
    async with Browser(product) as browser:
        await browser.sign_in(user, audit)
        assert "known_violations" in browser.text, "what to commit instead is shown"
        for reason, days, message in (
            (" ", "90", "Say why it is allowed"),
            ("It is <b>fine</b>", "9999", "1 to 3650 days"),
        ):
            await browser.submit(f"{audit}/allow", reason=reason, days=days)
            assert browser.status == 400
            assert message in browser.text
            form = re.findall(r'<details class="allow" open>.*?</form>', browser.text, re.S)[0]
            assert f'value="{escape(reason)}"' in form, "what was typed stands where it was typed"
            assert ('<option value="90" selected>' in form) is (days == "90")
            assert "known_violations" in browser.text, "on the audit's page"
        await browser.get(audit)
        await browser.submit(f"{audit}/allow", reason="Until <b>March</b>", days="30")
        assert browser.status == 200
        assert "Until &lt;b&gt;March" in browser.text
        assert await conclusion(product, repository, sha) == "success"
        title = (await product.verdicts(repository, sha))["A4"].output["title"]
        assert "1 allowed" in title
        page = browser.text
        path = f"/repos/{repository.full_name}/allowances"
        await browser.get(f"{path}.csv")
        rows = list(csv.DictReader(io.StringIO(browser.text)))
        assert (rows[0]["path"], rows[0]["github_login"]) == ("'=evil.py", "mona"), "no formula for a spreadsheet"
        await browser.get(f"{path}.json")
        assert json.loads(browser.text)[0]["path"] == "=evil.py"
        await browser.get(path)
        end = re.findall(r'action="([^"]+/end)"', page)[0]
        await browser.submit(end)
        assert "ended" in browser.text
        assert await conclusion(product, repository, sha) == "failure"
        await browser.submit(end.replace("/end", "/restore"))
        assert browser.status == 200
        assert await conclusion(product, repository, sha) == "success"
        csrf = re.findall(r'name="csrf" value="([^"]+)"', browser.text)[0]
        assert await browser.post(end.replace("/end", "/restore"), {"csrf": csrf}) == 400, "it is in force"


@pytest.mark.nightly
async def test_an_allowance_ends_by_itself(product: Product, tree: WorkTree) -> None:
    repository, sha, audit = await red(product, tree)
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "admin")
    async with Browser(product) as browser:
        await browser.sign_in(user, audit)
        await browser.submit(f"{audit}/allow", reason="for now", days="30")
    assert await conclusion(product, repository, sha) == "success"
    async with product.pool.acquire() as connection:
        await connection.execute("UPDATE allowances SET expires_at = now()")
    assert await end_expired_allowances(product.pool) == 1
    assert await conclusion(product, repository, sha) == "failure"
    assert await end_expired_allowances(product.pool) == 0


async def allow_for_now(product: Product, tree: WorkTree) -> tuple[Repository, str]:
    """A repository whose red head passes because of an allowance, and the sha of that head."""
    repository, sha, audit = await red(product, tree)
    user = product.github.people.add(repository.owner.login)
    product.github.people.allow(user, repository, "admin")
    async with Browser(product) as browser:
        await browser.sign_in(user, audit)
        await browser.submit(f"{audit}/allow", reason="for now", days="30")
    assert await conclusion(product, repository, sha) == "success"
    return repository, sha


@pytest.mark.nightly
async def test_an_allowance_that_takes_too_long_to_end_holds_up_no_other(
    own_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate_again, begun = allow_finding._evaluate_again, list[Allowance]()

    async def first_times_out(connection: Connection, allowance: Allowance, asked_by: int | None) -> None:
        begun.append(allowance)
        if len(begun) == 1:
            raise TimeoutError
        await evaluate_again(connection, allowance, asked_by)

    async with running(own_dsn, tmp_path / "product") as product, product.without_chores():
        await allow_for_now(product, WorkTree(tmp_path / "slow"))
        other, second = await allow_for_now(product, WorkTree(tmp_path / "other"))
        async with product.pool.acquire() as connection:
            await connection.execute("UPDATE allowances SET expires_at = created_at")
        monkeypatch.setattr(allow_finding, "_evaluate_again", first_times_out)
        with pytest.raises(TimeoutError):
            await end_expired_allowances(product.pool)
        assert await conclusion(product, other, second) == "failure"


@pytest.mark.nightly
async def test_an_allowance_ends_only_together_with_the_start_of_its_re_run(
    own_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allow_finding, "EXPIRED_AT_ONCE", 1)  # one that fails each time holds up none behind it
    async with running(own_dsn, tmp_path / "product") as product, product.without_chores():
        refused, first = await allow_for_now(product, WorkTree(tmp_path / "refused"))
        other, second = await allow_for_now(product, WorkTree(tmp_path / "other"))
        async with product.pool.acquire() as connection:
            await refuse(connection, "INSERT", "audit_runs", f"NEW.commit_sha = '{first}'")
            await connection.execute("UPDATE allowances SET expires_at = created_at")
        with pytest.raises(asyncpg.DeadlockDetectedError):
            await end_expired_allowances(product.pool)
        assert await conclusion(product, other, second) == "failure"
        async with product.pool.acquire() as connection:
            await admit(connection, "INSERT", "audit_runs")
        assert await end_expired_allowances(product.pool) == 1
        assert await conclusion(product, refused, first) == "failure"


async def test_a_head_that_is_evaluated_while_an_allowance_ends_is_evaluated_again(
    product: Product, tree: WorkTree
) -> None:
    repository, sha = await allow_for_now(product, tree)
    async with product.without_chores():
        # Its newest run read the allowance and has no verdict yet.
        await product.pool.execute("DELETE FROM audit_checks; UPDATE allowances SET expires_at = now()")
        await product.pool.execute(
            "UPDATE audit_runs SET status = 'running' WHERE id = $1", await get_newest_run_id(product.pool)
        )
        assert await end_expired_allowances(product.pool) == 1
        await product.until(count_completed_reruns, 1)
    assert await conclusion(product, repository, sha) == "failure"


async def test_who_only_reads_or_was_never_let_in_allows_nothing(product: Product, tree: WorkTree) -> None:
    repository, _, audit = await red(product, tree)
    async with product.pool.acquire() as connection:
        fingerprint = await connection.fetchval("SELECT fingerprint FROM findings WHERE is_counted LIMIT 1")
    for name, level in (("reader", "read"), ("stranger", None)):
        user = product.github.people.add(name)
        if level:
            product.github.people.allow(user, repository, level)
        async with Browser(product) as browser:
            await browser.sign_in(user, "/account")
            csrf = re.findall(r'name="csrf" value="([^"]+)"', browser.text)[0]
            form = {"csrf": csrf, "check_code": "A4", "fingerprint": fingerprint, "reason": "x", "days": ""}
            assert await browser.post(f"{audit}/allow", form) == 403
            for what in ("end", "restore"):
                path = f"/repos/{repository.full_name}/allowances/{'0' * 32}/{what}"
                assert await browser.post(path, {"csrf": csrf}) == 403
    async with product.pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM allowances") == 0


async def test_the_same_by_the_api(known: Known) -> None:
    run_id, repo_id = known.ids["run_id"], known.ids["repo_id"]
    found = (await ask(known, f"/audits/{run_id}/findings"))["items"]
    made: list[Any] = []
    for finding in found:
        body = {"audit_id": run_id, "check_code": "A9", "fingerprint": finding["fingerprint"], "reason": "known"}
        made.append(await ask(known, "/allowances", method="POST", status=201, json=body))
        await known.product.idle()
    newest = (await ask(known, f"/repos/{repo_id}/audits"))["items"][0]
    assert newest["overall_result"] == "PASS"
    listed = await ask(known, "/allowances", params={"repo_id": repo_id, "limit": "1"})
    rest = await ask(known, "/allowances", params={"repo_id": repo_id, "cursor": listed["next"]})
    assert [allowance["id"] for allowance in listed["items"] + rest["items"]] == [made[1]["id"], made[0]["id"]]
    await ask(known, f"/allowances/{made[0]['id']}", method="DELETE", status=204)
    await known.product.idle()
    assert (await ask(known, f"/repos/{repo_id}/audits"))["items"][0]["overall_result"] == "FAIL"
    wrong = {"audit_id": run_id, "check_code": "A4", "fingerprint": "0", "reason": "x"}
    await ask(known, "/allowances", method="POST", status=400, json=wrong)
    await ask(known, "/allowances", status=400)
    await ask(known, "/allowances", params={"repo_id": run_id}, status=404)
    await ask(known, f"/allowances/{run_id}", method="DELETE", status=404)
