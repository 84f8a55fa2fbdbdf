"""Badges: what they say, to whom, and how they are kept."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forgeguard_app.simulator.story import Story
from forgeguard_app.vault import LINK_LIFE_S, sign_until
from forgeguard_app.web import badges
from forgeguard_app.web.badges import ERROR, FAIL, PASS, RUNNING, STALE, UNKNOWN, WARN, Look, draw, look_of
from forgeguard_app.web.states import ShownState, StateKind
from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.starting import START
from tests.support.stored import get_repo_id

TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"


async def message(product: Product, path: str) -> str:
    async with product.session.get(f"{product.address}/badges/{path}") as answer:
        assert answer.status == 200
        body = await answer.json()
        assert body["schemaVersion"] == 1
        return str(body["message"])


@pytest.mark.nightly
async def test_a_badge_follows_its_branch_and_pull_request(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    name = repository.full_name
    assert await message(product, f"{name}.json") == "unknown"
    tree.commit(START)
    await product.verdicts(repository, await product.push(tree, repository))
    assert await message(product, f"{name}.json") == "passing"
    assert await message(product, f"{name.upper()}.json") == "passing", "names have no case"
    tree.git("switch", "-q", "-c", "topic")
    sha = tree.commit({"b.py": "bad"})
    await product.verdicts(repository, await product.push(tree, repository, "topic"))
    assert await message(product, f"{name}.json?branch=topic") == "failing"
    assert await message(product, f"{name}.json?branch=none") == "unknown"
    await Story(product.github).open_pull(repository, "topic", sha, "main")
    await product.idle()
    assert await message(product, f"{name}/pulls/1.json") == "failing"
    assert await message(product, f"{name}/pulls/2.json") == "unknown"
    tree.commit({"c.py": f'T = "{TOKEN}"\n', "b.py": ""})
    await product.verdicts(repository, await product.push(tree, repository, "topic"))
    assert await message(product, f"{name}.json?branch=topic") == "warning"


async def test_a_push_shows_as_running_and_a_suspension_as_stale(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository()
        assert installation is not None
        tree.commit(START)
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        assert await message(product, f"{repository.full_name}.json") == "running"
        Story(product.github).suspend(installation, on=True)
        await product.github.webhooks.settle()
        assert await message(product, f"{repository.full_name}.json") == "stale"


@pytest.mark.nightly
async def test_a_private_badge_needs_its_link_which_its_page_shows(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository(private=True)
    tree.commit(START)
    await product.verdicts(repository, await product.push(tree, repository))
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "read")
    assert await message(product, f"{repository.full_name}.json") == "unknown"
    assert await message(product, f"{repository.full_name}.json?signature={'0' * 40}") == "unknown"
    async with Browser(product) as browser:
        await browser.sign_in(user)
        await browser.get(f"/repos/{repository.full_name}/badge")
        signature = re.findall(r"signature=([\w.]+)", browser.text)[0]
    assert await message(product, f"{repository.full_name}.json?signature={signature}") == "passing"
    expiry, _, mark = signature.partition(".")
    assert 0 < int(expiry) - time.time() <= LINK_LIFE_S
    async with product.pool.acquire() as connection:
        repo_id = await get_repo_id(connection)
    ended = sign_until(product.web_context.keys.badges, str(repo_id), int(time.time()) - 1)
    for other in (mark, f"{int(expiry) + 1}.{mark}", ended, product.web_context.keys.badges.sign(str(repo_id))):
        assert await message(product, f"{repository.full_name}.json?signature={other}") == "unknown", other
    Story(product.github).rename(repository, "renamed")
    await product.idle()
    assert await message(product, f"{repository.full_name}.json?signature={signature}") == "passing"


@pytest.mark.nightly
async def test_of_a_private_repository_as_little_is_read_as_of_none(
    product: Product, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, _ = await product.repository(private=True)
    tree.commit(START)
    await product.verdicts(repository, await product.push(tree, repository))
    read: list[str] = []
    for name in ("find_repo_named", "find_badge_run", "list_states", "is_public"):
        original = getattr(badges, name)
        monkeypatch.setattr(badges, name, _noting(read, name, original))
    for full_name in (repository.full_name, "nobody/nothing"):
        read.clear()
        assert await message(product, f"{full_name}.json") == "unknown"
        assert set(read) <= {"find_repo_named", "is_public"}, "is_public asks nothing where it is stored as private"


def _noting(read: list[str], name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*values: Any, **more: Any) -> Any:
        read.append(name)
        return original(*values, **more)

    return noted


async def test_the_image_proxy_asks_again_and_is_told_that_nothing_changed(product: Product) -> None:
    address = f"{product.address}/badges/o/r.svg"
    async with product.session.get(address) as answer:
        assert answer.content_type == "image/svg+xml"
        assert "no-cache" in answer.headers["Cache-Control"]
        etag = answer.headers["ETag"]
        assert ET.fromstring(await answer.text()).tag.endswith("svg")
    async with product.session.get(address, headers={"If-None-Match": f"W/{etag}"}) as answer:
        assert answer.status == 304


@pytest.mark.parametrize(
    ("kinds", "age_s", "look"),
    [
        ((StateKind.PASSED, StateKind.PARTLY), 9e9, PASS),
        ((StateKind.WARNED, StateKind.LEAKED), 9e9, WARN),
        ((StateKind.FAILED,), 9e9, FAIL),
        ((StateKind.ERROR,), 9e9, ERROR),
        (
            (
                StateKind.RUNNING,
                StateKind.STARTING,
                StateKind.QUEUED,
                StateKind.RETRYING,
                StateKind.LIMITED,
                StateKind.NO_WORKER,
            ),
            1.0,
            RUNNING,
        ),
        (
            (
                StateKind.RUNNING,
                StateKind.STARTING,
                StateKind.QUEUED,
                StateKind.RETRYING,
                StateKind.LIMITED,
                StateKind.NO_WORKER,
            ),
            3_600.0,
            STALE,
        ),
        ((StateKind.SUSPENDED, StateKind.UNINSTALLED, StateKind.CANCELLED), 1.0, STALE),
        ((StateKind.NOTHING, StateKind.DISABLED, StateKind.EMPTY, StateKind.NEVER), 1.0, UNKNOWN),
    ],
)
def test_a_badge_has_one_of_six_words_for_every_state(kinds: tuple[StateKind, ...], age_s: float, look: Look) -> None:
    for kind in kinds:
        assert look_of(ShownState(kind), age_s) == look
        assert look.message in {"passing", "warning", "failing", "running", "unknown", "stale"}


@pytest.mark.parametrize("look", [PASS, WARN, FAIL, ERROR, RUNNING, STALE, UNKNOWN])
def test_every_badge_is_drawn(look: Look) -> None:
    assert ET.fromstring(draw('<&">', look)).get("height") == "20"
