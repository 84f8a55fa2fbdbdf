"""Signing in through GitHub's own pages, and everything that can be wrong with it."""

from __future__ import annotations

import asyncio
import re

import pytest

from forgeguard_app.flows.people.repo_access import refresh_access
from tests.support.browsing import Browser
from tests.support.running import Product
from tests.support.stored import count_api_tokens, count_sessions, forget_access_checks, get_user_id, has_no_token


async def test_a_person_signs_in_and_comes_back_to_where_they_were(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        assert await browser.get("/") == 200
        assert "Sign in with GitHub" in browser.text
        await browser.sign_in(user, "/account")
        assert browser.status == 200
        assert browser.address == f"{product.address}/account"
        assert "mona" in browser.text
        async with product.pool.acquire() as connection:
            row = await connection.fetchrow("SELECT access_token, refresh_token FROM users")
            kept = await connection.fetchval("SELECT token_hash FROM sessions")
        assert row is not None
        assert not {"ghu_", "ghr_"} & {row["access_token"][:4], row["refresh_token"][:4]}, "tokens are kept sealed"
        assert kept not in str(browser.cookies)
        await browser.submit("/logout")
        assert "Sign in with GitHub" in browser.text
        await browser.get("/account", follow=False)
        assert browser.status == 303


async def test_the_session_s_cookie_is_out_of_reach(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.get("/login", follow=False)
        flags = browser.headers["Set-Cookie"].lower()
        assert "httponly" in flags
        assert "samesite=lax" in flags
        assert "code_challenge_method=S256" in browser.headers["Location"]
        await browser.sign_in(user)
        assert len(browser.cookies[f"127.0.0.1:{product.address.rpartition(':')[2]}"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?code=x",
        "?state=x&code=y",
        "?error=access_denied",
        "?code=%00&state=%00",
        "?state=" + "x" * 7_000,
        "?code=%3Cscript%3E&state=x",
    ],
)
async def test_a_callback_that_nobody_began_is_a_friendly_page(product: Product, query: str) -> None:
    async with Browser(product) as browser:
        for begun in (False, True):
            if begun:
                await browser.get("/login", follow=False)
            assert await browser.get(f"/login/callback{query}") == 400
            assert "sign" in browser.text.lower()
            assert browser.headers["X-Request-Id"] in browser.text
            assert "Traceback" not in browser.text
            assert "<script>" not in browser.text.replace('<script src="/static', "")
        async with product.pool.acquire() as connection:
            assert await count_sessions(connection) == 0


async def test_a_code_or_state_holds_once_and_in_its_own_browser(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser, Browser(product) as thief:
        await browser.get("/login")
        await browser.submit("/session", login="mona")
        product.github.people.granted.add(user.id)
        note = dict(browser.cookies)
        await browser.get(f"{product.address}/login", follow=False)
        authorize = browser.headers["Location"]
        await browser.get(authorize, follow=False)
        callback = browser.headers["Location"]
        await thief.get(f"{product.address}/login", follow=False)
        assert await thief.get(callback) == 400, "another browser's state"
        assert await browser.get(callback) == 200
        assert await browser.get(callback) == 400, "replayed"
        browser.cookies = note
        assert await browser.get(callback) == 400, "replayed with the old cookie"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/%0d%0aX:%20y"]
)
async def test_a_sign_in_leads_nowhere_else(product: Product, target: str) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, target)
        assert browser.address.startswith(product.address)
        assert browser.status in (200, 404)


async def test_forms_from_elsewhere_or_without_their_token_change_nothing(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/account")
        csrf = re.search(r'name="csrf" value="([^"]+)"', browser.text)
        assert csrf is not None
        form = {"name": "ci", "scope": "read", "days": "30"}
        for fields, headers in (
            (form, None),
            (form | {"csrf": "x" * 40}, None),
            (form | {"csrf": csrf[1]}, {"Sec-Fetch-Site": "cross-site"}),
            (form | {"csrf": csrf[1]}, {"Origin": "https://evil.example"}),
        ):
            assert await browser.post("/account/tokens", fields, headers=headers) == 403
        assert await browser.post("/account/tokens", form | {"csrf": csrf[1], "name": "x" * 900_000}) == 413
        assert await browser.post("/account/tokens", form | {"csrf": csrf[1], "days": "10000"}) == 400
        assert await browser.post("/account/tokens", form | {"csrf": csrf[1], "name": " \0"}) in (200, 400)
        async with product.pool.acquire() as connection:
            assert await count_api_tokens(connection, "ci") == 0


async def test_sign_out_everywhere_ends_every_browser(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as first, Browser(product) as other:
        await first.sign_in(user, "/account")
        await other.sign_in(user, "/account")
        await first.get("/account")
        await first.submit("/logout/everywhere")
        assert await other.get("/account", follow=False) == 303


async def made_token(browser: Browser) -> str:
    """Return a new token of the person whose account page is open."""
    await browser.submit("/account/tokens", name="t", scope="write", days="365")
    return str(re.findall(r"fgp_[\w-]+", browser.text)[0])


async def status_of(product: Product, token: str) -> int:
    async with product.session.get(
        f"{product.address}/api/v1/me", headers={"Authorization": f"Bearer {token}"}
    ) as answer:
        return answer.status


async def test_sign_out_everywhere_keeps_tokens_unless_they_are_to_go_too(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/account")
        token = await made_token(browser)
        await browser.submit("/logout/everywhere")
        assert await status_of(product, token) == 200
        await browser.sign_in(user, "/account")
        form = next(text for text in re.findall(r"<form.*?</form>", browser.text, re.S) if "delete all tokens" in text)
        fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
        assert await browser.post("/logout/everywhere", fields) == 200
        assert await status_of(product, token) == 401


async def test_signing_in_again_ends_the_browser_s_former_session(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser, Browser(product) as other:
        await other.sign_in(user)
        await browser.sign_in(user)
        former = {host: dict(jar) for host, jar in browser.cookies.items()}
        await browser.sign_in(user, "/account")
        assert await other.get("/account", follow=False) == 200
        browser.cookies = former
        assert await browser.get("/account", follow=False) == 303


async def test_what_a_person_takes_back_at_github_ends_their_sessions_and_tokens(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/account")
        token = await made_token(browser)
        product.github.people.revoke(user)
        async with product.pool.acquire() as connection:
            await forget_access_checks(connection)
        assert await browser.get("/", follow=False) == 303, "the token is found dead in mid-session"
        assert await browser.get("/account", follow=False) == 303
        await browser.get("/")
        async with product.pool.acquire() as connection:
            assert await has_no_token(connection)
        await browser.sign_in(user, "/account")
        assert browser.status == 200
        assert await status_of(product, token) == 401, "it holds no more, also once the person is back"


async def test_an_expiring_token_is_renewed_once_however_many_ask(product: Product) -> None:
    user = product.github.people.add("mona")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/account")
    async with product.pool.acquire() as connection:
        await connection.execute("UPDATE users SET token_expires_at = now(), access_checked_at = NULL")
        user_id = await get_user_id(connection)
    await asyncio.gather(*(refresh_access(product.web_context, user_id) for _ in range(8)))
    assert product.github.people.refreshed == 1
