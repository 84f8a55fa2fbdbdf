"""The stream of live pages, without a browser: who may follow what, what is told, and how many streams there may be."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import aiohttp
import pytest
from aiohttp import web

from forgeguard_app.flows.context.audit_links import sign_audit
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.simulator.story import Story
from forgeguard_app.store.audits import find_run
from forgeguard_app.store.changes import ACCESS, notify_change
from forgeguard_app.store.queue import enqueue
from forgeguard_app.store.repos import find_repo, find_repo_named
from forgeguard_app.web.live import (
    MOST_OF_ADDRESS,
    MOST_OF_NETWORK,
    MOST_OF_PERSON,
    MOST_PARTS_OF_NOBODY,
    REFRESHES_OF_NOBODY,
    Streams,
)
from tests.support.browsing import Browser
from tests.support.running import Product, running
from tests.support.stored import get_installation_key, get_user_id_of_login
from tests.support.watching import PASSED, finish_run, stir, wait_for_run


@pytest.fixture
async def still(dsn: str, tmp_path: Path) -> AsyncIterator[Product]:
    """A product without a worker: nothing changes by itself."""
    async with running(dsn, tmp_path / "still", worker=False) as product:
        yield product


async def guarded(product: Product, *, private: bool = False) -> tuple[str, UUID]:
    """A repository with its key."""
    repository, _ = await product.repository(private=private)
    async with product.pool.acquire() as connection:
        repo = await find_repo_named(connection, repository.full_name)
    assert repo is not None
    for name, level in (("owner", "admin"), ("member", "read"), ("stranger", None)):
        user = product.github.people.add(name)
        if level:
            product.github.people.allow(user, repository, level)
    return repository.full_name, repo.id


async def events(product: Product, cookies: dict[str, str], *parts: str) -> list[tuple[str, dict[str, str]]]:
    """What is told at once, beside the greeting."""
    address = f"{product.address}/events?once=1&" + "&".join(f"of={part}" for part in parts)
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    async with product.session.get(address, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        found = re.findall(r"event: (\w+)\ndata: (.*)\n\n", await answer.text())
    return [(event, json.loads(data)) for event, data in found if event != "hello"]


async def cookies_of(product: Product, login: str) -> dict[str, str]:
    async with Browser(product) as browser:
        await browser.sign_in(next(user for user in product.github.people.users() if user.login == login))
        return browser.cookies[product.address.removeprefix("http://")]


@contextlib.asynccontextmanager
async def following(product: Product, cookies: dict[str, str], *parts: str) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    address = f"{product.address}/events?" + "&".join(f"of={part}" for part in parts)
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as answer:
        yield answer


async def next_event(answer: aiohttp.ClientResponse) -> tuple[str, dict[str, str]]:
    """Return the next event that is no beat: any change of access causes a beat, also one of a late delivery."""
    async with asyncio.timeout(20):
        while True:
            block = (await answer.content.readuntil(b"\n\n")).decode()
            found = re.fullmatch(r"event: (\w+)\ndata: (.*)\n\n", block)
            assert found is not None, block
            if found[1] != "beat":
                return found[1], json.loads(found[2])


@pytest.mark.parametrize("private", [True, False])
async def test_each_follows_what_they_may_see_and_nothing_else(still: Product, private: bool) -> None:
    _, repo_id = await guarded(still, private=private)
    run_id = await wait_for_run(still.pool, repo_id, "Wait")
    parts = (f"repo/{repo_id}~old", f"audit/{run_id}~old")
    for login, sees in (("owner", True), ("member", True), ("stranger", not private), ("", not private)):
        sent = await events(still, await cookies_of(still, login) if login else {}, *parts)
        assert [event for event, _ in sent] == (["version"] * 2 if sees else ["gone"] * 2), login
    absent = await events(
        still, await cookies_of(still, "owner"), f"audit/{repo_id}~", f"build/{run_id}~", f"trial/{run_id}~"
    )
    assert [event for event, _ in absent] == ["gone"] * 3


async def test_a_signed_link_follows_its_audit_and_no_other(dsn: str, tmp_path: Path) -> None:
    async with running(dsn, tmp_path / "signed", worker=False, can_sign_in=False) as still:
        _, repo_id = await guarded(still, private=True)
        first, second = [await wait_for_run(still.pool, repo_id, name) for name in "ab"]
        async with still.pool.acquire() as connection:
            run, repo = await find_run(connection, first), await find_repo(connection, repo_id)
        assert run is not None
        assert repo is not None
        signature = sign_audit(still.web_context.keys.links, run, repo)
        sent = await events(
            still, {}, f"audit/{first}/{signature}~", f"audit/{second}/{signature}~", f"repo/{repo_id}~"
        )
    assert sorted(event for event, _ in sent) == ["gone", "gone", "version"]
    assert next(data["subject"] for event, data in sent if event == "version") == f"audit/{first}/{signature}"


async def test_an_event_is_sent_only_where_the_version_is_another_one(still: Product) -> None:
    _, repo_id = await guarded(still)
    run_id = await wait_for_run(still.pool, repo_id, "Wait")
    ((_, first),) = await events(still, {}, f"audit/{run_id}~")
    assert await events(still, {}, f"audit/{run_id}~{first['version']}") == []
    async with following(still, {}, f"audit/{run_id}~{first['version']}") as answer:
        assert (await next_event(answer))[0] == "hello"
        async with still.pool.acquire() as connection:
            await notify_change(connection, ACCESS)
        for _ in range(5):
            await stir(still.pool, repo_id)
        await finish_run(still.pool, run_id, PASSED)
        event, content = await next_event(answer)
        assert event == "version"
        while content["version"] != (await events(still, {}, f"audit/{run_id}~"))[0][1]["version"]:
            event, content = await next_event(answer)


async def test_a_version_changes_with_the_reason_why_an_audit_waits(still: Product) -> None:
    _, repo_id = await guarded(still)
    run_id = await wait_for_run(still.pool, repo_id, "Wait")
    reasons = (
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())",
        "INSERT INTO rate_limits (github_installation_id, blocked_until)"
        " SELECT github_installation_id, now() + interval '9 minutes' FROM installations",
        "UPDATE rate_limits SET blocked_until = now() + interval '4 minutes'",
        "UPDATE rate_limits SET blocked_until = now() - interval '1 minute'",
    )
    pairs: list[tuple[str, str]] = []
    async with still.pool.acquire() as connection:
        for reason in ("", *reasons, ""):
            if reason:
                await connection.execute(reason)
            found = await events(still, {}, f"audit/{run_id}~", f"repo/{repo_id}~")
            versions = {data["subject"]: data["version"] for _, data in found}
            pairs.append((versions[f"audit/{run_id}"], versions[f"repo/{repo_id}"]))
    assert pairs[-1] == pairs[-2], "nothing changed"
    for of_one in zip(*pairs[:-1], strict=True):
        assert [earlier == later for earlier, later in itertools.pairwise(of_one)] == [False] * len(reasons)
    before = pairs[-1][0]
    async with still.pool.acquire() as connection:
        await enqueue(connection, "audit_commit", {"run_id": str(run_id)}, delay=timedelta(minutes=5))
    ((_, audit),) = await events(still, {}, f"audit/{run_id}~")
    assert audit["version"] != before, "it is tried again later"


async def test_an_overview_is_followed_by_the_person_whom_it_shows_and_nobody_else(still: Product) -> None:
    await guarded(still, private=True)
    member, stranger = [await cookies_of(still, login) for login in ("member", "stranger")]
    async with still.pool.acquire() as connection:
        user_id = await get_user_id_of_login(connection, "member")
        installation_id = await get_installation_key(connection)
    parts = [f"{kind}/{user_id}~" for kind in ("start", "installations")] + [f"installation/{installation_id}~"]
    for cookies, expected in ((member, ["version"] * 3), (stranger, ["gone"] * 3), ({}, ["gone"] * 3)):
        assert [event for event, _ in await events(still, cookies, *parts)] == expected


async def test_what_waits_for_a_worker_or_for_an_installation_says_so(still: Product) -> None:
    full_name, _ = await guarded(still)
    async with Browser(still) as browser:
        user = next(person for person in still.github.people.users() if person.login == "owner")
        path = f"/repos/{full_name}/configuration"
        await browser.sign_in(user, path)
        await browser.submit(f"{path}/try", path="boundaries.json", content="{}")
        assert "/trials/" in browser.address
        assert "No worker is running" in browser.text
        assert "Running</span>" not in browser.text
        Story(still.github).suspend(next(iter(still.github.world.installations.values())), on=True)
        await still.github.webhooks.settle()
        browser.home()
        assert await browser.get(path) == 403
        assert "installation is suspended on GitHub" in browser.text
        assert "have a role in" not in browser.text


async def test_parts_that_are_none_and_too_many_parts_are_refused(still: Product) -> None:
    key = "00000000-0000-4000-8000-000000000000"
    wrong = ["", "audit", "audit/1~", "repo/x~", f"thing/{key}~", f"log/{key}~x", f"audit/{key}/a%20b~"]
    wrong += [f"audit/{key}/%C3%A4~", f"audit/{key}/{'a' * 400}~", f"repo/{key}~" + f"&of=repo/{key}~" * 60]
    for part in wrong:
        async with still.session.get(f"{still.address}/events?of={part}") as answer:
            assert answer.status == 400, part
            assert "part" in (await answer.json(content_type=None))["detail"]


async def test_a_person_has_so_many_streams_and_those_that_closed_do_not_count(still: Product) -> None:
    _, repo_id = await guarded(still, private=True)
    cookies, part = await cookies_of(still, "member"), f"repo/{repo_id}~"
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MOST_OF_PERSON):
            answer = await stack.enter_async_context(following(still, cookies, part))
            assert answer.status == 200
        async with following(still, cookies, part) as answer:
            assert answer.status == 429
        async with following(still, await cookies_of(still, "owner"), part) as answer:
            assert answer.status == 200, "others have theirs"
    last: list[int] = []

    async def opens() -> None:
        while not last or last[-1] != 200:
            async with following(still, cookies, part) as answer:
                last.append(answer.status)

    async with asyncio.timeout(20):
        await opens()


async def test_a_stream_of_nobody_follows_so_many_parts_and_says_which_it_leaves_out(still: Product) -> None:
    _, repo_id = await guarded(still)
    parts = [f"repo/{repo_id}~old"] + [f"repo/{uuid4()}~" for _ in range(MOST_PARTS_OF_NOBODY - 1)]
    beyond = [f"repo/{uuid4()}" for _ in range(3)]
    asked = [*parts, *(f"{subject}~" for subject in beyond)]
    of_nobody = await events(still, {}, *asked)
    assert [data["subject"] for event, data in of_nobody if event == "full"] == beyond
    assert [event for event, _ in of_nobody].count("gone") == MOST_PARTS_OF_NOBODY - 1
    assert "version" in dict(of_nobody)
    of_member = await events(still, await cookies_of(still, "member"), *asked)
    assert "full" not in dict(of_member)


async def test_streams_of_nobody_are_refreshed_in_turns_by_network_and_those_of_people_at_any_time() -> None:
    streams = Streams(20.0)
    refreshed: list[str] = []
    end = asyncio.Event()

    async def refresh(address: str, person: Person | None = None) -> None:
        async with streams.refreshing(person, address):
            refreshed.append(address)
            await end.wait()

    addresses = [f"2001:db8:1:{number:x}::/64" for number in range(8)] + [f"192.0.2.{number}" for number in range(8)]
    tasks = [asyncio.create_task(refresh(address)) for address in addresses]
    await asyncio.sleep(0)
    assert refreshed == [addresses[0], *addresses[8 : 7 + REFRESHES_OF_NOBODY]], "one of a network"
    mona = Person(uuid4(), 1, "mona", uuid4(), None)
    tasks += [asyncio.create_task(refresh("192.0.2.99", mona)) for _ in range(2)]
    await asyncio.sleep(0)
    assert refreshed[REFRESHES_OF_NOBODY:] == ["192.0.2.99"] * 2
    end.set()
    await asyncio.gather(*tasks)
    assert len(refreshed) == len(tasks)


async def test_streams_have_connections_that_pages_cannot_take(still: Product) -> None:
    _, repo_id = await guarded(still)
    async with contextlib.AsyncExitStack() as pages, asyncio.timeout(60):
        for _ in range(still.pool.get_max_size()):
            await pages.enter_async_context(still.pool.acquire())
        assert [event for event, _ in await events(still, {}, f"repo/{repo_id}~old")] == ["version"]


def test_an_address_has_so_many_streams_and_leaves_those_of_others() -> None:
    streams = Streams(20.0)
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_OF_ADDRESS):
            stack.enter_context(streams.one_of(None, "192.0.2.1"))
        with pytest.raises(web.HTTPTooManyRequests):
            stack.enter_context(streams.one_of(None, "192.0.2.1"))
        stack.enter_context(streams.one_of(None, "192.0.2.2"))
        stack.enter_context(streams.one_of(Person(uuid4(), 1, "mona", uuid4(), None), "192.0.2.1"))
    assert streams.total == 0


def test_a_network_has_so_many_streams_from_however_many_addresses() -> None:
    streams = Streams(20.0)
    with contextlib.ExitStack() as stack:
        for number in range(MOST_OF_NETWORK):
            stack.enter_context(streams.one_of(None, f"2001:db8:1:{number:x}::/64"))
        with pytest.raises(web.HTTPTooManyRequests):
            stack.enter_context(streams.one_of(None, "2001:db8:1:ffff::/64"))
        stack.enter_context(streams.one_of(None, "2001:db8:2:1::/64"))
        stack.enter_context(streams.one_of(None, "192.0.2.1"))


async def test_a_server_that_stops_ends_its_streams(dsn: str, tmp_path: Path) -> None:
    async with running(dsn, tmp_path / "stops", worker=False) as product:
        _, repo_id = await guarded(product)
        context = following(product, {}, f"repo/{repo_id}~")
        answer = await context.__aenter__()
        assert (await next_event(answer))[0] == "hello"
    async with asyncio.timeout(20):
        await answer.content.read()
    await context.__aexit__(None, None, None)


@pytest.mark.nightly
async def test_streams_do_not_ask_access_each_time_that_anybody_loses_theirs(still: Product) -> None:
    _, repo_id = await guarded(still)
    run_id = await wait_for_run(still.pool, repo_id, "Wait")
    async with following(still, {}, f"audit/{run_id}~") as answer:
        assert (await next_event(answer))[0] == "hello"
        assert (await next_event(answer))[0] == "version"

        async def stir_access() -> None:
            for _ in range(30):
                async with still.pool.acquire() as connection:
                    await notify_change(connection, ACCESS)
                await asyncio.sleep(0.05)

        stirring, beats = asyncio.create_task(stir_access()), 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(3):
                while True:
                    beats += b"event: beat" in await answer.content.readuntil(b"\n\n")
        await stirring
        assert beats == 1
        async with asyncio.timeout(10):
            assert b"event: beat" in await answer.content.readuntil(b"\n\n"), "what was told meanwhile is not forgotten"
