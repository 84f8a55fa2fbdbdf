"""The whole story in a real browser: from a server that knows nothing to a green check and its badge."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser.steps import install, set_up
from tests.browser.walking import Site, chromium, look, site, window
from tests.support.repositories import WorkTree

RULES = (
    '{"layers": [{"name": "api", "glob": "app/api/**", "forbidden_imports": [{"module": "asyncpg", "reason": '
    '"database access belongs in repos"}]}]}'
)
GOOD = {
    "boundaries.json": RULES,
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = ["asyncpg"]\n',
    "app/api/users.py": "x = 1\n",
}
BAD = {"app/api/users.py": "import asyncpg\nimport requests\n"}


async def test_from_nothing_to_a_green_check(own_dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with site(own_dsn, tmp_path) as place, chromium() as browser:
        github = place.github
        user, owner = github.people.add("mona"), github.world.add_account("acme")
        repository = await github.create_repository(owner, "shop")
        github.people.allow(user, repository, "admin")
        tree.commit(GOOD, "Start the shop")
        await asyncio.to_thread(tree.git, "push", "--quiet", github.clone_url(repository), "HEAD:refs/heads/main")
        async with window(browser) as page:
            await set_up(page, place)
            await install(page)
            await page.goto(f"{place.address}/repos/acme/shop")
            await expect(page.get_by_text("· baseline")).to_be_visible()
            tree.git("switch", "--quiet", "-c", "topic")
            tree.commit(BAD, "Ask the database <b>directly</b>")
            await asyncio.to_thread(tree.git, "push", "--quiet", github.clone_url(repository), "HEAD:refs/heads/topic")
            # Nobody loads the page again: the red check comes by itself.
            await page.get_by_role("link", name="Ask the database <b>directly</b>").click()
            await expect(page.get_by_role("heading", name="Ask the database")).to_contain_text("FAIL")
            await expect(page.get_by_role("heading", name="A4 Boundary compliance")).to_contain_text("FAIL")
            await expect(page.get_by_role("link", name=re.compile("users.py:1"))).to_be_visible()
            await look(page, "4-red-audit")
            await page.get_by_role("link", name="acme/shop").click()
            await expect(page.locator("#timeline li").first).to_contain_text("FAIL")
            tree.commit({"app/api/users.py": "x = 2\n"}, "Ask the service instead")
            await asyncio.to_thread(tree.git, "push", "--quiet", github.clone_url(repository), "HEAD:refs/heads/topic")
            await expect(page.locator("#timeline li").first).to_contain_text("Ask the service instead")
            await expect(page.locator("#timeline li").first).to_contain_text("PASS")
            await look(page, "5-green-again")
            await page.get_by_role("link", name="Badge").click()
            await look(page, "6-badge")
            await try_a_rule(page, place)
            await page.goto(f"{place.address}/badges/acme/shop.svg?branch=topic")
            assert "passing" in await page.content()
            for name, path in (
                ("start", "/"),
                ("account", "/account"),
                ("installations", "/installations"),
                ("rules", "/rules"),
                ("rule", "/rules/A4"),
                ("api", "/api"),
            ):
                await page.goto(place.address + path)
                await look(page, f"7-{name}")
            state = await page.context.storage_state()
        async with window(browser, errors=False) as page:
            await page.goto(f"{place.address}/repos/acme/none")
            await expect(page.get_by_role("heading", name="Not Found")).to_be_visible()
            await look(page, "8-denied")
        # A light desktop was seen on the way: what is left are the other colours and the other width.
        async with window(browser, phone=True, dark=True) as page:
            await page.context.add_cookies(state["cookies"])  # type: ignore[arg-type]
            await look_around(page, place, "phone-dark")
        async with window(browser, scripts=False) as page:
            await page.context.add_cookies(state["cookies"])  # type: ignore[arg-type]
            await page.goto(f"{place.address}/repos/acme/shop?result=FAIL")
            await page.locator("#timeline li a").first.click()
            await expect(page.get_by_role("heading", name="A4 Boundary compliance")).to_be_visible()


async def try_a_rule(page: Page, place: Site) -> None:
    await page.goto(f"{place.address}/repos/acme/shop")
    await page.get_by_role("link", name="Configuration").click()
    await expect(page.get_by_text("app/api/**", exact=True)).to_be_visible()
    await look(page, "6-configuration")
    await page.get_by_label("As it would be").fill(RULES.replace("asyncpg", "sys").replace("app/api", "app"))
    await page.get_by_role("button", name="Try it").click()
    await expect(page.get_by_text("No finding comes or goes").first).to_be_visible()
    await page.get_by_label("As it would be").fill('{"layers": 1}')
    await page.get_by_role("button", name="Try it").click()
    await expect(page.get_by_text("boundaries.json:1:12").first).to_be_visible()
    await look(page, "6-trial")
    await page.goto(f"{place.address}/repos/acme/shop/allowances")
    await look(page, "6-allowances")


async def look_around(page: Page, place: Site, kind: str) -> None:
    for name, path in (
        ("start", "/"),
        ("repository", "/repos/acme/shop"),
        ("configuration", "/repos/acme/shop/configuration"),
        ("account", "/account"),
        ("rules", "/rules"),
        ("api", "/api"),
    ):
        await page.goto(place.address + path)
        await look(page, f"9-{kind}-{name}")
    await page.goto(f"{place.address}/repos/acme/shop?result=FAIL")
    await page.locator("#timeline li a").first.click()
    await look(page, f"9-{kind}-audit")
