"""Who did what: each deed of a person is noted once, stays for a year, and is seen by operators and owners alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import asyncpg
import pytest

from forgeguard_app.simulator.state import Account
from forgeguard_app.simulator.story import Story
from forgeguard_app.store.audit_log import delete_old_entries
from forgeguard_app.web import page_rates
from forgeguard_app.web.audit_log import DEEDS, EXPORTED, SHOWN, UNNOTED
from forgeguard_app.web.server import make_web
from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import OPERATOR, Product, running
from tests.support.starting import started
from tests.support.stored import get_github_installation_id
from tests.support.stored_runs import get_run_id


async def test_every_route_that_changes_something_has_a_name_in_the_log(product: Product) -> None:
    changing = {
        f"{route.method} {route.resource.canonical}"
        for route in make_web(product.web_context, None).router.routes()
        if route.resource is not None and route.method not in ("GET", "HEAD")
    }
    named = {name for name in DEEDS if not name.startswith("GET ")}
    assert named | UNNOTED == changing


@pytest.mark.nightly
async def test_deeds_and_denials_are_noted_and_shown_to_operators_and_owners(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    people = product.github.people
    operator = product.github.world.accounts[OPERATOR] = Account(OPERATOR, "op", "User")
    owner, member = people.add("=owner"), people.add("member")
    people.allow(owner, repository, "admin")
    people.allow(member, repository, "read")
    async with product.pool.acquire() as connection:
        run_id = await get_run_id(connection)
        number = await get_github_installation_id(connection)
    page = f"/installations/{number}"
    async with Browser(product) as of_owner, Browser(product) as of_member, Browser(product) as of_operator:
        await of_owner.sign_in(owner, "/account")
        await of_owner.submit("/account/tokens", name="t", scope="read", days="3")
        await of_owner.get(f"/audits/{run_id}")
        await of_owner.submit(f"/audits/{run_id}/rerun")
        await of_member.sign_in(member, f"/audits/{run_id}")
        await of_member.get("/account")
        csrf = re.findall(r'name="csrf" value="([^"]+)"', of_member.text)[0]
        for _ in range(3):
            assert await of_member.post(f"/audits/{run_id}/rerun", {"csrf": csrf}) == 403
        await of_owner.get(page)
        assert "Who did what" in of_owner.text
        assert await of_owner.get(f"{page}/audit-log.csv") == 200
        assert f"re-run,done,{owner.id},'=owner,browser,/audits/{run_id}/rerun,{repository.full_name}" in of_owner.text
        assert "sign-in" not in of_owner.text, "what concerns no repository of theirs is the operator's"
        await of_member.get(page)
        assert "Who did what" not in of_member.text
        await of_member.get(f"{page}/audit-log.json")
        assert of_member.text == "[]"
        assert await of_member.get("/operator/audit-log.csv") == 404
        await of_operator.sign_in(operator, "/operator")
        assert "Who did what" in of_operator.text
        await of_operator.get("/operator/audit-log.csv")
        for deed in ("sign-in,done", "token made,done", "re-run,done"):
            assert f"{deed},{owner.id}" in of_operator.text
        assert of_operator.text.count(f"re-run,denied,{member.id}") == 1, "again within the hour buries nothing"


@pytest.mark.nightly
async def test_what_people_do_at_github_is_noted_with_who_did_it(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    world, story = product.github.world, Story(product.github)
    installation = world.installation_of(repository.id)
    assert installation is not None
    for _ in range(3):  # within five seconds they are one request
        story.rerun(repository, tree.git("rev-parse", "HEAD"))
    for on in (True, False):
        await product.github.webhooks.settle()
        story.suspend(installation, on=on)
    await product.github.webhooks.settle()
    payload = product.github.installation_payload("deleted", installation)
    product.github.webhooks.send("installation", payload | {"sender": payload["sender"] | {"login": "x" * 400}})
    await product.idle()
    operator = world.accounts[OPERATOR] = Account(OPERATOR, "op", "User")
    async with Browser(product) as browser, product.pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT deed, via, github_id, github_login, repo_name FROM audit_log WHERE via = 'github' AND "
            "deed <> 'App installed' ORDER BY at"
        )
        assert [row["deed"] for row in rows] == ["re-run", "App suspended", "App unsuspended", "App uninstalled"]
        assert {row["github_id"] for row in rows} == {world.pusher.id}
        assert rows[0]["repo_name"] == repository.full_name
        assert set(rows[-1]["github_login"]) <= {"x", "…"}
        await browser.sign_in(operator, "/operator")
        assert "at GitHub" in browser.text
        assert "App uninstalled" in browser.text


@pytest.mark.nightly
async def test_entries_beyond_the_bound_of_a_page_and_of_a_file_are_in_their_next_parts(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    operator = product.github.world.accounts[OPERATOR] = Account(OPERATOR, "op", "User")
    owner = product.github.people.add("owner")
    product.github.people.allow(owner, repository, "admin")
    async with product.pool.acquire() as connection:
        number = await get_github_installation_id(connection)
        await connection.execute(
            """
            INSERT INTO audit_log (deed, outcome, via, subject, repo_id, at)
            SELECT 'deed ' || n, 'done', 'browser', '/', r.id, now() - interval '1 day' - n / 2 * interval '1 second'
            FROM repos r, generate_series(1, $1) n
            """,
            EXPORTED + SHOWN,
        )
    async with Browser(product) as of_owner, Browser(product) as of_operator:
        await of_owner.sign_in(owner, "/account")
        await of_operator.sign_in(operator, "/account")
        for browser, page in ((of_owner, f"/installations/{number}"), (of_operator, "/operator")):
            assert await browser.get(f"{page}?before=nothing") == 400
            assert await browser.get(page) == 200
            assert "Newest entries" not in browser.text
            shown = set(re.findall(r"deed \d+", browser.text))
            await browser.get(re.findall(r'href="([^"]+)#deeds">Older entries', browser.text)[0])
            later = set(re.findall(r"deed \d+", browser.text))
            assert (len(later), shown & later) == (SHOWN, set())
            assert f'href="{page}#deeds">Newest entries' in browser.text
            assert await read_parts(browser, product.address, f"{page}/audit-log.json") == EXPORTED + SHOWN
            await browser.get(f"{page}/audit-log.csv")
            lines = browser.text.splitlines()
            address = lines[-1].removeprefix("Older entries: ")
            assert len(lines) == EXPORTED + 2
            assert browser.headers["Link"] == f'<{address}>; rel="next"'
            await browser.get(address.removeprefix(product.address))
            assert 0 < len(browser.text.splitlines()) <= SHOWN + 12
            assert "Older entries" not in browser.text


async def read_parts(browser: Browser, site: str, path: str) -> int:
    """Read the file with all its parts; return how many deeds of the test it holds, each once."""
    deeds: list[str] = []
    address: str | None = path
    while address is not None:
        assert await browser.get(address) == 200
        rows = json.loads(browser.text)
        address = rows.pop()["next"].removeprefix(site) if "next" in rows[-1] else None
        assert len(rows) <= EXPORTED
        deeds += [row["deed"] for row in rows if row["deed"].startswith("deed ")]
    assert len(set(deeds)) == len(deeds)
    return len(deeds)


async def test_an_entry_cannot_be_changed_and_goes_after_a_year(product: Product) -> None:
    insert = (
        "INSERT INTO audit_log (deed, outcome, via, subject, at) VALUES ($1, 'done', 'link', '/', now() - "
        "make_interval(days => $2))"
    )
    async with product.pool.acquire() as connection:
        await connection.execute(insert, "young", 360)
        await connection.execute(insert, "old", 367)
        for statement in (
            "UPDATE audit_log SET deed = 'x'",
            "DELETE FROM audit_log WHERE deed = 'young'",
            "TRUNCATE audit_log",
        ):
            with pytest.raises(asyncpg.RaiseError, match="append-only"):
                await connection.execute(statement)
        await delete_old_entries(connection)
        assert [row["deed"] for row in await connection.fetch("SELECT deed FROM audit_log")] == ["young"]


async def test_who_changes_too_much_is_told_to_wait_so_that_the_log_has_a_bound(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_rates, "DEEDS_AT_ONCE", 3)
    async with running(dsn, tmp_path / "deeds", worker=False) as product, Browser(product) as browser:
        await browser.sign_in(product.github.people.add("mona"), "/account")
        await browser.submit("/account/tokens", name="t", scope="write", days="3")
        token = re.findall(r"fgp_[\w-]+", browser.text)[0]
        headers = {"Authorization": f"Bearer {token}"}
        statuses = []
        for number in range(3):
            sent = {"name": f"p{number}"}
            address = f"{product.address}/api/v1/projects"
            async with product.session.post(address, json=sent, headers=headers) as answer:
                statuses.append(answer.status)
        assert statuses == [201, 201, 429]
        await browser.get("/account")
        csrf = re.findall(r'name="csrf" value="([^"]+)"', browser.text)[0]
        assert await browser.post("/projects", {"csrf": csrf, "name": "x", "description": ""}) == 429
        assert await browser.get("/projects") == 200, "to look is no change"
        assert await product.pool.fetchval("SELECT count(*) FROM audit_log WHERE github_login = 'mona'") == 4
