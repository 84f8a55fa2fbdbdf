"""GitHub's answer to set-up, opened in every way in which a browser can open it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forgeguard_app.flows.people.finish_setup import DEAD_S, SetupStep, choose_step
from forgeguard_app.simulator.faults import REST, Faults
from forgeguard_app.store.credentials import AttemptOutcome, SetupLink, Try
from tests.support.browsing import Browser
from tests.support.setting_up import Bare, answer_of, browsing, to_github, without_app
from tests.support.stored import count_credentials

CONVERSION = "POST /api/v3/app-manifests/{code}/conversions"


@pytest.fixture
async def bare(dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Bare]:
    async with without_app(dsn, tmp_path, capsys) as place:
        place.github.people.add("mona")
        yield place


def faulty(kind: str) -> Faults:
    """Faults of which the first meets the conversion in this way, and no other follows."""
    for seed in range(1_000):
        faults = Faults(seed, {"rest": 1.0}, most=1)
        if faults.choose("rest", CONVERSION, REST) == kind:
            return Faults(seed, {"rest": 1.0}, most=1)
    raise AssertionError(kind)


async def number_of_apps(bare: Bare) -> int:
    async with bare.pool.acquire() as connection:
        return int(await count_credentials(connection))


async def test_reloading_the_answer_shows_the_app_again(bare: Bare) -> None:
    async with browsing(bare) as browser:
        await browser.get(await bare.link())
        await to_github(browser, bare)
        answer = await answer_of(browser)
        assert await browser.get(answer) == 200
        first = browser.text
        for _ in range(2):
            assert await browser.get(answer) == 200
            assert browser.text == first
        assert await browser.get(f"{bare.address}/setup") == 200, "the Back button leads to the same page"
        assert "exists" in browser.text
    async with browsing(bare) as stranger:
        assert await stranger.get(answer) == 400
        assert "set up already" in stranger.text
        assert await stranger.get("/setup") == 400
        assert "set up already" in stranger.text
    assert await number_of_apps(bare) == 1


async def test_an_answer_that_is_opened_twice_at_once_makes_one_app_and_shows_it_twice(bare: Bare) -> None:
    async with browsing(bare) as browser, browsing(bare) as tab:
        await browser.get(await bare.link())
        await to_github(browser, bare)
        answer = await answer_of(browser)
        tab.cookies = browser.cookies
        bare.github.world.faults = faulty("slow")
        assert list(await asyncio.gather(browser.get(answer), tab.get(answer))) == [200, 200]
        assert "exists" in browser.text
        assert browser.text == tab.text
    assert bare.github.world.requests.count(("POST", f"/api/v3/app-manifests/{_code(answer)}/conversions")) == 1


async def test_while_github_does_not_answer_reloading_tries_again(bare: Bare) -> None:
    async with browsing(bare) as browser:
        await browser.get(await bare.link())
        await to_github(browser, bare)
        answer = await answer_of(browser)
        for kind in ("500", "reset", "502-html", "429", "403-secondary"):
            bare.github.world.faults = faulty(kind)
            assert await browser.get(answer) == 503
            assert "GitHub did not answer" in browser.text
            assert "Reload this page" in browser.text
            assert int(browser.headers["Retry-After"]) > 0
        assert await browser.get(answer) == 200
        assert "exists" in browser.text


async def test_a_lost_answer_of_github_is_explained_and_set_up_goes_on(bare: Bare) -> None:
    async with browsing(bare) as browser:
        await browser.get(await bare.link())
        await to_github(browser, bare)
        answer = await answer_of(browser)
        bare.github.world.faults = faulty("reset-after")
        assert await browser.get(answer) == 503
        for _ in range(2):
            assert await browser.get(answer) == 400, "GitHub made the App, and its code holds once"
            assert "its private key cannot be fetched again" in browser.text
            assert f'href="{bare.github.address}/settings/apps"' in browser.text
        assert await browser.get(f"{bare.address}/setup") == 200
        await _set_up_again(browser, bare)


async def test_a_code_that_somebody_else_used_is_explained_and_set_up_goes_on(bare: Bare) -> None:
    async with browsing(bare) as browser:
        await browser.get(await bare.link())
        await to_github(browser, bare)
        answer = await answer_of(browser)
        bare.github.pages.codes.clear()
        assert await browser.get(answer) == 400
        assert "somebody else may have used the code" in browser.text
        assert await number_of_apps(bare) == 0
        await _set_up_again(browser, bare)


async def test_an_answer_in_another_browser_uses_no_code(bare: Bare) -> None:
    async with browsing(bare) as browser, browsing(bare) as other:
        await browser.get(await bare.link())
        await to_github(browser, bare)
        answer = await answer_of(browser)
        assert await other.get(answer) == 400
        assert "another browser" in other.text
        assert bare.github.world.requests == []
        assert await browser.get(answer) == 200, "the browser that asked still gets the App"


async def test_the_back_button_and_older_tabs_lead_to_the_app_too(bare: Bare) -> None:
    async with browsing(bare) as browser, browsing(bare) as tab:
        await browser.get(await bare.link())
        tab.cookies = browser.cookies
        await to_github(tab, bare)
        await to_github(browser, bare)
        older, newer = await answer_of(tab, "Older"), await answer_of(browser, "Newer")
        assert await browser.get(older) == 200
        assert await browser.get(newer) == 400
        assert "Another App was made meanwhile" in browser.text
        assert await browser.get(older) == 200, "the one that was made is still shown"
    assert await number_of_apps(bare) == 1


async def test_an_answer_without_a_code_or_with_an_unknown_state_says_what_to_do(bare: Bare) -> None:
    async with browsing(bare) as browser:
        await browser.get(await bare.link())
        state = (await to_github(browser, bare)).rpartition("state=")[2]
        for query in (
            f"state={state}",
            f"code=&state={state}",
            f"code=a%20b&state={state}",
            "code=a",
            "code=a&state=b",
        ):
            assert await browser.get(f"{bare.address}/setup/callback?{query}") == 400
            assert "This answer is not the one that was asked for" in browser.text
            assert 'href="/setup"' in browser.text
        assert bare.github.world.requests == []


async def _set_up_again(browser: Browser, bare: Bare) -> None:
    await browser.get(f"{bare.address}/setup")
    await to_github(browser, bare)
    assert await browser.get(await answer_of(browser, "Guard again")) == 200
    assert await number_of_apps(bare) == 1


def _code(answer: str) -> str:
    return answer.partition("code=")[2].partition("&")[0]


MADE = Try("s", "u", "p", "", AttemptOutcome.MADE, "c")
TAKEN = Try("s", "u", "p", "", AttemptOutcome.TAKEN, "c", 100.0)
REFUSED = Try("s", "u", "p", "", AttemptOutcome.REFUSED, "c")
AWAITED = Try("s", "u", "p", "")


@pytest.mark.parametrize(
    ("kept", "browser", "state", "code", "exists", "step"),
    [
        (AWAITED, "b", "s", "c", False, SetupStep.TRADE),
        (AWAITED, "b", "s", "c", True, SetupStep.NOT_USED),
        (AWAITED, "other", "s", "c", False, SetupStep.OTHER_BROWSER),
        (AWAITED, "other", "s", "c", True, SetupStep.SET_UP_ELSEWHERE),
        (AWAITED, "b", "other", "c", False, SetupStep.NOT_ASKED),
        (TAKEN, "b", "s", "c", False, SetupStep.WAIT),
        (TAKEN, "b", "s", "second", False, SetupStep.WAIT),
        (REFUSED, "b", "s", "c", False, SetupStep.REFUSED),
        (REFUSED, "b", "s", "second", False, SetupStep.TRADE),
        (MADE, "b", "s", "c", True, SetupStep.SHOW),
        (MADE, "b", "s", "second", True, SetupStep.NOT_USED),
        (None, "b", "s", "c", False, SetupStep.OTHER_BROWSER),
    ],
)
def test_what_is_done_with_an_answer(
    kept: Try | None, browser: str, state: str, code: str, exists: bool, step: SetupStep
) -> None:
    link = None if kept is None else SetupLink("t", "b", (kept,), 101.0)
    assert choose_step(link, browser, state, code, app_exists=exists)[0] is step


def test_a_code_whose_trader_died_is_traded_again() -> None:
    link = SetupLink("t", "b", (TAKEN,), 101.0 + DEAD_S)
    assert choose_step(link, "b", "s", "c", app_exists=False)[0] is SetupStep.TRADE
