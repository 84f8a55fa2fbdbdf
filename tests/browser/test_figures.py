"""Figures and words in a real browser: one count everywhere, and no state that reads as a plain PASS and is none."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from forgeguard_app.simulator.state import Account, Repository
from forgeguard_app.simulator.story import Story
from tests.browser.walking import look, window
from tests.browser.windows import shared_product, signed_in
from tests.support.databases import sessions_away
from tests.support.repositories import WorkTree
from tests.support.running import Product, running

RULES = json.dumps(
    {"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "never"}]}]}
)
PROJECT = '[project]\nname = "x"\nversion = "1"\n'
START = {"boundaries.json": RULES, "pyproject.toml": PROJECT, "app.py": "x = 1\n"}
TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
GENERIC = 'password = "' + "Zx9" + 'vLq27TbnWe4Rk8"\n'
KINDS = ((False, False), (True, True))  # a phone or not, dark or not


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Product, Browser]]:
    async with shared_product(postgres, tmp_path_factory.mktemp("figures")) as started:
        yield started


@pytest.fixture
def product(both: tuple[Product, Browser]) -> Product:
    return both[0]


@pytest.fixture
def browser(both: tuple[Product, Browser]) -> Browser:
    return both[1]


async def sign_in(page: Page, product: Product, repository: Repository, level: str = "write") -> Account:
    user = product.github.people.add(f"mona-{secrets.token_hex(3)}")
    product.github.people.allow(user, repository, level)
    await page.goto(f"{product.address}/login?return_to=/")
    await page.get_by_role("button", name=f"Sign in as {user.login}").click()
    await page.get_by_role("button", name="Authorize").click()
    await expect(page.get_by_role("heading", name="Repositories")).to_be_visible()
    return user


async def pushed(product: Product, tree: WorkTree, repository: Repository, branch: str = "main") -> str:
    """Pushes and gives the address of the audit's page."""
    runs = await product.verdicts(repository, await product.push(tree, repository, branch))
    return str(runs["A4"].details_url)


async def look_everywhere(browser: Browser, page: Page, name: str, addresses: dict[str, str]) -> None:
    """Takes each page's picture on a light desktop and on a dark phone."""
    state = await page.context.storage_state()
    for phone, dark in KINDS:
        async with window(browser, phone=phone, dark=dark) as other:
            await other.context.add_cookies(state["cookies"])  # type: ignore[arg-type]
            for what, address in addresses.items():
                await other.goto(address)
                await look(other, f"f-{name}-{what}-{'phone' if phone else 'desktop'}-{'dark' if dark else 'light'}")


async def api(product: Product, path: str) -> dict[str, object]:
    async with product.session.get(f"{product.address}/api/v1{path}") as answer:
        assert answer.status == 200
        found: dict[str, object] = await answer.json()
        return found


@pytest.mark.nightly
async def test_an_audit_with_4201_findings_has_4201_in_title_group_list_trend_api_and_check_run(
    product: Product, tree: WorkTree, browser: Browser
) -> None:
    repository, _ = await product.repository()
    tree.commit(START, "Start")
    await pushed(product, tree, repository)
    tree.commit({f"f{number}.py": "bad\n" * 840 for number in range(5)} | {"g.py": "bad\n"}, "Much that is bad")
    runs = await product.verdicts(repository, await product.push(tree, repository))
    link = str(runs["A4"].details_url)
    assert str(runs["A4"].output["title"]) == "4,201 new boundary violations"
    assert "| 4,201 | 0 |" in str(runs["A4"].output["summary"])
    run_id = link.partition("?")[0].rpartition("/")[2]
    check = (await api(product, f"/audits/{run_id}"))["checks"][0]  # type: ignore[index]
    assert (check["new"], check["existing"], check["findings"], check["kept"]) == (4_201, 0, 4_201, 4_201)
    async with window(browser) as page:
        await sign_in(page, product, repository)
        await page.goto(link)
        section = page.locator("section[aria-labelledby=A4]")
        await expect(section.get_by_text("4,201 new boundary violations.")).to_be_visible()
        await expect(section.locator("summary").first).to_have_text("New: 4,201 findings 300 of 4,201 shown")
        await expect(section.locator("h3")).to_contain_text("4,201, 300 shown")
        await expect(section.locator("li.failure")).to_have_count(300)
        await expect(section.get_by_role("navigation")).to_contain_text("Findings 1 to 300 of 4,201")
        await page.goto(f"{product.address}/repos/{repository.full_name}")
        await expect(page.locator("#timeline li").first).to_contain_text("A4: 4,201 new boundary violations.")
        await expect(page.locator("figcaption")).to_contain_text("A4 4,201,")
        await expect(page.locator("svg.trend")).to_have_attribute("aria-label", re.compile("A4 now 4,201"))
        # Half of it is fixed, and then A4 is switched off: the trend falls, and then has a gap.
        tree.commit({f"f{number}.py": None for number in range(3)}, "Fix some")
        await pushed(product, tree, repository)
        tree.commit({".github/forgeguard.yml": "checks: {A4: {enabled: false}}\n"}, "No more A4")
        await pushed(product, tree, repository)
        await page.reload()
        await expect(page.locator("figcaption")).to_contain_text("A4 not evaluated, ")
        await page.get_by_text("Figures").click()
        cells = await page.locator("figure tbody tr td:nth-child(2)").all_inner_texts()
        assert cells == ["not evaluated", "1,681", "4,201", "0"]
        first = page.locator("#timeline li").first
        await expect(first).to_contain_text("PASS in part")
        await expect(first).to_contain_text("A4: Disabled by .github/forgeguard.yml")
        await page.get_by_label("State").select_option("PARTLY")
        await expect(page.locator("#timeline li")).to_have_count(1)
        await look_everywhere(
            browser,
            page,
            "figures",
            {
                "repo": f"{product.address}/repos/{repository.full_name}",
                "audit": f"{link.partition('?')[0]}?check=A4&page=15",
            },
        )


async def test_a_leaked_secret_is_red_everywhere_until_it_is_allowed(
    product: Product, tree: WorkTree, browser: Browser
) -> None:
    repository, installation = await product.repository(private=True)
    assert installation is not None
    tree.commit(START, "Start")
    await pushed(product, tree, repository)
    tree.commit({"conf.py": f'T = "{TOKEN}"\n'}, "Leak a token")
    link = await pushed(product, tree, repository)
    here = f"{product.address}/repos/{repository.full_name}"
    async with window(browser) as page:
        await sign_in(page, product, repository)
        await page.goto(link)
        await expect(page.locator("h1 .state")).to_have_text(["LEAKED SECRET"])
        alarm = page.locator(".alarm")
        await expect(alarm.get_by_role("heading")).to_have_text("A verified secret was committed: revoke it now")
        await expect(alarm).to_contain_text("github-personal-token in conf.py:1")
        await expect(alarm.get_by_role("link", name="Revoke it at GitHub")).to_have_attribute(
            "href", "https://github.com/settings/tokens"
        )
        await expect(page.locator("#W1")).to_contain_text("LEAKED SECRET")
        await expect(page.locator("section[aria-labelledby=W1] li").first).to_contain_text("verified")
        tree.commit({"b.py": "x = 1\n", "conf.py": "T = 1\n"}, "Take the line out again")
        await pushed(product, tree, repository)
        await page.goto(here)
        entries = page.locator("#timeline li")
        await expect(entries.nth(0)).to_contain_text("PASS")
        await expect(entries.nth(1).locator(".state")).to_have_text(["LEAKED SECRET"])
        await expect(entries.nth(1)).to_contain_text("W1: 1 new possible secret.")
        # The line is gone from the tree and stands in the history: nothing was fixed, so the trend does not fall.
        await expect(page.locator("figcaption")).to_contain_text("W1 1.")
        await expect(alarm).to_contain_text(" on main, reported by this audit")
        await page.get_by_label("State").select_option("LEAKED")
        await expect(entries).to_have_count(1)
        tree.commit({"conf.py": f'T = "{TOKEN}"\n'}, "Leak it once more")
        last = await pushed(product, tree, repository)
        await page.goto(product.address)
        await expect(page.get_by_role("row").filter(has_text=repository.full_name)).to_contain_text("LEAKED SECRET")
        await page.goto(f"{product.address}/installations/{installation.id}")
        await expect(page.get_by_role("row").filter(has_text=repository.full_name)).to_contain_text(
            "1 new possible secret"
        )
        await look_everywhere(
            browser,
            page,
            "leaked",
            {
                "repo": here,
                "audit": last,
                "start": product.address,
                "installations": f"{product.address}/installations",
                "installation": f"{product.address}/installations/{installation.id}",
            },
        )
        for address in (link, last):
            await page.goto(address)
            await page.get_by_text("Allow", exact=True).first.click()
            await page.get_by_label("Why").fill("It is revoked")
            await page.get_by_role("button", name="Allow").click()
            await product.idle()
        await page.goto(here)
        await expect(page.locator(".alarm")).to_have_count(0)


@pytest.mark.nightly
async def test_why_an_audit_waits_is_said_wherever_it_is_shown(
    dsn: str, tmp_path: Path, tree: WorkTree, browser: Browser
) -> None:
    async with running(dsn, tmp_path / "product", worker=False) as product:
        repository, installation = await product.repository()
        assert installation is not None
        tree.commit(START, "Start")
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        here = f"{product.address}/repos/{repository.full_name}"
        async with window(browser) as page:
            await sign_in(page, product, repository)
            row = page.get_by_role("row").filter(has_text=repository.full_name)
            await expect(row).to_contain_text("No worker")
            await page.goto(here)
            await expect(page.locator("#timeline li")).to_contain_text("No worker is running: the operator starts one")
            await page.locator("#timeline li a").click()
            await expect(page.get_by_role("heading", level=1)).to_contain_text("No worker")
            main = page.get_by_role("main")
            await expect(main).to_contain_text("This page changes by itself")
            await expect(main).not_to_contain_text("changed file")
            await expect(main).not_to_contain_text("nothing before it")
            audit = page.url
            Story(product.github).suspend(installation, on=True)
            await product.github.webhooks.settle()
            await page.goto(here)
            await expect(page.locator("#timeline li")).to_contain_text("Suspended")
            await look_everywhere(browser, page, "waiting", {"repo": here, "audit": audit, "start": product.address})


async def test_an_empty_repository_says_so_instead_of_starting_for_ever(product: Product, browser: Browser) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    async with window(browser) as page:
        await sign_in(page, product, repository)
        row = page.get_by_role("row").filter(has_text=repository.full_name)
        await expect(row).to_contain_text("Empty")
        await expect(row).to_contain_text("The repository has no commit yet: push a first one.")
        await page.goto(f"{product.address}/installations/{installation.id}")
        await expect(page.get_by_role("row").filter(has_text=repository.full_name)).to_contain_text("Empty")
        await page.goto(f"{product.address}/repos/{repository.full_name}")
        await expect(page.locator("#timeline")).to_contain_text("push a first one")
        await look(page, "f-empty-repo")


async def test_a_page_loads_itself_again_once_the_database_is_back(product: Product, browser: Browser) -> None:
    user = product.github.people.add(f"mona-{secrets.token_hex(3)}")
    async with signed_in(browser, product, user) as context:
        page = await context.new_page()
        await page.clock.install()
        async with sessions_away(product.pool):
            await page.goto("/projects")
            await expect(page.get_by_role("main")).to_contain_text("The database is away")
            await look(page, "f-away")
            async with page.expect_response("**/projects") as answer:
                await page.clock.fast_forward(5_000)
            assert (await answer.value).status == 503
            await expect(page.get_by_role("status").last).to_contain_text("until it can be shown")
        await page.clock.fast_forward(5_000)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Projects")


@pytest.mark.nightly
async def test_figures_agree_where_notices_existing_and_allowed_findings_mix(
    product: Product, tree: WorkTree, browser: Browser
) -> None:
    repository, _ = await product.repository()
    tree.commit(START | {"old.py": "bad\n" * 24, "conf.py": GENERIC}, "Start")
    await pushed(product, tree, repository)
    tree.git("switch", "--quiet", "-c", "topic")
    tree.commit({"new.py": "bad\n" * 8, "n.py": "import odd_unknown_name\n"}, "Eight more")
    runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
    title = str(runs["A4"].output["title"])
    async with window(browser) as page:
        await sign_in(page, product, repository)
        await page.goto(str(runs["A4"].details_url))
        section = page.locator("section[aria-labelledby=A4]")
        numbers = [int(number) for number in re.findall(r"\d+", title)]
        summaries = await section.locator("summary").all_inner_texts()
        listed = {text.split(":")[0]: int(re.findall(r"\d+", text)[0]) for text in summaries if "finding" in text}
        assert numbers == [listed["New"], listed["Existing"]] == [8, 24]
        assert await section.locator("li.failure").count() == 32
        run_id = page.url.partition("?")[0].rpartition("/")[2]
        check = (await api(product, f"/audits/{run_id}"))["checks"][0]  # type: ignore[index]
        assert [check["new"], check["existing"], check["findings"]] == [8, 24, 32]
        assert "24 existing finding(s) do not count" in str(runs["A4"].output["summary"])


@pytest.mark.nightly
async def test_an_error_in_a_configuration_file_is_no_finding_and_cannot_be_allowed(
    product: Product, tree: WorkTree, browser: Browser
) -> None:
    repository, _ = await product.repository()
    tree.commit(START | {"boundaries.json": '{"layers": 1, "more": 2}'}, "Break the boundaries")
    link = await pushed(product, tree, repository)
    async with window(browser) as page:
        await sign_in(page, product, repository)
        await page.goto(link)
        section = page.locator("section[aria-labelledby=A4]")
        await expect(section.locator("#A4")).to_contain_text("ERROR")
        await expect(section.locator("summary").first).to_have_text("Configuration problems: 2")
        await expect(section.get_by_text("Allow", exact=True)).to_have_count(0)
        await look(page, "f-error-audit")
