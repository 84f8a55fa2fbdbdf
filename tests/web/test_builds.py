"""A build's pages and streams: every line once and in order, whoever comes when; and who sees what."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from forgeguard_app.simulator.state import Account
from forgeguard_app.store.build_logs import NewLine, insert_lines
from forgeguard_app.store.changes import notify_change
from tests.support.browsing import Browser
from tests.support.building import BUILDER, agent
from tests.support.project_pages import make, written
from tests.support.repositories import WorkTree
from tests.support.running import TIMEOUT_S, Product, running
from tests.support.starting import started
from tests.support.stored import forget_access_checks
from tests.support.stored_builds import get_build_status, get_loop_count, insert_numbered_lines, is_beyond_first_phase

EVIL = "<script>alert(1)</script>"


@pytest.fixture
async def building(dsn: str, tmp_path: Path) -> AsyncIterator[Product]:
    """A product whose builder says something, and waits to be told to end."""
    script = f"echo '{EVIL}'; while [ ! -e end ]; do sleep 0.1; [ $SECONDS -gt 20 ] && touch end; done"
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product:
        yield product


async def begun(product: Product, tree: WorkTree, browser: Browser) -> tuple[str, str, Account]:
    """Project and build, by their addresses."""
    app = product.github.world.app
    assert app is not None
    app.permissions |= BUILDER
    repository = await started(product, tree)
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "admin")
    project = await make(browser, user, repository=repository.full_name)
    await written(browser, project)
    await browser.get(project)
    await browser.submit(f"{project}/builds")
    assert browser.status == 200, browser.text
    return project, str(re.findall(r"/builds/[0-9a-f-]{36}", browser.address)[0]), user


async def read(
    product: Product, browser: Browser, address: str, most: int, after: str | None = None, until: str | None = None
) -> list[dict[str, object]]:
    """Return the lines of the stream until there are so many, one says `until`, or it ends."""
    jar = browser.cookies[f"127.0.0.1:{product.address.rpartition(':')[2]}"]
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()), "Accept": "text/event-stream"}
    if after is not None:
        headers["Last-Event-ID"] = after
    found: list[dict[str, object]] = []
    async with asyncio.timeout(TIMEOUT_S), _stream(product, address, headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        async for raw in answer.content:
            line = raw.decode()
            if line.startswith("event: end"):
                break
            if line.startswith("data: {"):
                found.append(json.loads(line[6:]))
                if len(found) >= most or found[-1]["message"] == until:
                    break
    return found


@contextlib.asynccontextmanager
async def _stream(product: Product, address: str, headers: dict[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
    """Open a stream; those that were left count until the server notices that they are closed."""
    while True:
        async with product.session.get(product.address + address, headers=headers) as answer:
            if answer.status != 429:
                yield answer
                return
        await asyncio.sleep(0.1)


@pytest.mark.nightly
async def test_a_build_is_watched_cancelled_and_its_log_downloaded(building: Product, tree: WorkTree) -> None:
    async with Browser(building) as browser:
        project, build, _ = await begun(building, tree, browser)
        lines = await read(building, browser, f"/api/v1{build}/logs", 1_000, until=EVIL)
        assert EVIL in [line["message"] for line in lines]
        await browser.get(build)
        assert EVIL not in browser.text
        assert "&lt;script&gt;" in browser.text
        assert "Running" in browser.text
        # What a build forbids is said on the page where it was wanted, with what was written.
        csrf = re.findall(r'name="csrf" value="([^"]+)"', browser.text)[0]
        assert await browser.post(f"{project}/builds", {"csrf": csrf}) == 400
        assert "A build is under way already." in browser.text
        assert "The ten contracts" in browser.text
        await browser.get(f"{project}/contracts/manifesto")
        assert await browser.submit(f"{project}/contracts/manifesto", content="# Kept words\n") == 400
        assert "A build is working by these contracts" in browser.text
        assert "# Kept words\n</textarea>" in browser.text
        assert "Versions" in browser.text
        await browser.get(build)
        await browser.submit(f"{build}/cancel")
        assert "being cancelled" in browser.text or "Cancelled" in browser.text
        everything = await read(building, browser, f"/api/v1{build}/logs", 1_000)
        assert everything[-1]["message"] == "Cancelled."
        await browser.get(f"{build}/log.txt")
        assert browser.text.count("\n") == len(everything)
        async with building.pool.acquire() as connection:
            await connection.execute("UPDATE builds SET log_deleted_at = now()")
        await browser.get(f"{build}/log.txt")
        assert browser.text.startswith("The log was deleted")
        await browser.get(build)
        assert "took more than their quota" in browser.text
        await browser.get(project)
        assert "contracts ready" in browser.text
        await browser.get(build)
        assert f'action="{build}/cancel"' not in browser.text
        assert "Not reached" in browser.text
        assert ">Waiting<" not in browser.text, "nothing waits in a build that has ended"


@pytest.mark.nightly
async def test_a_stream_resumed_anywhere_has_no_gap_and_no_double(building: Product, tree: WorkTree) -> None:
    async with Browser(building) as browser:
        _, build, _ = await begun(building, tree, browser)
        await read(building, browser, f"/api/v1{build}/logs", 2)
        build_id = UUID(build.rpartition("/")[2])

        async def speak() -> None:
            for number in range(20):
                lines = [NewLine(datetime.now(UTC), "builder", "info", f"n{number}.{n}") for n in range(50)]
                async with building.pool.acquire() as connection, connection.transaction():
                    await insert_lines(connection, build_id, lines)
                    await notify_change(connection, build_id)

        async def listen(first: int) -> list[str]:
            got: list[str] = []
            last = None
            while left := 1_000 - sum(message.startswith("n") for message in got):
                for line in await read(building, browser, f"/api/v1{build}/logs", min(first, left), last):
                    got.append(str(line["message"]))
                    last = str(line["number"])
                first = first * 3 % 701 + 1
            return [message for message in got if re.match(r"n\d+\.", message)]

        _, *heard = await asyncio.gather(speak(), *(listen(first) for first in (1, 7, 300, 5_000)))
        expected = [f"n{number}.{n}" for number in range(20) for n in range(50)]
        assert all(messages == expected for messages in heard)
        stream = {"Accept": "text/event-stream"}
        async with building.session.get(f"{building.address}/api/v1{build}/logs", headers=stream) as answer:
            assert answer.status == 401, "nobody in particular"
        with pytest.raises(AssertionError):
            await read(building, browser, f"/api/v1{build}/logs", 1, "x")


@pytest.mark.nightly
async def test_a_hundred_thousand_lines_stay_usable(building: Product, tree: WorkTree) -> None:
    async with Browser(building) as browser:
        _, build, _ = await begun(building, tree, browser)
        build_id = UUID(build.rpartition("/")[2])
        async with building.pool.acquire() as connection:
            await insert_numbered_lines(connection, build_id, 100_000)
        await browser.get(build)
        assert len(browser.text) < 150_000
        assert "line 100000" in browser.text
        earlier = re.findall(r'href="(/builds/[^"]+\?before=\d+)"', browser.text)[0]
        await browser.get(earlier)
        assert "line 99500" in browser.text or "line 99499" in browser.text
        assert "data-log=" not in browser.text
        await browser.get(f"{build}/log.txt")
        assert browser.text.count("line ") == 100_000


@pytest.mark.nightly
async def test_who_sees_a_project_and_what_they_may_do(building: Product, tree: WorkTree) -> None:
    async with (
        Browser(building) as maker,
        Browser(building) as reader,
        Browser(building) as stranger,
        Browser(building) as nobody,
    ):
        project, build, _ = await begun(building, tree, maker)
        repository = next(item for item in building.github.world.repositories.values() if item.name == "shop")
        user = building.github.people.add("reader")
        building.github.people.allow(user, repository, "read")
        await reader.sign_in(user, "/account")
        await stranger.sign_in(building.github.people.add("stranger"), "/account")
        # Maker, reader of the repository, stranger, nobody.
        gets = [
            project,
            f"{project}/questionnaire/intent",
            f"{project}/contracts/ui",
            f"{project}/contracts.zip",
            f"{project}/contracts/ui/difference?from=1&to=1",
            build,
            f"{build}/log.txt",
        ]
        for path in gets:
            assert await status(maker, path) == 200, path
            assert await status(reader, path) == 200, path
            assert await status(stranger, path) == 404, path
            assert await status(nobody, path) == 404, path
        listed = [await status(browser, "/projects") for browser in (maker, reader, stranger, nobody)]
        assert listed == [200, 200, 200, 303]
        posts = [
            f"{project}/{action}"
            for action in (
                "rename",
                "link",
                "delete",
                "questionnaire/intent",
                "contracts",
                "contracts/export",
                "contracts/ui",
                "builds",
            )
        ]
        assert await send(nobody, f"{project}/restore") == 401
        for path in [*posts, f"{build}/cancel"]:
            assert await send(reader, path) == 403, path
            assert await send(stranger, path) == 404, path
            assert await send(nobody, path) == 401, path
        assert await send(maker, f"{project}/delete", confirmation="Shop") == 400, "a build is under way"
        member = next(person for person in building.github.people.users() if person.login == "reader")
        for level, may in (("write", 403), ("admin", 400)):  # a build is under way, so that nothing is done
            building.github.people.allow(member, repository, level)
            async with building.pool.acquire() as connection:
                await forget_access_checks(connection)
            assert await send(reader, f"{project}/rename", name="Shop") == 303
            assert await send(reader, f"{project}/delete", confirmation="Shop") == 403, "for its creator alone"
            assert await send(reader, f"{project}/link", repository="x/y") == 403, "for its creator alone"
            assert await send(reader, f"{project}/link", unlink="1") == may, level
        for browser in (maker, reader, stranger):
            assert await send(browser, f"{project}/restore") == 404, "it is not deleted"
        assert await send(maker, f"{project}/questionnaire/nothing") == 404
        assert await send(maker, f"{project}/contracts/nothing") == 404
        assert await send(maker, f"{build}/cancel") == 303


@pytest.mark.nightly
async def test_a_maker_who_lost_the_repository_keeps_the_project_and_nothing_of_the_repository(
    building: Product, tree: WorkTree
) -> None:
    async with Browser(building) as maker:
        project, build, user = await begun(building, tree, maker)
        assert await send(maker, f"{build}/cancel") == 303
        repository = next(item for item in building.github.world.repositories.values() if item.name == "shop")
        building.github.people.levels.pop((user.id, repository.id))
        async with building.pool.acquire() as connection:
            await connection.execute("UPDATE repos SET private = true")
            await forget_access_checks(connection)
        assert await status(maker, project) == 200
        assert await send(maker, f"{project}/rename", name="https://evil.example") == 403
        assert await status(maker, f"{project}/contracts/ui") == 200
        for path in (build, f"{build}/log.txt"):
            assert await status(maker, path) == 404, "what was built there is not theirs to read any more"
        for path in ("contracts/export", "contracts", "contracts/boundaries", "builds", "questionnaire/intent"):
            assert await send(maker, f"{project}/{path}") == 403, path
        await building.idle()
        assert await send(maker, f"{project}/link", unlink="1") == 303, "they may unlink it"
        assert await status(maker, f"{project}/questionnaire/intent") == 200
        assert await status(maker, build) == 404, "unlinked or not"
        assert await send(maker, f"{project}/delete", confirmation="Shop") == 303


CI = ".github/workflows/ci.yml"


async def waiting(product: Product, tree: WorkTree, browser: Browser) -> tuple[str, str]:
    """A build that waits for an approval: its address, and the commit that it asks about."""
    _, build, _ = await begun(product, tree, browser)
    build_id = UUID(build.rpartition("/")[2])
    await product.until(partial(get_build_status, build_id=build_id), "awaiting_approval")
    await product.idle()
    await browser.get(build)
    return build, re.findall(r'name="commit" value="([0-9a-f]{40})"', browser.text)[0]


@pytest.mark.nightly
async def test_changes_of_files_that_decide_are_approved_on_the_page_by_who_may_push(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    script = f"mkdir -p .github/workflows; echo 'on: push # {EVIL}' > {CI}; date +%N > t"
    async with (
        running(dsn, tmp_path / "p", builder=agent(script)) as product,
        Browser(product) as maker,
        Browser(product) as reader,
        Browser(product) as stranger,
        Browser(product) as nobody,
    ):
        build, commit = await waiting(product, tree, maker)
        for text in ("Changes to approve", CI, "Needs approval", "Approve and continue", "&lt;script&gt;"):
            assert text in maker.text, text
        assert EVIL not in maker.text
        repository = next(item for item in product.github.world.repositories.values() if item.name == "shop")
        user = product.github.people.add("reader")
        product.github.people.allow(user, repository, "read")
        await reader.sign_in(user, "/account")
        await stranger.sign_in(product.github.people.add("stranger"), "/account")
        await reader.get(build)
        assert "Only people who may write to the repository can approve this." in reader.text
        for path in (f"{build}/approve", f"{build}/hand-back"):
            for browser, answer in ((reader, 403), (stranger, 404), (nobody, 401)):
                assert await send(browser, path, commit=commit) == answer, path
        assert await send(maker, f"{build}/approve", commit="0" * 40) == 409
        await maker.get(build)
        await maker.submit(f"{build}/approve", commit="0" * 40)
        assert "does not wait for an approval of these changes" in maker.text
        assert await send(maker, f"{build}/hand-back", commit=commit, reason=f"No {EVIL}") == 303
        build_id = UUID(build.rpartition("/")[2])
        await product.until(partial(get_loop_count, build_id=build_id), 1)
        await product.until(partial(get_build_status, build_id=build_id), "awaiting_approval")
        await maker.get(build)
        assert EVIL not in maker.text
        second = re.findall(r'name="commit" value="([0-9a-f]{40})"', maker.text)[0]
        assert second != commit
        assert await send(maker, f"{build}/approve", commit=second) == 303
        await product.until(partial(is_beyond_first_phase, build_id=build_id), True)
        await maker.get(build)
        assert "1 approved change of files" in maker.text
        async with product.pool.acquire() as connection:
            rows = await connection.fetch(
                "SELECT deed, github_login FROM audit_log WHERE deed LIKE 'build changes%' ORDER BY at"
            )
        done = [row["deed"] for row in rows if row["github_login"] == "mona"]
        assert done == ["build changes handed back", "build changes approved"]


async def test_a_script_approves_by_the_api(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    script = f"mkdir -p .github/workflows; echo 'on: push' > {CI}; date +%N > t"
    async with running(dsn, tmp_path / "p", builder=agent(script)) as product, Browser(product) as maker:
        build, commit = await waiting(product, tree, maker)
        await maker.get("/account")
        await maker.submit("/account/tokens", name="script", scope="write", days="30")
        token = re.findall(r"fgp_[\w-]+", maker.text)[0]
        headers = {"Authorization": f"Bearer {token}"}
        address = f"{product.address}/api/v1{build}"
        async with product.session.get(address, headers=headers) as answer:
            shown = await answer.json()
        assert (shown["status"], shown["review"]["commit_sha"]) == ("awaiting_approval", commit)
        assert [(change["path"], change["kind"]) for change in shown["review"]["changes"]] == [(CI, "added")]
        for body, status in (
            ({"commit_sha": "0" * 40}, 409),
            ({"commit_sha": "x"}, 400),
            ({"commit_sha": commit}, 200),
            ({"commit_sha": commit}, 409),
        ):
            async with product.session.post(f"{address}/approve", headers=headers, json=body) as answer:
                assert answer.status == status, await answer.text()
        async with product.session.get(address, headers=headers) as answer:
            assert (await answer.json())["review"] is None


async def status(browser: Browser, path: str) -> int:
    browser.home()
    jar = browser.cookies.get(f"127.0.0.1:{browser.product.address.rpartition(':')[2]}", {})
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()), "Accept": "text/html"}
    async with browser.product.session.get(
        browser.product.address + path, headers=headers, allow_redirects=False
    ) as answer:
        return answer.status


async def send(browser: Browser, path: str, **fields: str) -> int:
    browser.home()
    await browser.get("/account")
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.text)
    browser.home()
    return await browser.post(path, fields | ({"csrf": csrf[1]} if csrf else {}), follow=False)
