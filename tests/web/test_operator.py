"""The operator's page: for operators alone, with what waits and what never came."""

from __future__ import annotations

import re
import time

from forgeguard_app.flows.upkeep.purge_old import prune_disk, purge_old
from forgeguard_app.simulator.state import Account, stamp
from tests.support.browsing import Browser, plain
from tests.support.repositories import WorkTree
from tests.support.running import OPERATOR, Product
from tests.support.starting import START


async def test_an_operator_sees_what_never_came_and_asks_for_it(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    operator = product.github.world.accounts[OPERATOR] = Account(OPERATOR, "op", "User")
    app = product.github.world.app
    assert app is not None
    address, app.webhook_url = app.webhook_url, "http://127.0.0.1:9/nobody"
    tree.commit(START)
    sha = await product.push(tree, repository)
    await product.github.webhooks.settle()
    app.webhook_url = address
    for delivery in product.github.world.deliveries:
        delivery.delivered_at = stamp(time.time() - 60)
    async with Browser(product) as browser:
        await browser.sign_in(operator)
        assert "/operator" in browser.text
        assert await browser.get("/operator") == 200
        assert "not well" in browser.text
        assert "check_suite" in browser.text
        for action in re.findall(r'action="(/operator/deliveries/\d+)"', browser.text):
            await browser.submit(action)
        await product.verdicts(repository, sha)
        await product.idle()
        await prune_disk(product.context)
        await purge_old(product.context)
        await browser.get("/operator")
        shown = plain(browser.text)
        for text in (
            "Mirrors",
            f"repository {repository.full_name}",
            f"installation {repository.owner.login}",
            "Lines around findings",
        ):
            assert text in shown, text


async def test_for_everybody_else_there_is_no_such_page(product: Product) -> None:
    async with Browser(product) as browser:
        await browser.sign_in(product.github.people.add("mona"), "/account")
        csrf = re.search(r'name="csrf" value="([^"]+)"', browser.text)
        assert csrf is not None
        assert "/operator" not in browser.text
        assert await browser.get("/operator") == 404
        assert await browser.post("/operator/deliveries/1", {"csrf": csrf[1]}) == 404


async def test_a_delivery_that_github_forgot_is_said(product: Product) -> None:
    operator = product.github.world.accounts[OPERATOR] = Account(OPERATOR, "op", "User")
    async with Browser(product) as browser:
        await browser.sign_in(operator, "/account")
        csrf = re.search(r'name="csrf" value="([^"]+)"', browser.text)
        assert csrf is not None
        assert await browser.post("/operator/deliveries/1", {"csrf": csrf[1]}) == 404
        assert "no such delivery" in browser.text


async def test_github_away_is_said_and_the_rest_shown(product: Product) -> None:
    operator = product.github.world.accounts[OPERATOR] = Account(OPERATOR, "op", "User")
    async with Browser(product) as browser:
        await browser.sign_in(operator)
        app = product.github.world.app
        assert app is not None
        app.public_keys = []
        assert await browser.get("/operator") == 200
        assert "fix FORGEGUARD_GITHUB_API_URL" in browser.text
        assert "None waits" in browser.text
