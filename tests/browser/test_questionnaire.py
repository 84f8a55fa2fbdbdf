"""The questionnaire in a real browser: whichever way somebody leaves it, what they answered is in the database."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Page, Request, Route, expect

from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.projects.manage_project import create_project, described
from forgeguard_app.simulator.state import Account
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.users import SealedTokens, upsert_user
from tests.browser.walking import look
from tests.browser.windows import shared_product, signed_in
from tests.support.running import Product
from tests.support.stored import count_waiting_backends
from tests.support.watching import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
SAVED = re.compile(r"^Saved \d")


@dataclass
class Place:
    """A project with its questionnaire, and a browser in front of it."""

    product: Product
    chromium: Chromium
    user: Account
    project_id: UUID

    @property
    def path(self) -> str:
        """The first section."""
        return f"/projects/{self.project_id}/questionnaire/intent"

    async def answers(self) -> dict[str, Any]:
        """What is stored."""
        async with self.product.pool.acquire() as connection:
            state = await connection.fetchval("SELECT questionnaire_state FROM projects WHERE id = $1", self.project_id)
        return dict(json.loads(state).get("answers", {}))

    async def stored(self, key: str, value: Any) -> None:
        """Waits until the answer is in the database."""
        found = None
        for _ in range(1_000):
            found = (await self.answers()).get(key)
            if found == value:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{key} is {found!r}, not {value!r}")

    @asynccontextmanager
    async def slow(self) -> AsyncIterator[None]:
        """The server cannot save before this ends: another connection holds the project."""
        async with self.product.pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT 1 FROM projects WHERE id = $1 FOR UPDATE", self.project_id)
            yield

    async def waiting(self, number: int = 1) -> None:
        """Waits until so many saves are under way."""

        async def are_waiting(connection: Connection) -> bool:
            return await count_waiting_backends(connection) >= number

        await self.product.until(are_waiting, True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Product, Chromium]]:
    async with shared_product(postgres, tmp_path_factory.mktemp("questionnaire")) as both:
        yield both


@pytest_asyncio.fixture(loop_scope="module")
async def place(shared: tuple[Product, Chromium]) -> Place:
    """A new project of a new person."""
    product, browser = shared
    user = product.github.people.add(f"mona-{secrets.token_hex(3)}")
    tokens = SealedTokens("x", None, None)
    async with product.pool.acquire() as connection:
        user_id = await upsert_user(connection, user.id, user.login, None, tokens)
    person = Person(user_id, user.id, user.login, user_id, None)
    project_id = await create_project(product.pool, person, described("Shop", ""), None)
    return Place(product, browser, user, project_id)


def summary(page: Page) -> Any:
    return page.get_by_label("What does it do?")


async def opened(context: BrowserContext, place: Place) -> Page:
    page = await context.new_page()
    await page.goto(place.path)
    return page


async def test_every_way_out_saves_the_last_answer(place: Place) -> None:
    async with signed_in(place.chromium, place.product, place.user) as context:
        page = await opened(context, place)
        await summary(page).press_sequentially("by link")
        await page.get_by_role("link", name="Next: Stack").click()
        await place.stored("intent.summary", "by link")
        await page.go_back()
        await expect(summary(page)).to_have_value("by link")
        await summary(page).fill("by reload")
        await page.reload()
        await place.stored("intent.summary", "by reload")
        await expect(summary(page)).to_have_value("by reload")
        await summary(page).fill("by keyboard")
        await page.keyboard.press("Alt+ArrowLeft")
        await place.stored("intent.summary", "by keyboard")
        await page.goto(place.path)
        await summary(page).fill("by address")
        await page.goto("/projects")
        await place.stored("intent.summary", "by address")
        await page.goto(place.path)
        await summary(page).fill("by closing")
        await page.close(run_before_unload=True)
        await place.stored("intent.summary", "by closing")
        page = await opened(context, place)
        # The page may send what the closed one kept, and replace the field by the answer.
        # It is filled after that.
        await page.wait_for_load_state("networkidle")
        await summary(page).fill("by doing nothing")
        await expect(page.locator("#saved")).to_have_text(SAVED)
        await place.stored("intent.summary", "by doing nothing")


async def test_a_tab_that_a_phone_hides_has_saved_before(place: Place) -> None:
    async with signed_in(place.chromium, place.product, place.user, phone=True) as context:
        page = await opened(context, place)
        await page.clock.install()  # no timer of the page ever fires by itself
        await page.clock.pause_at("2100-01-01")
        await summary(page).fill("hidden")
        await page.evaluate(
            "Object.defineProperty(document, 'visibilityState', {value: 'hidden'});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        await place.stored("intent.summary", "hidden")


@pytest.mark.nightly
async def test_a_slow_save_that_is_overtaken_by_a_later_one_does_not_win(place: Place) -> None:
    async with signed_in(place.chromium, place.product, place.user) as context:
        page, held, over = await opened(context, place), list[Request](), asyncio.Event()

        async def hold_first(route: Route) -> None:
            if route.request.method != "POST" or held:
                return await route.continue_()
            held.append(route.request)
            await over.wait()
            await route.abort()

        await context.route("**/questionnaire/**", hold_first)
        await summary(page).fill("first")
        await until(lambda: bool(held), lambda: "nothing was sent")
        await summary(page).fill("second")
        await page.get_by_role("link", name="Next: Stack").click()
        await expect(page.get_by_role("heading", name="Stack", exact=True)).to_be_visible()
        await place.stored("intent.summary", "second")
        late = held[0]
        answer = await context.request.post(late.url, data=late.post_data or "", headers=late.headers)
        assert answer.ok, "the first save arrives at last"
        assert (await place.answers())["intent.summary"] == "second"
        over.set()
        await page.goto(place.path)
        await expect(summary(page)).to_have_value("second")
        await expect(page.locator("#saved")).to_have_text(SAVED)
        assert (await place.answers())["intent.summary"] == "second"


async def test_two_quick_changes_on_a_slow_server_are_both_saved(place: Place) -> None:
    async with signed_in(place.chromium, place.product, place.user) as context:
        page = await opened(context, place)
        async with place.slow():
            await summary(page).fill("one")
            await place.waiting(1)
            await page.get_by_label("Who uses it?").fill("two")
        await expect(page.locator("#saved")).to_have_text(SAVED)
        await place.stored("intent.users", ["two"])
        await place.stored("intent.summary", "one")


@pytest.mark.nightly
async def test_being_offline_is_said_and_what_was_written_is_saved_once_online_or_when_the_section_is_open_again(
    place: Place,
) -> None:
    async with signed_in(place.chromium, place.product, place.user) as context:
        page = await opened(context, place)
        await expect(page.get_by_role("button", name="Retry")).to_be_hidden()
        await context.set_offline(True)
        await summary(page).fill("offline")
        await expect(page.locator("#saved")).to_contain_text("You are offline")
        await expect(page.get_by_role("button", name="Retry")).to_be_visible()
        await look(page, "f-questionnaire-offline")
        await context.set_offline(False)
        await place.stored("intent.summary", "offline")
        await expect(page.locator("#saved")).to_have_text(SAVED)
        await context.set_offline(True)
        await summary(page).fill("left while offline")
        await expect(page.locator("#saved")).to_contain_text("You are offline")
        await page.close()
        await context.set_offline(False)
        page = await opened(context, place)
        await expect(summary(page)).to_have_value("left while offline")
        await place.stored("intent.summary", "left while offline")


@pytest.mark.nightly
async def test_somebody_elses_answer_is_not_overwritten_and_nobodys_text_is_lost(place: Place) -> None:
    async with signed_in(place.chromium, place.product, place.user) as context:
        first, second = await opened(context, place), await opened(context, place)
        await summary(first).fill("mine")
        await expect(first.locator("#saved")).to_have_text(SAVED)
        await second.get_by_label("Who uses it?").fill("untouched by the other")
        await expect(second.locator("#saved")).to_have_text(SAVED)
        await summary(second).fill("theirs")
        await expect(second.get_by_text("saved another answer meanwhile")).to_be_visible()
        await expect(second.locator("#saved")).to_contain_text("Not all answers are saved")
        assert await place.answers() == {"intent.summary": "mine", "intent.users": ["untouched by the other"]}
        await expect(second.locator("[data-conflict] pre")).to_have_text("mine")
        await expect(summary(second)).to_have_value("theirs")
        await look(second, "f-questionnaire-conflict")
        await second.get_by_role("button", name="Save mine instead").click()
        await place.stored("intent.summary", "theirs")
        await expect(second.get_by_text("saved another answer meanwhile")).to_have_count(0)
        # The first window's next change is a conflict in turn, and its writer may take what is saved.
        await summary(first).fill("mine again")
        await expect(first.get_by_text("saved another answer meanwhile")).to_be_visible()
        await first.get_by_role("link", name="Load the saved one").click()
        await expect(summary(first)).to_have_value("theirs")
        assert (await place.answers())["intent.summary"] == "theirs"


async def test_a_refused_value_is_said_at_its_field_and_saved_once_it_is_right(place: Place) -> None:
    async with signed_in(place.chromium, place.product, place.user) as context:
        page = await opened(context, place)
        users = page.get_by_label("Who uses it?")
        await users.fill("x" * 501)
        await expect(users).to_have_attribute("aria-invalid", "true")
        await expect(page.locator("[data-question=users] [data-said]")).to_contain_text("at most 500 characters")
        await summary(page).fill("right")
        await place.stored("intent.summary", "right")
        await users.fill("Shop keepers")
        await place.stored("intent.users", ["Shop keepers"])
        await expect(users).not_to_have_attribute("aria-invalid", "true")
        await expect(page.locator("#saved")).to_have_text(SAVED)


@pytest.mark.nightly
async def test_after_the_session_ended_signing_in_again_brings_the_answer_home(place: Place) -> None:
    async with signed_in(place.chromium, place.product, place.user) as context:
        page = await opened(context, place)
        async with place.product.pool.acquire() as connection:
            await connection.execute(
                "DELETE FROM sessions WHERE user_id = (SELECT user_id FROM projects WHERE id = $1)", place.project_id
            )
        await summary(page).fill("written while signed out")
        await expect(page.locator("#saved")).to_contain_text("you are signed out")
        await look(page, "f-questionnaire-signed-out")
        await page.get_by_role("button", name="Sign in and continue").click()
        await expect(page.get_by_role("heading", name="Sign in to continue")).to_be_visible()
        await look(page, "f-sign-in-to-continue")
        await page.get_by_role("main").get_by_role("link", name="Sign in with GitHub").click()
        await page.get_by_role("button", name=f"Sign in as {place.user.login}").click()
        await expect(page.get_by_role("heading", name="Send what you wrote?")).to_be_visible()
        await look(page, "f-send-what-you-wrote")
        await expect(page.locator("dl.written")).to_have_text(re.compile(r"^\s*summary\s*written while signed out\s*$"))
        assert await place.answers() == {}
        await page.get_by_role("button", name="Send it now").click()
        await expect(page.get_by_role("heading", name="Product intent")).to_be_visible()
        await place.stored("intent.summary", "written while signed out")


async def test_signing_in_again_in_another_tab_lets_the_first_one_go_on(place: Place) -> None:
    async with signed_in(place.chromium, place.product, place.user) as context:
        page = await opened(context, place)
        async with signed_in(place.chromium, place.product, place.user) as other:
            await context.add_cookies(await other.cookies())  # type: ignore[arg-type]
        await summary(page).fill("with a new session")
        await expect(page.locator("#saved")).to_have_text(SAVED)
        await place.stored("intent.summary", "with a new session")


async def test_without_a_script_the_button_saves_and_a_conflict_is_told(place: Place) -> None:
    async with signed_in(place.chromium, place.product, place.user, scripts=False) as context:
        first, second = await opened(context, place), await opened(context, place)
        await summary(first).fill("mine")
        await first.get_by_role("button", name="Save").click()
        await expect(first.locator("#saved")).to_have_text(SAVED)
        assert (await place.answers())["intent.summary"] == "mine"
        await summary(second).fill("theirs")
        await second.get_by_role("button", name="Save").click()
        await expect(second.get_by_text("saved another answer meanwhile")).to_be_visible()
        await expect(summary(second)).to_have_value("theirs")
        assert (await place.answers())["intent.summary"] == "mine"
        await second.get_by_role("button", name="Save mine instead").click()
        await expect(second.locator("#saved")).to_have_text(SAVED)
        assert (await place.answers())["intent.summary"] == "theirs"
