"""The owner is told: signed, retried, once, and never a value."""

from __future__ import annotations

import contextlib
import hmac
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest

from forgeguard_app.errors import RetryLater
from forgeguard_app.notices import UNREACHED, Notices, NotTaken, Reach, _Guarding, is_name, reach_beside, within_reach
from forgeguard_app.simulator.state import Account, Repository
from tests.support.browsing import Browser
from tests.support.inbox import Inbox, inbox
from tests.support.repositories import WorkTree
from tests.support.running import Product, free_port, running
from tests.support.starting import START
from tests.support.stored import get_github_installation_id, get_notify_error

SECRET = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"


@contextlib.asynccontextmanager
async def with_inbox(dsn: str, folder: Path) -> AsyncIterator[tuple[Product, Inbox, Account]]:
    """Yield a product whose owners may name the inbox."""
    async with inbox(folder) as box, running(dsn, folder / "p", notices=Notices(Reach.LOOPBACK, box.trust)) as product:
        yield product, box, product.github.world.add_account("acme")


async def guarded(product: Product, owner: Account, tree: WorkTree, policies: WorkTree, address: str) -> Repository:
    """A repository that passed, under an owner who wants to hear."""
    shop = await product.github.create_repository(owner, "shop")
    policy = await product.github.create_repository(owner, ".github")
    product.github.install(owner, [shop, policy])
    await product.github.webhooks.settle()
    policies.commit({".github/forgeguard.yml": f"notify: {address}\n"})
    await product.verdicts(policy, await product.push(policies, policy))
    tree.commit(START)
    await product.verdicts(shop, await product.push(tree, shop))
    await product.idle()
    return shop


@pytest.mark.nightly
async def test_new_secrets_and_a_branch_that_turns_red_and_recovers_are_told_once(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with with_inbox(dsn, tmp_path) as (product, box, owner):
        shop = await guarded(product, owner, tree, WorkTree(tmp_path / "policies"), box.address)
        assert box.came == [], "nothing happened yet"
        tree.git("switch", "--quiet", "-c", "topic")
        tree.commit({"<!channel>.py": f"T = '{SECRET}'\n"})
        sha = await product.push(tree, shop, "topic")
        headers, body = await box.message(0)
        text = json.loads(body)["text"]
        assert "1 new secret" in text
        assert "`&lt;!channel&gt;.py:1`" in text, "a file name is no mention"
        assert SECRET[4:12] not in body.decode()
        async with product.pool.acquire() as connection:
            number = await get_github_installation_id(connection)
        key = product.web_context.keys.notices.sign(f"installation/{number}")
        assert headers["X-ForgeGuard-Signature-256"] == "sha256=" + hmac.new(key.encode(), body, sha256).hexdigest()
        await product.verdicts(shop, sha)
        await product.push(tree, shop, "other")  # the same commit elsewhere is no news
        await product.idle()
        tree.git("switch", "--quiet", "-")
        tree.commit({"b.py": "bad\n"})
        await product.verdicts(shop, await product.push(tree, shop))
        assert "The default branch is red." in json.loads((await box.message(1))[1])["text"]
        tree.commit({"b.py": "bad bad\n"})  # still red
        await product.verdicts(shop, await product.push(tree, shop))
        await product.idle()
        tree.commit({"b.py": "x = 1\n"})
        await product.verdicts(shop, await product.push(tree, shop))
        assert "has recovered" in json.loads((await box.message(2))[1])["text"]
        tree.git("switch", "--quiet", "-c", "broken")
        tree.commit({"boundaries.json": "{"})
        await product.verdicts(shop, await product.push(tree, shop, "broken"))
        assert "could not come to a verdict" in json.loads((await box.message(3))[1])["text"]
        await product.idle()
        assert len(box.came) == 4


@pytest.mark.nightly
async def test_what_did_not_arrive_is_tried_again_and_said_to_those_who_can_mend_it(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with with_inbox(dsn, tmp_path) as (product, box, owner):
        shop = await guarded(product, owner, tree, WorkTree(tmp_path / "policies"), box.address)
        box.answers = [500, 503]
        tree.git("switch", "--quiet", "-c", "topic")
        tree.commit({"s.py": f"T = '{SECRET}'\n"})
        await product.push(tree, shop, "topic")
        await box.message(0)
        await product.idle()
        box.answers = [302]  # a redirect could lead anywhere
        tree.commit({"t.py": f"T = '{SECRET[:-1]}x'\n"})
        await product.push(tree, shop, "topic")
        await product.until(get_notify_error, "It answered 302.")
        await product.idle()
        assert len(box.came) == 1
        policy = product.github.world.find_repository("acme/.github")
        assert policy is not None
        async with product.pool.acquire() as connection:
            number = await get_github_installation_id(connection)
        for name, level in (("owner", "admin"), ("member", "read")):
            user = product.github.people.add(name)
            product.github.people.allow(user, policy, level)
            product.github.people.allow(user, shop, "write")
            async with Browser(product) as browser:
                await browser.sign_in(user, f"/installations/{number}")
                shown = product.web_context.keys.notices.sign(f"installation/{number}") in browser.text
                assert shown == (name == "owner")
                assert ("It answered 302." in browser.text) == (name == "owner")
                assert "/hook" not in browser.text, "the path of such an address is a secret of its own"


@pytest.mark.parametrize(
    ("address", "reach", "fine"),
    [
        ("140.82.112.3", Reach.PUBLIC, True),
        ("10.0.0.1", Reach.PUBLIC, False),
        ("10.0.0.1", Reach.PRIVATE, True),
        ("127.0.0.1", Reach.PRIVATE, False),
        ("127.0.0.1", Reach.LOOPBACK, True),
        ("169.254.169.254", Reach.LOOPBACK, False),
        ("::ffff:169.254.169.254", Reach.LOOPBACK, False),
        ("::ffff:10.0.0.1", Reach.PUBLIC, False),
        ("::1", Reach.PRIVATE, False),
        ("fe80::1%eth0", Reach.LOOPBACK, False),
        ("fd00::1", Reach.PUBLIC, False),
        ("2002:7f00:1::", Reach.LOOPBACK, False),
        ("0.0.0.0", Reach.LOOPBACK, False),
        ("100.64.0.1", Reach.PUBLIC, False),
        ("example", Reach.LOOPBACK, False),
        ("fec0::1", Reach.PUBLIC, False),
        ("fec0::1", Reach.LOOPBACK, False),
    ],
)
def test_what_lies_inside_is_not_asked(address: str, reach: Reach, fine: bool) -> None:
    assert within_reach(address, reach) == fine


async def test_a_name_that_leads_inside_is_refused_too(tmp_path: Path) -> None:
    async with inbox(tmp_path) as box:
        by_name = box.address.replace("127.0.0.1", "localhost")
        for address in (box.address.replace("https", "http"), "https://[::1", "https://"):
            with pytest.raises(NotTaken):
                await Notices(Reach.PUBLIC, box.trust).send(address, b"{}", {})
        port = box.address.rpartition(":")[2].partition("/")[0]
        inside = [
            f"https://{host}:{port}/hook" for host in ("2130706433", "127.1", "0177.0.0.1", "0x7f000001", "0x7f.1")
        ]
        closed = f"https://127.0.0.1:{free_port()}/hook"
        for address in (by_name, box.address, closed, *inside):
            with pytest.raises((NotTaken, RetryLater)) as caught:
                await Notices(Reach.PUBLIC, box.trust).send(address, b"{}", {})
            assert str(caught.value) == UNREACHED, "nothing tells open from closed"
        for address in inside:
            with pytest.raises(NotTaken):
                await Notices(Reach.LOOPBACK, box.trust).send(address, b"{}", {})
        await Notices(Reach.LOOPBACK, box.trust).send(by_name, b"{}", {})
        assert len(box.came) == 1


async def test_the_peer_is_looked_at_after_connecting_whatever_was_resolved(tmp_path: Path) -> None:
    async with inbox(tmp_path) as box:
        connector = _Guarding(Reach.PUBLIC, ssl=box.trust, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(OSError, match="may not be asked"):
                await session.post(box.address, data=b"{}")
        assert box.came == []


@pytest.mark.parametrize(
    ("host", "fine"),
    [
        ("hooks.example.com", True),
        ("a-b.example", True),
        ("xn--bcher-kva.example", True),
        ("localhost", True),
        ("127.1", False),
        ("2130706433", False),
        ("0x7f.0x1", False),
        ("0x7f000001", False),
        ("example.com.1", False),
        ("127.0.0.1.", False),
        ("ex ample.com", False),
        ("", False),
        ("b\u00fccher.example", False),
        ("-a.example", False),
    ],
)
def test_a_name_is_what_every_library_takes_for_one(host: str, fine: bool) -> None:
    assert is_name(host) == fine


def test_how_far_addresses_reach_follows_from_where_github_is() -> None:
    assert reach_beside("https://github.com") == Reach.PUBLIC
    assert reach_beside("https://github.corp.example") == Reach.PRIVATE
    assert reach_beside("http://127.0.0.1:80") == reach_beside("http://localhost:80") == Reach.LOOPBACK
