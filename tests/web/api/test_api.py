"""What a script sees: pages of lists, ETags, limits, and problems with their places."""

from __future__ import annotations

import pytest

from forgeguard_app.web.api.rates import Rates
from forgeguard_app.web.cursors import text_cursor
from tests.support.api import Known, ask
from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product


async def test_an_audit_with_its_findings_page_by_page(known: Known) -> None:
    run_id = known.ids["run_id"]
    audit = await ask(known, f"/audits/{run_id}")
    assert (audit["overall_result"], [check["check_code"] for check in audit["checks"]]) == ("FAIL", ["A4", "A9", "W1"])
    assert audit["checks"][1]["new"] == 2
    everything = (await ask(known, f"/audits/{run_id}/findings"))["items"]
    findings, cursor = [], None
    while True:
        page = await ask(
            known, f"/audits/{run_id}/findings", params={"limit": "1"} | ({"cursor": cursor} if cursor else {})
        )
        findings += page["items"]
        if (cursor := page["next"]) is None:
            break
    assert findings == everything
    assert [finding["line"] for finding in everything] == [1, 2]
    only = await ask(known, f"/audits/{run_id}/findings", params={"check_code": "W1"})
    assert only == {"items": [], "next": None, "findings_deleted_at": None}


@pytest.mark.nightly
async def test_audits_are_listed_newest_first_and_filtered(known: Known, tree: WorkTree) -> None:
    product = known.product
    repository = next(iter(product.github.world.repositories.values()))
    for number in range(3):
        tree.commit({f"b{number}.py": "x"})
        await product.verdicts(repository, await product.push(tree, repository))
    path = f"/repos/{known.ids['repo_id']}/audits"
    first = await ask(known, path, params={"limit": "2"})
    rest = await ask(known, path, params={"limit": "2", "cursor": first["next"]})
    times = [item["created_at"] for item in first["items"] + rest["items"]]
    assert times == sorted(times, reverse=True)
    assert len(times) == 4
    assert (await ask(known, path, params={"branch": "other"}))["items"] == []
    assert len((await ask(known, path, params={"result": "FAIL"}))["items"]) == 4
    repos = await ask(known, "/repos")
    assert repos["items"][0]["health"] == {"passed": 0, "judged": 4}
    assert (await ask(known, "/installations"))["items"][0]["failing"] == 1


async def test_what_did_not_change_is_not_sent_again(known: Known) -> None:
    headers = {"Authorization": f"Bearer {known.token}"}
    address = f"{known.product.address}/api/v1/me"
    async with known.product.session.get(address, headers=headers) as answer:
        etag = answer.headers["ETag"]
    await ask(known, "/me", headers={"If-None-Match": etag}, status=304)


@pytest.mark.nightly
async def test_a_rerun_is_asked_for_once_within_seconds(known: Known) -> None:
    path = f"/audits/{known.ids['run_id']}/rerun"
    first, second = await ask(known, path, method="POST", status=202), await ask(known, path, method="POST", status=202)
    assert first == second
    assert first["id"] != known.ids["run_id"]
    await known.product.idle()
    assert (await ask(known, f"/audits/{first['id']}"))["trigger"] == "rerun"


async def test_a_token_made_by_the_api_holds_until_it_is_deleted(known: Known) -> None:
    async with Browser(known.product) as browser:
        await browser.sign_in(next(user for user in known.product.github.people.users() if user.login == "mona"))
        jar = browser.cookies[known.product.address.removeprefix("http://")]
    session = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()),
        "Sec-Fetch-Site": "same-origin",
        "Authorization": "",
    }
    wanted = {"name": "ci", "scope": "read"}
    made = await ask(known, "/tokens", method="POST", status=201, json=wanted, headers=session)
    other = Known(known.product, made["value"], known.ids)
    assert (await ask(other, "/me"))["scope"] == "read"
    for maker in (known, other):
        await ask(maker, "/tokens", method="POST", status=403, json=wanted)
    listed = (await ask(known, "/tokens"))["items"]
    assert all(item["value"] is None for item in listed)
    assert next(item for item in listed if item["id"] == made["id"])["used_at"] is not None
    await ask(known, f"/tokens/{made['id']}", method="DELETE", status=204)
    await ask(other, "/me", status=401)


async def test_what_is_wrong_is_said_at_its_place(known: Known) -> None:
    problem = await ask(known, "/tokens", method="POST", status=400, json={"scope": "all", "days": 0, "more": 1})
    assert {error["place"] for error in problem["errors"]} == {"name", "scope", "days", "more"}
    await ask(known, "/tokens", method="POST", status=415, data="name=x")
    await ask(
        known, "/tokens", method="POST", status=413, data=b"x" * 100_000, headers={"Content-Type": "application/json"}
    )
    await ask(known, "/repos", status=400, params={"cursor": "nonsense"})
    await ask(known, f"/audits/{known.ids['run_id']}/findings", status=400, params={"cursor": "QTQgeA"})
    await ask(known, "/nowhere", status=404)


@pytest.mark.nightly
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+00:00"])
async def test_a_cursor_at_the_ends_of_time_is_answered(known: Known, at: str) -> None:
    cursor = text_cursor(f"{at} {known.ids['run_id']}")
    for path in (f"/repos/{known.ids['repo_id']}/audits", "/projects", f"/projects/{known.ids['project_id']}/builds"):
        async with known.product.session.get(
            f"{known.product.address}/api/v1{path}",
            params={"cursor": cursor},
            headers={"Authorization": f"Bearer {known.token}"},
        ) as answer:
            assert answer.status in (200, 400), (path, await answer.text())


async def test_the_api_takes_a_browser_s_cookie_for_no_write_from_elsewhere(product: Product) -> None:
    async with product.session.post(f"{product.address}/api/v1/tokens", json={"name": "x"}) as answer:
        assert answer.status == 401
        assert answer.headers["Content-Type"].startswith("application/problem+json")


def test_who_asks_too_often_waits() -> None:
    rates = Rates(600)
    assert all(rates.take("a") is None for _ in range(600))
    assert rates.take("a") == 1
    assert rates.take("b") is None
