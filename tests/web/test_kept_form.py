"""Forms that were sent after their session ended, from an old page, or while the database was away: nothing written is
lost.
"""

from __future__ import annotations

import re
from html import unescape

import pytest

from forgeguard_app.store.pool import Pool
from tests.support.browsing import Browser
from tests.support.databases import sessions_away
from tests.support.running import Product
from tests.support.stored import count_api_tokens, count_kept_forms, forget_access_checks

NEW = {"name": "Shop & <b>sons</b>", "description": "Line one", "repository": ""}


def token_of(browser: Browser) -> str:
    """The token that the open page's forms carry."""
    found = re.search(r'name="csrf" value="([^"]+)"', browser.text)
    assert found is not None
    return found[1]


async def end_sessions(product: Product) -> None:
    async with product.pool.acquire() as connection:
        await connection.execute("DELETE FROM sessions")


async def names(pool: Pool) -> list[str]:
    async with pool.acquire() as connection:
        return [row["name"] for row in await connection.fetch("SELECT name FROM projects ORDER BY created_at")]


async def kept_after_sign_out(product: Product, browser: Browser, **fields: str) -> str:
    """Sends the open page's form after the session ended; gives the address to which signing in leads."""
    await end_sessions(product)
    form = {"csrf": token_of(browser)} | NEW | fields
    assert await browser.post("/projects", form, follow=False) == 401
    assert "Sign in to continue" in browser.text
    found = re.search(r'href="(/login\?return_to=[^"]+)"[^>]*>Sign in with GitHub</a></p>', browser.text)
    assert found is not None, browser.text
    return unescape(found[1])


async def test_a_form_sent_after_its_session_ended_is_kept_over_the_sign_in_and_sent_by_a_click(
    product: Product,
) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/projects")
        sign_in = await kept_after_sign_out(product, browser)
        assert "Shop" not in sign_in, "no content in an address"
        await browser.get(sign_in)
        assert browser.status == 200, browser.text
        assert re.search(r"/continue/[0-9a-f-]{36}$", browser.address)
        assert "Shop &amp; &lt;b&gt;sons&lt;/b&gt;" in browser.text
        assert await names(product.pool) == [], "nothing is sent without a click"
        await browser.submit("/projects")
        assert browser.status == 200, browser.text
        assert await names(product.pool) == [NEW["name"]]
        async with product.pool.acquire() as connection:
            assert await count_kept_forms(connection) == 0


async def test_a_kept_form_is_sealed_and_opens_for_its_writer_in_its_browser_alone(product: Product) -> None:
    mona, hubot = (product.github.people.add(name) for name in ("mona", "hubot"))
    async with Browser(product) as browser, Browser(product) as other:
        await browser.sign_in(mona, "/projects")
        await kept_after_sign_out(product, browser)
        async with product.pool.acquire() as connection:
            row = await connection.fetchrow("SELECT id, content, browser_hash FROM kept_forms")
        assert row is not None
        assert "Shop" not in row["content"]
        assert row["browser_hash"] not in str(browser.cookies)
        await other.sign_in(mona, "/projects")
        await kept_after_sign_out(product, other, name="Their other form")
        await other.sign_in(mona, f"/continue/{row['id']}")
        assert other.status == 404, "the same person in another browser, which has a kept form of its own"
        browser.cookies = {name: jar for name, jar in browser.cookies.items() if "forgeguard_forms" in jar}
        await browser.sign_in(hubot, f"/continue/{row['id']}")
        assert browser.status == 403, "another person in the same browser"
        assert "Shop" not in browser.text
        assert "mona wrote this form" in browser.text


async def test_only_a_form_that_we_rendered_is_kept_and_only_five_of_one_person(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser, Browser(product) as stranger:
        await browser.sign_in(user, "/projects")
        token = token_of(browser)
        await end_sessions(product)
        for forged in ("", "x", "a.b.c.d", token[:-1], token.replace(token.split(".")[1], "0" * 32)):
            assert await stranger.post("/projects", NEW | {"csrf": forged}, follow=False) == 401
        async with product.pool.acquire() as connection:
            assert await count_kept_forms(connection) == 0
        foreign = {"Sec-Fetch-Site": "cross-site"}
        assert await browser.post("/projects", NEW | {"csrf": token}, follow=False, headers=foreign) == 403
        for number in range(7):
            await browser.post("/projects", NEW | {"csrf": token, "name": str(number)}, follow=False)
        async with product.pool.acquire() as connection:
            assert await count_kept_forms(connection) == 5


async def test_a_page_from_before_the_newest_sign_in_asks_once_more_instead_of_a_bare_403(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/projects")
        old = token_of(browser)
        await browser.sign_in(user, "/projects")
        assert await browser.post("/projects", NEW | {"csrf": old}) == 403
        assert "Send it again?" in browser.text
        assert await names(product.pool) == []
        await browser.submit("/projects")
        assert await names(product.pool) == [NEW["name"]]


async def test_another_person_in_the_same_browser_sends_nothing_from_the_first_ones_page(product: Product) -> None:
    mona, hubot = (product.github.people.add(name) for name in ("mona", "hubot"))
    async with Browser(product) as browser:
        await browser.sign_in(mona, "/projects")
        token = token_of(browser)
        browser.cookies.clear()
        await browser.sign_in(hubot, "/projects")
        assert await browser.post("/projects", NEW | {"csrf": token}) == 403
        assert "Shop" not in browser.text
        assert "signed in as hubot" in browser.text
        assert await names(product.pool) == []


async def test_a_script_is_told_where_to_sign_in_and_gets_a_fresh_token_for_the_same_person_alone(
    product: Product,
) -> None:
    mona, hubot = (product.github.people.add(name) for name in ("mona", "hubot"))
    script = {"X-Requested-With": "forgeguard", "Sec-Fetch-Site": "same-origin"}
    async with Browser(product) as browser:
        await browser.sign_in(mona, "/projects")
        old = token_of(browser)
        await browser.sign_in(mona, "/projects")
        assert await browser.post("/projects", NEW | {"csrf": old}, headers=script) == 403
        fresh = re.search(r'"csrf": "([^"]+)"', browser.text)
        assert fresh is not None
        await end_sessions(product)
        assert await browser.post("/projects", NEW | {"csrf": old}, headers=script) == 401
        assert '"sign_in": "/login?return_to=' in browser.text
        assert await browser.get("/projects", follow=False) == 303
        browser.cookies.clear()
        await browser.sign_in(hubot, "/projects")
        assert await browser.post("/projects", NEW | {"csrf": old}, headers=script) == 403
        assert '"csrf"' not in browser.text


async def test_access_that_github_takes_back_in_the_middle_of_a_form_keeps_the_form(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/projects")
        await browser.submit("/projects", **NEW)
        project = re.findall(r"/projects/[0-9a-f-]{36}", browser.address)[0]
        await browser.get(project)
        token = token_of(browser)
        product.github.people.revoke(user)
        async with product.pool.acquire() as connection:
            await forget_access_checks(connection)
        form = {"csrf": token, "name": "Other", "description": "", "repository": "a/b"}
        assert await browser.post("/projects", form, follow=False) == 401
        assert "is kept for 60 minutes" in browser.text


async def test_signing_out_of_a_browser_that_is_signed_out_leads_to_the_start(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/account")
        await end_sessions(product)
        assert await browser.submit("/logout") == 200
        assert browser.address == f"{product.address}/"


@pytest.mark.parametrize(
    ("fields", "message", "field"),
    [
        ({"name": " "}, "A project has a name", "name"),
        ({"description": "x" * 2_001}, "A description has at most", "description"),
        ({"repository": "nobody/none"}, "no guarded repository of that name", "repository"),
    ],
)
async def test_a_project_that_cannot_be_made_says_why_at_its_field_and_keeps_what_was_typed(
    product: Product, fields: dict[str, str], message: str, field: str
) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/projects")
        assert await browser.submit("/projects", **(NEW | fields)) == 400
        assert message in browser.text
        wrong = re.findall(r'<(?:input|textarea) [^>]*name="(\w+)"[^>]*aria-invalid="true"', browser.text)
        assert wrong == [field]
        shown = unescape(browser.text)
        for value in (NEW | fields).values():
            assert value.strip() in shown
        assert "A new project" in browser.text, "the form is on its own page"


async def test_a_token_is_shown_once_behind_a_redirect_and_a_reload_makes_no_second_one(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/account")
        assert await browser.submit("/account/tokens", name="", scope="read", days="30") == 400
        assert "Give the token a name" in browser.text
        assert "API tokens" in browser.text
        form = {"csrf": token_of(browser), "name": "ci", "scope": "read", "days": "30"}
        assert await browser.post("/account/tokens", form, follow=False) == 303
        assert "fgp_" not in browser.headers["Location"]
        await browser.get(browser.headers["Location"])
        value = re.findall(r"fgp_[\w-]+", browser.text)[0]
        await browser.get("/account")
        assert value not in browser.text
        async with product.pool.acquire() as connection:
            assert await count_api_tokens(connection) == 1


async def test_a_database_that_is_away_says_so_keeps_the_form_and_does_not_look_like_signed_out(
    product: Product,
) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/projects")
        token = token_of(browser)
        async with sessions_away(product.pool):
            assert await browser.get("/projects") == 503
            assert "Sign in" not in browser.text
            assert "not signed in" not in browser.text
            assert "The database is away" in browser.text
            assert '<meta http-equiv="refresh" content="5">' in browser.text
            assert await browser.post("/projects", NEW | {"csrf": token}) == 503
            assert "Sign in" not in browser.text
            assert "Not saved yet" in browser.text
            assert "The database is away" in browser.text
            sent_again = browser.text
        browser.text = sent_again
        await browser.submit("/projects")
        assert await names(product.pool) == [NEW["name"]]
