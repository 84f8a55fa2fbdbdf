"""Strangers' texts that take long hold nobody up: they are worked on beside the event loop, and ended."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from forgeguard_app.errors import UserError
from forgeguard_app.fair_turns import FairTurns
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.projects.answers import answered, written_state
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.contracts.render import write_drafts
from forgeguard_app.web.aside import ASIDE, WAITING_EACH, Aside, drafter
from forgeguard_app.web.markdown import as_html
from forgeguard_app.web.session import PERSON
from tests.support.answers import filled
from tests.support.browsing import Browser
from tests.support.project_pages import make, written
from tests.support.running import running

NESTED = "[[]" * 66_000


async def test_what_takes_too_long_is_ended_once_and_the_loop_goes_on() -> None:
    aside = Aside(timeout_s=0.5)
    assert await asyncio.gather(*(aside.work("mona", "markdown", NESTED) for _ in range(4))) == [None] * 4
    begun = aside.begun
    assert await aside.work("mona", "markdown", NESTED) is None
    assert aside.begun == begun == 1, "shared, and not tried again"


async def test_the_work_is_the_same_beside_the_loop() -> None:
    aside = Aside(timeout_s=30)
    text = "# A\n\n| a | b |\n|---|---|\n| 1 | <b> |\n"
    assert await aside.work("mona", "markdown", text) == str(as_html(text))
    assert await aside.work("mona", "difference", "a\nb\n", "a\nc\n") == ["@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    found = await aside.work("mona", "problems", ContractType.BOUNDARIES.value, '{"layers": [')
    assert found[0][:2] == ["Forge/Contracts/boundaries.json", 1]
    assert await aside.work("mona", "problems", ContractType.UI.value, "# UI") == []
    assert aside.size > 0


async def test_contracts_are_drafted_beside_the_loop_once_for_the_same_answers() -> None:
    app = web.Application()
    app[ASIDE] = aside = Aside(timeout_s=30)
    request = make_mocked_request("POST", "/", app=app)
    request[PERSON] = Person(uuid4(), 1, "mona", uuid4(), None)
    answers = filled("python-aiohttp")
    row = {"method": "GET", "purpose": "Gives it"}
    endpoints = [{**row, "path": f"/ä{number}/{{a}}"} for number in range(150)]
    state = written_state(answered(answers, "api.endpoints", endpoints))
    assert await drafter(request)("Shop", state) == write_drafts("Shop", state)
    assert await drafter(request)("Shop", state) == write_drafts("Shop", state)
    assert aside.begun == 1, "in a process of its own, and not again for what is known"
    assert aside.size > 0


async def test_answers_that_take_too_long_are_refused_and_the_loop_goes_on() -> None:
    app = web.Application()
    app[ASIDE] = aside = Aside(timeout_s=0.01)
    request = make_mocked_request("POST", "/", app=app)
    request[PERSON] = Person(uuid4(), 1, "mona", uuid4(), None)
    state = written_state(answered(filled("python-aiohttp"), "intent.users", ["x" * 400] * 100))
    for _ in range(2):
        with pytest.raises(UserError, match="takes too long"):
            await drafter(request)("Shop", state)
    assert aside.begun == 1


async def test_one_asker_s_slow_documents_keep_nobody_else_waiting() -> None:
    aside = Aside(timeout_s=30)
    slow = [asyncio.create_task(aside.work("stranger", "markdown", f"{NESTED}{n}")) for n in range(24)]
    await asyncio.sleep(0)
    assert await aside.work("mona", "markdown", "# A\n" * 2_000) is not None
    waiting = [task for task in slow if not task.done()]
    assert waiting, "hers was done before theirs"
    refused = [task.exception() for task in slow if task.done()]
    assert len(refused) >= 24 - WAITING_EACH - 1
    assert all(isinstance(error, web.HTTPServiceUnavailable) for error in refused)
    for task in waiting:
        task.cancel()


async def test_askers_get_their_slots_in_turn_and_one_at_a_time() -> None:
    turns, served = FairTurns(2, 4), []

    async def ask(asker: str) -> None:
        await turns.take(asker)
        served.append(asker)

    tasks = [asyncio.create_task(ask(asker)) for asker in ("a", "a", "a", "b", "c")]
    await asyncio.sleep(0)
    assert served == ["a", "b"], "one each"
    turns.give_back("b")
    await asyncio.sleep(0)
    assert served == ["a", "b", "c"]
    tasks[1].cancel()
    turns.give_back("a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert served == ["a", "b", "c", "a"], "the third of a's, since the second gave up"
    turns.give_back("a")
    turns.give_back("c")
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(5):  # no slot is lost
        await turns.take("d")
        await turns.take("e")


async def test_work_that_fails_is_none() -> None:
    assert await Aside(timeout_s=30).work("mona", "nothing", "x") is None


@pytest.mark.nightly
async def test_pages_of_a_document_that_takes_long_are_answered(dsn: str, tmp_path: Path) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product, Browser(product) as browser:
        project = await make(browser, product.github.people.add("mona"))
        await written(browser, project)
        path = f"{project}/contracts/ui"
        await browser.get(path)
        assert await browser.submit(path, content=NESTED) == 200
        assert "[[][[]" in browser.text, "its text is shown as it is"
        assert await browser.get(f"{path}/difference?from=1&to=2") == 200
