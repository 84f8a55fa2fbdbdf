"""A project in a real browser: questionnaire, contracts, a build whose work is returned once, and its pull request."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from playwright.async_api import Page, expect

from forgeguard_app.cli.demo_build import write_agent
from tests.browser.steps import install, set_up
from tests.browser.walking import Site, chromium, look, site, window
from tests.support.repositories import WorkTree


async def fill_layer(page: Page, number: int, name: str, glob: str, may_import: str) -> None:
    for title, value in (
        ("Layer", name),
        ("Files", glob),
        ("May import", may_import),
        ("Must not import", ""),
        ("Why not", ""),
    ):
        await page.get_by_label(f"{title}, row {number}", exact=True).fill(value)


async def answer(page: Page) -> None:
    await expect(page.get_by_role("heading", name="Product intent")).to_be_visible()
    await page.get_by_label("What does it do?").fill("It adds up orders.")
    await page.get_by_label("Who uses it?").fill("Shop keepers")
    await page.get_by_label("What can they do with it that they could not before?").fill("Know what an order costs")
    await page.get_by_label("Who uses it?").press("Tab")
    await expect(page.get_by_text(re.compile(r"^Saved \d"))).to_be_visible()
    await look(page, "p1-questionnaire")
    await page.get_by_role("link", name="Next: Stack").click()
    await page.get_by_label("Which stack?").select_option("python-library")
    await expect(page.get_by_text(re.compile(r"^Saved \d"))).to_be_visible()
    # What was touched is kept already, and what is merely proposed is nobody's answer.
    await expect(page.get_by_role("navigation", name="Questionnaire")).to_contain_text("Stack 1 of 4")
    await page.get_by_label("Which database?").select_option("none")
    await page.get_by_role("button", name="Save").click()
    await page.goto(re.sub(r"/[a-z]+$", "/boundaries", page.url))
    await expect(page.get_by_text("Proposed; saving takes it over.").first).to_be_visible()
    await fill_layer(page, 1, "cli", "shop/cli/**", "core")
    await fill_layer(page, 2, "core", "shop/core/**", "-")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text(re.compile(r"^Saved \d"))).to_be_visible()
    await look(page, "p2-layers")
    await page.goto(re.sub(r"/[a-z]+$", "/phases", page.url))
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="To the contracts").click()


async def contracts(page: Page) -> None:
    await page.get_by_role("button", name="Write the contracts").click()
    await expect(page.get_by_text("contracts ready")).to_be_visible()
    await look(page, "p3-project")
    await page.get_by_role("link", name="Manifesto").click()
    await look(page, "p4-contract")
    box = page.get_by_role("textbox", name="manifesto.md")
    await box.fill("# Manifesto\n\n1. Right before fast.\n")
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_text("not saved")).to_be_visible()
    await expect(page.get_by_role("article").get_by_text("Right before fast.")).to_be_visible()
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("link", name="difference from 1").click()
    await expect(page.get_by_text("+1. Right before fast.")).to_be_visible()
    await look(page, "p5-difference")
    await page.get_by_role("link", name="Shop", exact=True).click()


async def build(page: Page) -> None:
    await page.get_by_role("button", name="Start a build").click()
    # Nobody loads the page again: phases and log come by themselves.
    await expect(
        page.get_by_role("list", name="The build's log").get_by_text("Returned to the builder")
    ).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Completed")
    await expect(page.get_by_role("list", name="The build's log").get_by_text("Every phase passed")).to_be_visible()
    await look(page, "p6-build")


async def test_from_a_name_to_a_pull_request(
    own_dsn: str, tmp_path: Path, tree: WorkTree, reachable_folder: Path
) -> None:
    agent = {"FORGEGUARD_BUILDER_COMMAND": write_agent(reachable_folder), "FORGEGUARD_BUILDER_UNCONFINED": "1"}
    agent |= {"FORGEGUARD_BUILDER_OWNERS": "*"}
    async with site(own_dsn, tmp_path, agent) as place, chromium() as browser:
        github = place.github
        user, owner = github.people.add("mona"), github.world.add_account("acme")
        repository = await github.create_repository(owner, "shop")
        github.people.allow(user, repository, "admin")
        tree.commit({"README.md": "# Shop\n"}, "Start the shop")
        await asyncio.to_thread(tree.git, "push", "--quiet", github.clone_url(repository), "HEAD:refs/heads/main")
        async with window(browser) as page:
            await set_up(page, place, "Audit and build")
            await install(page)
            await page.get_by_role("link", name="Projects", exact=True).click()
            await look(page, "p0-projects-empty")
            await page.get_by_label("Name").fill("Shop")
            await page.get_by_label("Repository, if there is one").fill("acme/shop")
            await page.get_by_role("button", name="Begin").click()
            await answer(page)
            await contracts(page)
            await build(page)
            address = page.url
            pull = next(item for item in github.world.pulls.values())
            assert (
                await page.get_by_role("link", name="See the pull request").get_attribute("href")
                == f"{github.address}/acme/shop/pull/{pull.number}"
            )
            state = await page.context.storage_state()
        await again(browser_pages=(place, address), browser=browser, state=state)


async def again(browser_pages: tuple[Site, str], browser: object, state: object) -> None:
    """The same on a phone in the dark, and without a script."""
    place, address = browser_pages
    async with window(browser, phone=True, dark=True) as page:  # type: ignore[arg-type]
        await page.context.add_cookies(state["cookies"])  # type: ignore[index]
        await page.goto(address)
        await look(page, "p7-phone-dark-build")
        await page.goto(f"{place.address}/projects")
        await look(page, "p7-phone-dark-projects")
        await page.get_by_role("link", name="Shop", exact=True).click()
        await look(page, "p7-phone-dark-project")
        await page.get_by_role("link", name="Data model").click()
        await look(page, "p7-phone-dark-table")
    async with window(browser, scripts=False) as page:  # type: ignore[arg-type]
        await page.context.add_cookies(state["cookies"])  # type: ignore[index]
        await page.goto(address)
        await expect(page.get_by_text("Returned to the builder").first).to_be_visible()
