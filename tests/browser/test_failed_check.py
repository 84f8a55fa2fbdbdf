"""The page of a failed check, as a stranger sees it; its picture is the one that README shows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from forgeguard_app.cli.demo_sample import BRANCH, START, STEPS
from tests.browser.walking import SHOTS, look, window
from tests.browser.windows import shared_product
from tests.support.repositories import WorkTree
from tests.support.running import Product

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Product, Browser]]:
    async with shared_product(postgres, tmp_path_factory.mktemp("failed")) as started:
        yield started


async def test_the_page_of_a_failed_check_shows_the_line_the_rule_and_the_reason(
    both: tuple[Product, Browser], tree: WorkTree
) -> None:
    product, browser = both
    repository, _ = await product.repository()
    tree.commit(START.files, START.message)
    await product.verdicts(repository, await product.push(tree, repository))
    tree.commit(STEPS[0].files, STEPS[0].message)
    runs = await product.verdicts(repository, await product.push(tree, repository, BRANCH))
    assert runs["A4"].conclusion == "failure"
    async with window(browser) as page:
        await page.set_viewport_size({"width": 900, "height": 610})
        await page.goto(str(runs["A4"].details_url))
        await expect(page.get_by_role("heading", level=1)).to_contain_text(STEPS[0].message)
        finding = page.locator("section[aria-labelledby=A4] li.failure").first
        await expect(finding.get_by_role("link")).to_have_text("shop/pages/orders.py:4")
        await expect(finding).to_contain_text("Layer 'pages' may import 'services'")
        await expect(finding.locator("mark")).to_contain_text("from shop.store.orders import list_orders")
        await look(page, "failed-check-whole")
        await page.screenshot(path=SHOTS / "failed-check.png")
