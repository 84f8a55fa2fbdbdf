"""Destructive buttons in a real browser: one click does nothing, the second does it, with and without a script."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from tests.browser.walking import look
from tests.browser.windows import shared_product, signed_in
from tests.support.running import Product

pytestmark = pytest.mark.asyncio(loop_scope="module")
Both = tuple[Product, Chromium]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    async with shared_product(postgres, tmp_path_factory.mktemp("confirmations")) as both:
        yield both


async def count(product: Product, table: str) -> int:
    async with product.pool.acquire() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


@pytest.mark.nightly
async def test_a_project_is_deleted_by_its_typed_name_alone_and_comes_back(shared: Both) -> None:
    product, browser = shared
    user = product.github.people.add(f"mona-{secrets.token_hex(3)}")
    living = "projects WHERE deleted_at IS NULL"
    async with signed_in(browser, product, user) as context:
        page = await context.new_page()
        await page.goto("/projects")
        await page.get_by_label("Name").fill("Shop")
        await page.get_by_role("button", name="Begin").click()
        await page.get_by_role("link", name="Shop", exact=True).click()
        address = page.url
        summary = page.locator("summary", has_text="Delete the project")
        await summary.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Type its name")).to_be_visible()
        assert await count(product, living) == 1, "the first step does nothing"
        await page.keyboard.press("Escape")
        await expect(page.get_by_label("Type its name")).to_be_hidden()
        await expect(summary).to_be_focused()
        await page.keyboard.press("Enter")
        await page.get_by_label("Type its name").fill("shop")
        await page.get_by_role("button", name="Delete the project").click()
        await expect(page.get_by_role("alert")).to_contain_text("type its name: Shop")
        await look(page, "f-delete-project")
        assert await count(product, living) == 1
        await page.get_by_label("Type its name").fill("Shop")
        await page.get_by_role("button", name="Delete the project").click()
        await expect(page.get_by_role("heading", name="Deleted projects")).to_be_visible()
        assert await count(product, living) == 0
        await look(page, "f-deleted-projects")
        await page.get_by_role("button", name="Restore the project Shop").click()
        await expect(page.get_by_role("heading", name="Shop")).to_be_visible()
        assert page.url == address
        assert await count(product, living) == 1


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_token_goes_and_everybody_is_signed_out_at_the_second_click(shared: Both, scripts: bool) -> None:
    product, browser = shared
    user = product.github.people.add(f"mona-{secrets.token_hex(3)}")
    mine = f"WHERE user_id = (SELECT id FROM users WHERE github_id = {user.id})"
    async with signed_in(browser, product, user, scripts=scripts, phone=scripts, dark=scripts) as context:
        page = await context.new_page()
        await page.goto("/account")
        await page.get_by_label("Name").fill("ci")
        await page.get_by_role("button", name="Make a token").click()
        await expect(page.get_by_text("shown this once")).to_be_visible()
        await page.reload()
        await expect(page.get_by_text("shown this once")).to_have_count(0)
        assert await count(product, f"api_tokens {mine}") == 1
        await page.locator("summary[aria-label='Delete the token ci']").click()
        assert await count(product, f"api_tokens {mine}") == 1
        if scripts:
            await look(page, "f-account-phone-dark")
        await page.get_by_role("button", name="Delete the token").click()
        await expect(page.get_by_text("You have no token")).to_be_visible()
        assert await count(product, f"api_tokens {mine}") == 0
        await page.locator("summary", has_text="Sign out everywhere").click()
        assert await count(product, f"sessions {mine}") == 1
        await page.get_by_role("button", name="Sign out everywhere").click()
        await expect(page.get_by_role("link", name="Sign in with GitHub").first).to_be_visible()
        assert await count(product, f"sessions {mine}") == 0


async def test_a_filter_after_the_session_ended_opens_a_page_that_says_what_to_do(shared: Both) -> None:
    product, browser = shared
    user = product.github.people.add(f"mona-{secrets.token_hex(3)}")
    repository, _ = await product.repository(private=True)
    product.github.people.allow(user, repository, "read")
    async with signed_in(browser, product, user) as context:
        page = await context.new_page()
        await page.goto(f"/repos/{repository.full_name}")
        async with product.pool.acquire() as connection:
            await connection.execute(
                "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE github_id = $1)", user.id
            )
        await page.get_by_label("Branch").fill("topic")
        await page.get_by_label("Branch").press("Enter")
        await expect(page.get_by_role("main").get_by_role("link", name="Sign in with GitHub")).to_be_visible()
        assert "branch=topic" in page.url
