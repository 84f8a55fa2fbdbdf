"""Long pages and exports are made in threads, in turns: the loop goes on, and nobody's work keeps another's waiting."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import jinja2
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

import forgeguard_app.web
from forgeguard_app.audit.plain_text import escaped_lines
from forgeguard_app.web.audit_log import export
from forgeguard_app.web.in_turn import TURNS, ThreadTurns, in_turn
from forgeguard_app.web.keys import CONTEXT, TEMPLATES
from forgeguard_app.web.render import LONG, page
from tests.support.running import Product


async def test_the_loop_goes_on_while_a_page_is_made_and_others_get_their_turn() -> None:
    turns, release, main = ThreadTurns(at_once=2, waiting_each=1), threading.Event(), threading.get_ident()

    def slow() -> int:
        release.wait()
        return threading.get_ident()

    first = asyncio.create_task(turns.work("stranger", slow))
    second = asyncio.create_task(turns.work("stranger", slow))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await turns.work("mona", threading.get_ident) != main, "done while the stranger's work goes on"
    assert not first.done()
    with pytest.raises(web.HTTPServiceUnavailable):
        await turns.work("stranger", slow)
    release.set()
    assert main not in {await first, await second}


async def test_a_slot_is_held_until_its_thread_ends_though_nobody_waits_for_it() -> None:
    turns, release, begun = ThreadTurns(at_once=1, waiting_each=4), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow() -> None:
        loop.call_soon_threadsafe(begun.set)
        release.wait()

    left = asyncio.create_task(turns.work("stranger", slow))
    await begun.wait()
    left.cancel()
    following = asyncio.create_task(turns.work("stranger", threading.get_ident))
    await asyncio.gather(left, return_exceptions=True)
    assert left.cancelled()
    assert not following.done(), "whoever goes away and asks again has one thread, not one more each time"
    release.set()
    await following


async def test_who_has_all_addresses_of_a_network_has_one_turn(product: Product) -> None:
    app, release = web.Application(), threading.Event()
    app[CONTEXT], app[TURNS] = product.web_context, ThreadTurns(at_once=2, waiting_each=4)
    request = make_mocked_request("GET", "/", app=app)
    of_network = [request.clone(remote=f"2001:db8:1:{number}::1") for number in range(4)]
    works = [asyncio.create_task(in_turn(each, release.wait)) for each in of_network]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await in_turn(request.clone(remote="2001:db8:2::1"), threading.get_ident)
    assert not any(work.done() for work in works), "done while the network's first work goes on"
    release.set()
    assert all(await asyncio.gather(*works))


async def test_an_error_of_the_work_is_the_caller_s() -> None:
    with pytest.raises(ZeroDivisionError):
        await ThreadTurns().work("mona", lambda: 1 // 0)


async def test_long_pages_are_made_beside_the_loop(product: Product) -> None:
    names = {path.name for path in (Path(forgeguard_app.web.__file__).parent / "templates").glob("*.html")}
    assert names >= LONG
    app = web.Application()
    app[CONTEXT], app[TURNS] = product.web_context, ThreadTurns()
    app[TEMPLATES] = jinja2.Environment(
        loader=jinja2.DictLoader(dict.fromkeys(names, "{{ thread() }}")), autoescape=True
    )
    request = make_mocked_request("GET", "/", app=app)
    made = {name: (await page(request, name, thread=threading.get_ident)).text for name in names}
    assert {name for name, thread in made.items() if thread != str(threading.get_ident())} == LONG


async def test_an_export_is_written_beside_the_loop(product: Product) -> None:
    app = web.Application()
    app[CONTEXT], app[TURNS] = product.web_context, ThreadTurns(waiting_each=0)
    request = make_mocked_request("GET", "/", app=app, match_info={"form": "csv"})
    with pytest.raises(web.HTTPServiceUnavailable):
        await export(request, [])


def test_a_text_of_nothing_but_acting_characters_is_escaped_in_runs() -> None:
    assert escaped_lines("a\x01\x02\n\u202eb\t") == "a\\x01\\x02\n\\u202eb\t"
