"""Access that GitHub takes away: pages and open streams show it within a minute, and at once where an event tells of
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from forgeguard_app.flows.context.web_context import Turns
from forgeguard_app.flows.people.repo_access import KEPT_S, refresh_access
from forgeguard_app.simulator.conditional import UNCHANGED
from forgeguard_app.simulator.state import Account, Installation, Repository
from forgeguard_app.store.access_answers import MAX_ANSWERS
from forgeguard_app.store.changes import FRESH_S
from forgeguard_app.store.repos import find_repo_named
from forgeguard_app.web import live, log_stream
from tests.support.browsing import Browser
from tests.support.running import Product, running
from tests.support.stored import count_access_answers, count_waiting_backends, get_user_id, get_user_id_of_login
from tests.support.stored_builds import insert_build_row, insert_numbered_lines, insert_project_row

NEVER_S = 1e9


class Scene:
    """A private repository and a person who may read it."""

    def __init__(self, product: Product, repository: Repository, installation: Installation, user: Account) -> None:
        self.product, self.repository, self.installation, self.user = product, repository, installation, user

    @property
    def path(self) -> str:
        return f"/repos/{self.repository.full_name}"

    async def repo_id(self) -> UUID:
        async with self.product.pool.acquire() as connection:
            repo = await find_repo_named(connection, self.repository.full_name)
        assert repo is not None
        return repo.id

    async def grow_old(self) -> None:
        """What is known of everybody's access is older than it is kept."""
        async with self.product.pool.acquire() as connection:
            await connection.execute("UPDATE users SET access_checked_at = now() - interval '31 seconds'")

    def take_away(self) -> None:
        self.product.github.people.levels.pop((self.user.id, self.repository.id), None)

    def send(self, event: str, action: str, **more: Any) -> None:
        github = self.product.github
        body = github.installation_payload(action, self.installation)
        if event == "repository":
            body = {"action": action, "repository": github.shapes.repository(self.repository)}
        github.webhooks.send(event, body | {"sender": github.shapes.account(self.user)} | more)


@contextlib.asynccontextmanager
async def open_scene(dsn: str, folder: Path, beat_s: float, *, private: bool = True) -> AsyncIterator[Scene]:
    async with running(dsn, folder, worker=False, beat_s=beat_s) as product:
        repository, installation = await product.repository(private=private)
        assert installation is not None
        user = product.github.people.add("mona")
        product.github.people.allow(user, repository, "read")
        yield Scene(product, repository, installation, user)


@contextlib.asynccontextmanager
async def following(product: Product, browser: Browser, part: str) -> AsyncIterator[aiohttp.ClientResponse]:
    """The live stream of a part, past its greeting."""
    jar = browser.cookies.get(product.address.removeprefix("http://"), {})
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{product.address}/events?of={part}", headers=headers) as answer,
    ):
        assert answer.status == 200
        assert "hello" in (await answer.content.readuntil(b"\n\n")).decode()
        yield answer


async def told_gone(answer: aiohttp.ClientResponse) -> None:
    """Waits until the stream says that its part is gone."""
    async with asyncio.timeout(30):
        while True:
            block = (await answer.content.readuntil(b"\n\n")).decode()
            if block.startswith("event: gone"):
                return


def test_what_is_kept_and_the_beat_of_every_stream_lie_within_a_minute() -> None:
    assert KEPT_S + live.BEAT_S + FRESH_S < 60, "streams of nobody share what they asked for so long"
    assert KEPT_S + log_stream.BEAT_S < 60


def test_strangers_cannot_use_up_an_installation_s_limit_by_looking_at_its_repositories() -> None:
    turns, installation, repos = Turns(), uuid4(), [uuid4() for _ in range(12)]
    assert [turns.take(repo, installation) for repo in repos] == [True] * 10 + [False] * 2
    assert turns.take(repos[11], uuid4())
    assert not turns.take(repos[11], uuid4()), "asked a moment ago"


async def test_a_reader_whose_right_was_taken_away_without_an_event_loses_pages_and_open_streams(
    dsn: str, tmp_path: Path
) -> None:
    async with open_scene(dsn, tmp_path / "p", 0.05) as scene, Browser(scene.product) as browser:
        await browser.sign_in(scene.user)
        assert await browser.get(scene.path) == 200
        async with following(scene.product, browser, f"repo/{await scene.repo_id()}~x") as stream:
            scene.take_away()
            await scene.grow_old()
            await told_gone(stream)
        assert await browser.get(scene.path) == 404
        await browser.get("/")
        assert scene.repository.full_name not in browser.text


async def test_asking_again_costs_no_rate_limit_where_nothing_changed_and_sees_every_change(
    dsn: str, tmp_path: Path
) -> None:
    async with open_scene(dsn, tmp_path / "p", NEVER_S) as scene, Browser(scene.product) as browser:
        world, people = scene.product.github.world, scene.product.github.people
        await browser.sign_in(scene.user)
        assert await browser.get(scene.path) == 200
        for changed, level, status in ((0, "read", 200), (1, "admin", 200), (0, "admin", 200), (2, None, 404)):
            if level is None:
                scene.take_away()
            else:
                people.allow(scene.user, scene.repository, level)
            await scene.grow_old()
            world.requests.clear()
            assert await browser.get(scene.path) == status
            asked = [path for method, path in world.requests if method == "GET"]
            unchanged = [path for method, path in world.requests if method == UNCHANGED]
            assert asked, "GitHub was asked"
            assert len(unchanged) >= len(asked) - changed, world.requests
            if level == "admin":
                async with scene.product.pool.acquire() as connection:
                    assert await connection.fetchval("SELECT level FROM repo_access") == "admin"


async def test_what_is_kept_of_github_s_answers_is_small_bounded_and_the_person_s_own(dsn: str, tmp_path: Path) -> None:
    async with open_scene(dsn, tmp_path / "p", NEVER_S) as scene:
        product, people = scene.product, scene.product.github.people
        hubot = people.add("hubot")
        for user in (scene.user, hubot):
            async with Browser(product) as browser:
                await browser.sign_in(user)
                assert await browser.get(scene.path) == (200 if user is scene.user else 404)
        async with product.pool.acquire() as connection:
            rows = await connection.fetch("SELECT user_id, content FROM access_answers")
            mine = await get_user_id_of_login(connection, "mona")
            assert {row["user_id"] for row in rows if "permissions" in row["content"]} == {mine}
            assert all(len(row["content"]) < 400 for row in rows), "only what says who may do what"
            await connection.execute(
                "INSERT INTO access_answers (user_id, url, etag, content) "
                "SELECT $1, 'z' || n, 'x', '{}' FROM generate_series(1, 1000) n",
                mine,
            )
        await scene.grow_old()
        await refresh_access(product.web_context, mine)
        async with product.pool.acquire() as connection:
            number = await count_access_answers(connection, mine)
            assert number == 2
            assert number <= MAX_ANSWERS
        people.revoke(scene.user)
        scene.send("github_app_authorization", "revoked")
        await product.github.webhooks.settle()
        async with product.pool.acquire() as connection:
            assert not await count_access_answers(connection, mine)


async def test_an_event_that_comes_while_access_is_read_is_not_overlooked(dsn: str, tmp_path: Path) -> None:
    async with open_scene(dsn, tmp_path / "p", NEVER_S) as scene, Browser(scene.product) as browser:
        product = scene.product
        await browser.sign_in(scene.user)
        assert await browser.get(scene.path) == 200
        await scene.grow_old()
        async with product.pool.acquire() as connection:
            user_id = await get_user_id(connection)
            async with connection.transaction():
                await connection.execute("SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE", user_id)
                reading = asyncio.create_task(refresh_access(product.web_context, user_id))
                await product.until(count_waiting_backends, 1)
                await connection.execute("UPDATE users SET access_checked_at = NULL WHERE id = $1", user_id)
                product.github.world.requests.clear()  # before the commit, at which the reading goes on
        await reading
        asked = [
            request for request in product.github.world.requests if request == ("GET", "/api/v3/user/installations")
        ]
        assert len(asked) >= 2, "read once more"


def revoked(scene: Scene) -> None:
    scene.product.github.people.revoke(scene.user)
    scene.send("github_app_authorization", "revoked")


def uninstalled(scene: Scene) -> None:
    scene.product.github.world.installations.pop(scene.installation.id)
    scene.send("installation", "deleted")


def suspended(scene: Scene) -> None:
    scene.installation.suspended_at = time.time()
    scene.send("installation", "suspend")


def removed(scene: Scene) -> None:
    scene.installation.repository_ids.discard(scene.repository.id)
    short = [scene.product.github.shapes.short_repository(scene.repository)]
    more = {"repositories_removed": short, "repositories_added": [], "repository_selection": "selected"}
    scene.send("installation_repositories", "removed", **more, requester=None)


def transferred(scene: Scene) -> None:
    scene.take_away()
    scene.send("repository", "transferred", changes={"owner": {"from": {}}})


async def test_signing_out_ends_the_streams_of_that_person_at_once(dsn: str, tmp_path: Path) -> None:
    async with (
        open_scene(dsn, tmp_path / "p", NEVER_S) as scene,
        Browser(scene.product) as reader,
        Browser(scene.product) as elsewhere,
        Browser(scene.product) as another,
    ):
        hubot = scene.product.github.people.add("hubot")
        scene.product.github.people.allow(hubot, scene.repository, "read")
        await reader.sign_in(scene.user)
        await elsewhere.sign_in(scene.user, "/account")
        await another.sign_in(hubot)
        part = f"repo/{await scene.repo_id()}~x"
        async with following(scene.product, reader, part) as lost, following(scene.product, another, part) as kept:
            await elsewhere.submit("/logout/everywhere")
            await told_gone(lost)
            assert not kept.content.at_eof()
            assert "event: beat" not in (await kept.content.readuntil(b"\n\n")).decode(), "others are not asked"


async def test_the_api_s_log_streams_end_with_their_token_and_are_counted_apart(dsn: str, tmp_path: Path) -> None:
    async with open_scene(dsn, tmp_path / "p", NEVER_S) as scene, Browser(scene.product) as browser:
        product = scene.product
        await browser.sign_in(scene.user, "/account")
        await browser.submit("/account/tokens", name="t", scope="read", days="30")
        token = re.findall(r"fgp_[\w-]+", browser.text)[0]
        async with product.pool.acquire() as connection:
            build_id = await insert_build_row(
                connection, await insert_project_row(connection, await get_user_id(connection))
            )
            token_id = await connection.fetchval("SELECT id FROM api_tokens")
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        address = f"{product.address}/api/v1/builds/{build_id}/logs"
        async with (
            contextlib.AsyncExitStack() as stack,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            answers = [
                await stack.enter_async_context(session.get(address, headers=headers))
                for _ in range(live.MOST_OF_PERSON + 1)
            ]
            assert [answer.status for answer in answers] == [200] * live.MOST_OF_PERSON + [429]
            async with following(product, browser, f"repo/{await scene.repo_id()}~x"):
                pass
            await browser.get("/account")
            await browser.submit(f"/account/tokens/{token_id}/delete")
            async with asyncio.timeout(20):
                for answer in answers:
                    await answer.content.read()


async def test_a_log_that_is_downloaded_slowly_ends_where_its_reader_signs_out(dsn: str, tmp_path: Path) -> None:
    async with open_scene(dsn, tmp_path / "p", NEVER_S) as scene, Browser(scene.product) as browser:
        await browser.sign_in(scene.user, "/account")
        async with scene.product.pool.acquire() as connection:
            build_id = await insert_build_row(
                connection, await insert_project_row(connection, await get_user_id(connection))
            )
            await connection.execute(
                "INSERT INTO build_logs (build_id, message) SELECT $1, n || repeat('x', 8000) FROM "
                "generate_series(1, 3000) n",
                build_id,
            )
        jar = browser.cookies[scene.product.address.removeprefix("http://")]
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
        async with scene.product.session.get(
            f"{scene.product.address}/builds/{build_id}/log.txt", headers=headers
        ) as answer:
            assert b" 1xxx" in await answer.content.readline()
            await browser.submit("/logout")
            rest = await answer.content.read()
        assert b" 3000xxx" not in rest
        assert b"was cut here" in rest[-300:]


@pytest.mark.nightly
@pytest.mark.parametrize("lose", [revoked, uninstalled, suspended, removed, transferred])
async def test_an_event_that_takes_access_away_ends_open_streams_and_pages_at_once(
    dsn: str, tmp_path: Path, lose: Callable[[Scene], None]
) -> None:
    async with open_scene(dsn, tmp_path / "p", NEVER_S) as scene, Browser(scene.product) as browser:
        await browser.sign_in(scene.user)
        assert await browser.get(scene.path) == 200
        async with following(scene.product, browser, f"repo/{await scene.repo_id()}~x") as stream:
            lose(scene)
            await told_gone(stream)
        assert await browser.get(scene.path, follow=False) in (303, 404)


@pytest.mark.nightly
async def test_a_stranger_s_stream_of_a_repository_that_becomes_private_ends_at_once(dsn: str, tmp_path: Path) -> None:
    async with (
        open_scene(dsn, tmp_path / "p", NEVER_S, private=False) as scene,
        Browser(scene.product) as nobody,
        Browser(scene.product) as reader,
    ):
        await reader.sign_in(scene.user)
        part = f"repo/{await scene.repo_id()}~x"
        async with following(scene.product, nobody, part) as lost, following(scene.product, reader, part) as kept:
            scene.repository.private = True
            scene.send("repository", "privatized")
            await told_gone(lost)
            assert await nobody.get(scene.path) == 404
            assert await reader.get(scene.path) == 200
            assert not kept.content.at_eof()


async def test_the_api_s_log_stream_of_a_build_ends_when_its_reader_loses_the_repository(
    dsn: str, tmp_path: Path
) -> None:
    async with open_scene(dsn, tmp_path / "p", NEVER_S) as scene, Browser(scene.product) as browser:
        product, repo_id = scene.product, await scene.repo_id()
        await browser.sign_in(scene.user, "/account")
        await browser.submit("/account/tokens", name="t", scope="read", days="30")
        token = re.findall(r"fgp_[\w-]+", browser.text)[0]
        async with product.pool.acquire() as connection:
            user_id = await get_user_id(connection)
            project_id = await insert_project_row(connection, user_id, repo_id=repo_id)
            build_id = await insert_build_row(connection, project_id, repo_id=repo_id)
            await insert_numbered_lines(connection, build_id, 3)
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        address = f"{product.address}/api/v1/builds/{build_id}/logs"
        async with product.session.get(address, headers=headers) as answer:
            assert answer.status == 200
            lines = [json.loads((await _line(answer))[len("data: ") :])["message"] for _ in range(3)]
            assert lines == ["line 1", "line 2", "line 3"]
            removed(scene)
            async with asyncio.timeout(30):
                assert b"event: line" not in await answer.content.read(), "it ends, and nothing more is told"
        async with product.session.get(address, headers=headers) as answer:
            assert answer.status == 404


async def _line(answer: aiohttp.ClientResponse) -> str:
    while True:
        line = (await answer.content.readline()).decode().strip()
        if line.startswith("data: {"):
            return line
