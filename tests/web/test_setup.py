"""Set-up in the browser, through the simulated GitHub's own pages; nothing is configured beforehand."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import aiohttp
import pytest
import yaml

from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.web_context import Keys
from forgeguard_app.flows.people.set_up_app import Choice, problems_of, read_credentials
from forgeguard_app.github.app_manifest import KINDS, is_reachable, make_manifest, manifest_text
from forgeguard_app.simulator.manifest import problems_of as refused_by_github
from tests.support.browsing import Browser
from tests.support.running import Product
from tests.support.setting_up import KEY, Bare, browsing, fields, without_app
from tests.support.stored import count_credentials
from tests.support.watching import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def bare(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Bare]:
    async with without_app(dsn, tmp_path, capsys) as place:
        yield place


async def test_from_the_link_in_the_log_to_an_app_that_works(bare: Bare) -> None:
    bare.github.people.add("mona")
    async with browsing(bare) as browser:
        assert await browser.get("/") == 200
        assert "no GitHub App yet" in browser.text
        link = await bare.link()
        await browser.get(link)
        assert browser.status == 200
        assert "token" not in browser.address
        await browser.submit("/setup", **fields(bare))
        action = re.findall(r'action="([^"]+/settings/apps/new[^"]+)"', browser.text)[0].replace("&amp;", "&")
        assert f"form-action 'self' {bare.github.address};" in browser.headers["Content-Security-Policy"]
        await browser.submit(action)
        assert "Create GitHub App" in browser.text
        await browser.submit("/settings/apps")
        assert browser.status == 200, browser.text
        assert "guard exists" in browser.text
        await asyncio.wait_for(bare.app_exists.wait(), 10)
        assert await browser.get(link) == 400, "the link is dead once the App exists"
        browser.address = bare.address
        user = bare.github.people.users()[-1]
        await browser.sign_in(user, "/account")
        assert "mona" in browser.text
    credentials = await read_credentials(bare.pool, Keys([KEY.encode()]))
    assert credentials is not None
    app = bare.github.world.app
    assert app is not None
    assert credentials.webhook_secrets == (app.webhook_secret.encode(),)
    assert dict(app.permissions) == dict(KINDS["guard"])
    async with bare.pool.acquire() as connection:
        row = dict(await connection.fetchrow("SELECT * FROM app_credentials") or {})
        assert app.webhook_secret not in str(row)
        assert "PRIVATE KEY" not in str(row)
    with pytest.raises(UserError, match="SECRET_KEY"):
        await read_credentials(bare.pool, Keys([b"another key" * 4]))
    async with aiohttp.ClientSession() as session, session.get(f"{bare.address}/readyz") as answer:
        assert answer.status == 200


async def test_the_link_is_one_browser_s(bare: Bare) -> None:
    link = await bare.link()
    async with browsing(bare) as mine, browsing(bare) as other:
        assert await mine.get("/setup?token=wrong") == 400
        assert await mine.get("/setup") == 400
        assert await mine.get(link) == 200
        assert await mine.get("/setup") == 200
        assert await other.get(link) == 400
        assert await other.post("/setup", fields(bare)) == 400
        assert await mine.post("/setup", fields(bare), headers={"Sec-Fetch-Site": "cross-site"}) == 403


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x&code=y", "?code=%00&state=%00", "?state=" + "x" * 5_000])
async def test_an_answer_that_nobody_asked_for_makes_no_app(bare: Bare, query: str) -> None:
    async with browsing(bare) as browser:
        await browser.get(await bare.link())
        await browser.post("/setup", fields(bare))
        assert await browser.get(f"/setup/callback{query}") == 400
        assert "Traceback" not in browser.text
    async with bare.pool.acquire() as connection:
        assert await count_credentials(connection) == 0


async def test_a_code_that_github_refuses_is_said_and_set_up_goes_on(bare: Bare) -> None:
    async with browsing(bare) as browser:
        await browser.get(await bare.link())
        await browser.submit("/setup", **fields(bare))
        state = re.findall(r"state=([\w-]+)", browser.text)[0]
        assert await browser.get(f"/setup/callback?code=0000&state={state}") == 400
        assert "used or an hour old" in browser.text
        assert await browser.get("/setup") == 200


async def test_what_is_wrong_with_the_choice_is_said_at_its_field(bare: Bare) -> None:
    async with browsing(bare) as browser:
        await browser.get(await bare.link())
        wrong = fields(bare, name="", organization="a b", public_url="ftp://x", github_url="https://github.com/path")
        assert await browser.post("/setup", wrong) == 400
        assert browser.text.count('aria-invalid="true"') == 4
        evil = fields(bare, name="<script>alert(1)</script>" + "x" * 30)
        await browser.post("/setup", evil)
        assert "<script>alert" not in browser.text


async def test_the_browser_comes_back_to_where_it_is_also_where_github_is_given_a_tunnel(bare: Bare) -> None:
    async with browsing(bare) as browser:
        await browser.get(await bare.link())
        await browser.submit("/setup", **fields(bare, public_url="https://tunnel.example.com"))
        manifest = json.loads(unescape(re.findall(r'name="manifest" value="([^"]+)"', browser.text)[0]))
        assert manifest["redirect_url"] == f"{bare.address}/setup/callback", "its cookie is there"
        assert manifest["hook_attributes"]["url"] == "https://tunnel.example.com/webhooks/github"


@pytest.mark.parametrize(
    ("address", "github", "reachable"),
    [
        ("http://127.0.0.1:8000", "https://github.com", False),
        ("http://localhost:8000", "https://github.com", False),
        ("http://myhost:8000", "https://github.com", False),
        ("http://10.1.2.3", "https://github.com", False),
        ("http://[::1]:8000", "https://github.com", False),
        ("https://guard.example.com", "https://github.com", True),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9", True),
        ("http://myhost", "https://ghe", True),
        ("http://127.0.0.1", "https://ghe.example.com", False),
    ],
)
def test_what_github_reaches(address: str, github: str, reachable: bool) -> None:
    assert is_reachable(address, github) == reachable
    choice = Choice("n", "guard", "", github, address)
    assert ("public_url" in problems_of(choice)) == (not reachable)


@pytest.mark.parametrize("kind", ["guard", "builder"])
def test_the_manifests_follow_from_app_yml_and_github_takes_them(kind: str) -> None:
    asked = yaml.safe_load((ROOT / "app.yml").read_text())
    manifest = json.loads((ROOT / "manifests" / f"{kind}.json").read_text())
    assert (ROOT / "manifests" / f"{kind}.json").read_text() == manifest_text(kind)
    wanted = asked["permissions"] | (asked["builder_permissions"] if kind == "builder" else {})
    assert manifest["default_permissions"] == wanted
    assert manifest["default_events"] == asked["events"]
    assert refused_by_github(manifest, here="https://github.example.com") == []


def test_the_simulated_github_refuses_what_github_refuses() -> None:
    good = make_manifest("Guard", "https://guard.example.com", "guard")
    for change in (
        {"name": "x" * 35},
        {"default_events": ["check_run"]},
        {"default_events": ["installation"]},
        {"unknown": 1},
        {"default_permissions": {"check": "write"}},
        {"hook_attributes": {"url": "http://127.0.0.1/webhooks/github"}},
        {"default_permissions": {"metadata": "read"}},
        {"request_oauth_on_install": True},
        {"url": ""},
    ):
        assert refused_by_github(good | change, here="https://github.com"), change


async def test_an_installation_of_which_github_tells_late_is_waited_for(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, owner = product.github.people.add("mona"), product.github.world.add_account("acme")
    repository = await product.github.create_repository(owner, "shop")
    product.github.people.allow(user, repository, "admin")
    webhooks, held = product.github.webhooks, []
    async with Browser(product) as browser:
        await browser.sign_in(user)
        with monkeypatch.context() as patch:
            patch.setattr(webhooks, "send", lambda *event: held.append(event))
            installation = product.github.install(owner, [repository])
        asked = asyncio.create_task(browser.get(f"/setup/installed?installation_id={installation.id}"))
        path = f"/user/installations/{installation.id}/repositories"
        requests = product.github.world.requests
        await until(lambda: any(path in asked_for for _, asked_for in requests), lambda: str(requests))
        for event in held:
            webhooks.send(*event)
        await asked
        assert repository.full_name in browser.text


async def test_after_an_installation_the_person_sees_what_is_guarded(product: Product) -> None:
    world = product.github.people
    user, stranger = world.add("mona"), world.add("eve")
    owner = product.github.world.add_account("acme")
    repository = await product.github.create_repository(owner, "shop")
    world.allow(user, repository, "admin")
    async with Browser(product) as browser, Browser(product) as other:
        await browser.get(f"{product.github.address}/apps/forgeguard/installations/new")
        await browser.submit("/session", login="mona")
        await browser.submit("/apps/forgeguard/installations", repository=str(repository.id))
        assert "Authorize" in browser.text, "setup_url leads to the sign-in first"
        await browser.submit("/login/oauth/authorize", answer="yes")
        number = next(iter(product.github.world.installations))
        assert browser.address == f"{product.address}/installations/{number}"
        assert "acme/shop" in browser.text
        assert "Require status checks" in browser.text
        await other.sign_in(stranger)
        for spoofed in (str(number), "1", "x", "", "9" * 30, "-1"):
            other.home()
            await other.get(f"/setup/installed?installation_id={spoofed}&setup_action=install")
            assert "acme" not in other.text
            assert other.status in (200, 404)
