"""Steps that several browser stories share."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.walking import Site, look


async def set_up(page: Page, place: Site, kind: str | None = None) -> None:
    await page.goto(await place.link())
    await expect(page.get_by_role("heading", name="Set up ForgeGuard")).to_be_visible()
    await look(page, "1-setup")
    await page.get_by_label("Name").fill("Guard")
    if kind is not None:
        await page.get_by_label(kind).check()
    await page.get_by_role("button", name="Go on").click()
    await page.get_by_role("button", name="Create the App on GitHub").click()
    await page.get_by_role("button", name="Create GitHub App").click()
    await expect(page.get_by_role("heading", name="guard exists")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="guard exists")).to_be_visible()
    await look(page, "2-app-exists")


async def install(page: Page) -> None:
    await page.get_by_role("link", name="Install it on repositories").click()
    await page.get_by_role("button", name="Sign in as mona").click()
    await page.get_by_role("button", name="Install").click()
    await page.get_by_role("button", name="Authorize").click()
    await expect(page.get_by_role("heading", name="acme")).to_be_visible()
    await expect(page.get_by_role("link", name="acme/shop")).to_be_visible()
    await look(page, "3-installed")
