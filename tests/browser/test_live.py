"""Live pages in a real browser: how many streams they hold, what they ask for, and what they leave in place."""

from __future__ import annotations

import asyncio
import re

import pytest
from playwright.async_api import BrowserContext, Page, expect

from forgeguard_app.audit.counts import Counts, FindingGroup
from forgeguard_app.store.audit_findings import StoredCheck, StoredFinding
from forgeguard_app.store.audits import Verdict
from forgeguard_app.store.states import BuildStatus, RunStatus
from tests.browser.conftest import Scene
from tests.support.stored import get_github_installation_id
from tests.support.watching import (
    PASSED,
    finish_build,
    finish_run,
    loop_build,
    run_build,
    speak,
    stir,
    until,
    wait_for_run,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
expect.set_options(timeout=60_000)

FINDING = StoredFinding("a.py", 3, 3, 1, "undeclared", "It imports yaml.", "failure", True, True, None, "f" * 64)
COUNTS = Counts(new=1, counted=1, rules={FindingGroup.NEW: {"undeclared": 1}})
CHECK = StoredCheck(
    "A9",
    "Dependency gate",
    "FAIL",
    "failure",
    "1 undeclared import",
    "",
    "1 undeclared import.",
    counts=COUNTS,
    kept_count=1,
)
FAILED = Verdict(RunStatus.COMPLETED, "FAIL", None, 3, [(CHECK, [FINDING])])


async def opened(context: BrowserContext, address: str) -> Page:
    """A tab, its parts live."""
    page = await context.new_page()
    await page.goto(address)
    return page


async def test_a_waiting_audit_holds_one_stream_and_asks_for_nothing_until_something_changed(scene: Scene) -> None:
    pool, run_id = scene.product.pool, await wait_for_run(scene.product.pool, scene.repo.id, "Wait for me")
    async with scene.window() as (context, proxy):
        page = await opened(context, f"{proxy.address}/audits/{run_id}")
        await proxy.until_streams(1)
        asked = proxy.asked.copy()
        for _ in range(30):
            await stir(pool, scene.repo.id)
        await finish_run(pool, run_id, PASSED)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("PASS")
        await expect(page.get_by_role("status")).to_have_text("Audit finished: PASS")
        await expect(page).to_have_title(re.compile("PASS"))
        more = proxy.asked - asked
        # The run began and ended: one fetch, or two where they were seen apart.
        assert more[f"/audits/{run_id}"] in (1, 2), more
        assert set(more) == {f"/audits/{run_id}"}, "nothing else, and no other stream"
        assert (proxy.streams, proxy.most_streams) == (1, 1)
        async with scene.product.session.get(f"{scene.product.address}/metrics") as answer:
            assert "forgeguard_event_streams 1.0" in await answer.text()


@pytest.mark.nightly
async def test_twenty_tabs_load_share_one_stream_and_all_follow(scene: Scene) -> None:
    pool = scene.product.pool
    runs = [await wait_for_run(pool, scene.repo.id, f"Change {number}") for number in range(10)]
    async with scene.window() as (context, proxy):
        addresses = [f"{proxy.address}/audits/{run_id}" for run_id in runs]
        addresses += [f"{proxy.address}/repos/{scene.repo.full_name}"] * 10
        pages = await asyncio.gather(*(opened(context, address) for address in addresses))
        for page in pages:
            await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await proxy.until_streams(1)
        assert proxy.most_streams <= 2, (
            "a new one replaces the old one as tabs join, after the old one was answered; its end may arrive later"
        )
        await finish_run(pool, runs[4], FAILED)
        await expect(pages[4].get_by_role("heading", level=1)).to_contain_text("FAIL")
        for page in pages[10:]:
            await expect(page.locator(f"#run-{runs[4]}")).to_contain_text("FAIL")
        assert proxy.streams == 1


@pytest.mark.nightly
async def test_a_stream_that_the_server_has_not_answered_is_not_replaced(scene: Scene) -> None:
    pool = scene.product.pool
    runs = [await wait_for_run(pool, scene.repo.id, f"Slow {number}") for number in range(8)]
    async with scene.window() as (context, proxy):
        proxy.stream_gate.clear()
        pages = []
        for run_id in runs:
            pages.append(await opened(context, f"{proxy.address}/audits/{run_id}"))
            await until(lambda: proxy.streams == 1, lambda: "no stream was asked for")
        # A stream that says nothing for seconds is followed by polls.
        assert len([query for query in proxy.followed if "once=1" not in query]) == 1
        proxy.stream_gate.set()
        for run_id, page in zip(runs, pages, strict=True):
            await finish_run(pool, run_id, PASSED)
            await expect(page.get_by_role("heading", level=1)).to_contain_text("PASS")


async def test_a_change_between_rendering_and_connecting_is_not_missed(scene: Scene) -> None:
    pool, run_id = scene.product.pool, await wait_for_run(scene.product.pool, scene.repo.id, "Be quick")
    async with scene.window() as (context, proxy):
        proxy.refuses_streams = True
        page = await opened(context, f"{proxy.address}/audits/{run_id}")
        await until(lambda: proxy.asked["/events"] > 0, lambda: "no stream was asked for")
        await finish_run(pool, run_id, PASSED)
        proxy.refuses_streams = False
        await expect(page.get_by_role("heading", level=1)).to_contain_text("PASS")


@pytest.mark.nightly
async def test_a_page_survives_a_server_that_restarts(scene: Scene) -> None:
    pool, run_id = scene.product.pool, await wait_for_run(scene.product.pool, scene.repo.id, "Survive")
    async with scene.window() as (context, proxy):
        page = await opened(context, f"{proxy.address}/audits/{run_id}")
        await proxy.until_streams(1)
        proxy.refuses_streams = True
        proxy.cut_streams()
        await expect(page.get_by_role("status")).to_contain_text("Live updates are interrupted")
        await finish_run(pool, run_id, PASSED)
        proxy.refuses_streams = False
        await expect(page.get_by_role("heading", level=1)).to_contain_text("PASS")
        await proxy.until_streams(1)


async def test_twenty_clicks_on_cancel_of_twenty_reach_a_build_that_changes_all_the_time(scene: Scene) -> None:
    pool, build_id = scene.product.pool, await scene.start_build()
    await run_build(pool, build_id)
    async with scene.window() as (context, proxy):
        page = await opened(context, f"{proxy.address}/builds/{build_id}")
        await proxy.until_streams(1)
        await page.evaluate(
            "clicks = 0; addEventListener('submit', (event) => { event.preventDefault(); clicks += 1; }, true)"
        )
        await page.get_by_text("Cancel", exact=True).click()
        spot = await page.get_by_role("button", name="Cancel the build").bounding_box()
        assert spot is not None
        await page.mouse.move(spot["x"] + 5, spot["y"] + 5)
        for number in range(20):
            await page.mouse.down()
            await loop_build(pool, build_id)
            await speak(pool, build_id, f"n{number}")
            await page.mouse.up()
        assert await page.evaluate("clicks") == 20
        failed_attempts = page.locator("#build td[data-label='Failed attempts']").first
        await expect(failed_attempts).to_have_text("20")
        # The page comes while the button is pressed, and waits for its release.
        proxy.gate.clear()
        fetched = proxy.asked[f"/builds/{build_id}"]
        await loop_build(pool, build_id)
        await until(lambda: proxy.asked[f"/builds/{build_id}"] > fetched, lambda: "the page was not fetched")
        await page.mouse.down()
        proxy.gate.set()
        await expect(page.locator("ol[data-log] li", has_text="n19")).to_be_visible()
        await page.mouse.up()
        assert await page.evaluate("clicks") == 21
        await expect(failed_attempts).to_have_text("21")
    await finish_build(pool, build_id, BuildStatus.CANCELLED)


@pytest.mark.nightly
async def test_a_log_that_grows_asks_for_no_page_and_opens_at_its_end(scene: Scene) -> None:
    pool, build_id = scene.product.pool, await scene.start_build()
    await run_build(pool, build_id)
    await speak(pool, build_id, *(f"early {number}" for number in range(1_200)))
    async with scene.window() as (context, proxy):
        page = await opened(context, f"{proxy.address}/builds/{build_id}")
        await proxy.until_streams(1)
        assert await last_in_view(page) == "early 1199"
        fetched = proxy.asked[f"/builds/{build_id}"]
        for number in range(40):
            await speak(pool, build_id, f"late {number}")
        await expect(page.get_by_text("late 39", exact=True)).to_be_attached()
        assert await last_in_view(page) == "late 39"
        assert proxy.asked[f"/builds/{build_id}"] == fetched, "lines are no reason to load the page"
        numbers = await page.eval_on_selector_all(".log li bdi", "all => all.map(one => one.textContent)")
        assert numbers == [f"early {n}" for n in range(700, 1_200)] + [f"late {n}" for n in range(40)], (
            "no gap, no duplicate"
        )
        await page.get_by_role("link", name="Earlier lines").click()
        await expect(page.get_by_text("early 200", exact=True)).to_be_attached()
        await page.get_by_role("link", name="Earlier lines").click()
        await expect(page.get_by_text("early 0", exact=True)).to_be_attached()
        await expect(page.get_by_role("link", name="Earlier lines")).to_have_count(0)
        assert await last_in_view(page) == "late 39"
        await page.evaluate("document.querySelector('.log').scrollTop = -5000")
        place = await page.evaluate(TOP_LINE)
        await speak(pool, build_id, "later still")
        await expect(page.get_by_text("later still", exact=True)).to_be_attached()
        assert await page.evaluate(TOP_LINE) == place, "who reads above is left there"
        await finish_build(pool, build_id, BuildStatus.FAILED)
        await expect(page.get_by_role("status")).to_have_text("Build failed")
        await proxy.until_streams(0)


TOP_LINE = """(() => {
    const top = document.querySelector('.log').getBoundingClientRect().top;
    return [...document.querySelectorAll('.log li')].find((one) => one.getBoundingClientRect().top >= top).textContent;
})()"""


async def last_in_view(page: Page) -> str:
    """The last line that the log's box shows."""
    return str(
        await page.evaluate("""(() => {
        const end = document.querySelector('.log').getBoundingClientRect().bottom;
        const lines = [...document.querySelectorAll('.log li')];
        const shown = lines.filter((one) => one.getBoundingClientRect().bottom <= end);
        return shown.at(-1).querySelector('bdi').textContent;
    })()""")
    )


async def test_focus_selection_open_details_and_typed_text_stay_when_a_page_changes(scene: Scene) -> None:
    pool, sha = scene.product.pool, "c0ffee" + "0" * 34
    run_id = await wait_for_run(pool, scene.repo.id, "Keep my place", sha)
    await finish_run(pool, run_id, FAILED)
    async with scene.window() as (context, proxy):
        page = await opened(context, f"{proxy.address}/audits/{run_id}")
        await proxy.until_streams(1)
        await page.get_by_text("Allow", exact=True).first.click()
        await page.get_by_label("Why").fill("It is vendored")
        await page.get_by_label("For").select_option("90")
        await page.get_by_label("Why").focus()
        await page.evaluate(
            "before = document.activeElement; "
            "getSelection().selectAllChildren(document.querySelector('.findings li a'))"
        )
        await page.get_by_label("Why").focus()
        await page.evaluate("getSelection().selectAllChildren(document.querySelector('.findings li a'))")
        selected = await page.evaluate("String(getSelection())")
        await wait_for_run(pool, scene.repo.id, "Keep my place", sha)
        await expect(page.get_by_text("This commit was audited again")).to_be_visible()
        assert await page.evaluate("String(getSelection())") == selected == "a.py:3"
        assert await page.evaluate("before.isConnected && before === document.activeElement")
        await expect(page.get_by_label("Why")).to_have_value("It is vendored")
        await expect(page.get_by_label("For")).to_have_value("90")


async def test_a_page_that_shows_a_refused_form_stays_live_and_keeps_what_was_typed(scene: Scene) -> None:
    pool, sha = scene.product.pool, "facade" + "0" * 34
    run_id = await wait_for_run(pool, scene.repo.id, "Allow me", sha)
    await finish_run(pool, run_id, FAILED)
    async with scene.window(expected=("400",)) as (context, proxy):
        page = await opened(context, f"{proxy.address}/audits/{run_id}")
        await page.get_by_text("Allow", exact=True).first.click()
        await page.get_by_label("Why").fill(" ")
        await page.get_by_label("For").select_option("90")
        await page.get_by_role("button", name="Allow").click()
        await expect(page.get_by_role("alert")).to_contain_text("Say why it is allowed")
        await expect(page.get_by_label("Why")).to_be_focused()
        await proxy.until_streams(1)
        await wait_for_run(pool, scene.repo.id, "Allow me", sha)
        await expect(page.get_by_text("This commit was audited again")).to_be_visible()
        await expect(page.get_by_role("alert")).to_be_visible()
        await expect(page.get_by_label("For")).to_have_value("90")


@pytest.mark.parametrize("without", [("SharedWorker",), ("SharedWorker", "locks")])
async def test_browsers_without_a_shared_worker_follow_too(scene: Scene, without: tuple[str, ...]) -> None:
    pool = scene.product.pool
    first, second = [await wait_for_run(pool, scene.repo.id, f"Run {number}") for number in range(2)]
    async with scene.window(without=without) as (context, proxy):
        pages = [await opened(context, f"{proxy.address}/repos/{scene.repo.full_name}") for _ in range(3)]
        streams = 1 if without == ("SharedWorker",) else 3
        await proxy.until_streams(streams)
        await finish_run(pool, first, FAILED)
        for page in pages:
            await expect(page.locator(f"#run-{first}")).to_contain_text("FAIL")
        assert proxy.most_streams == streams
        # The tab that holds the stream goes: another one opens its own.
        await pages[0].close()
        await proxy.until_streams(streams - 1 or 1)
        await finish_run(pool, second, FAILED)
        for page in pages[1:]:
            await expect(page.locator(f"#run-{second}")).to_contain_text("FAIL")


async def test_a_stream_ends_with_the_last_page_that_needs_it_and_comes_back_with_it(scene: Scene) -> None:
    run_id = await wait_for_run(scene.product.pool, scene.repo.id, "Go and come back")
    async with scene.window() as (context, proxy):
        page = await opened(context, f"{proxy.address}/audits/{run_id}")
        other = await opened(context, f"{proxy.address}/repos/{scene.repo.full_name}")
        await until(lambda: "repo/" in proxy.followed[-1], lambda: str(proxy.followed))
        assert f"audit/{run_id}" in proxy.followed[-1]
        await page.goto(f"{proxy.address}/rules")
        await until(lambda: f"audit/{run_id}" not in proxy.followed[-1], lambda: "what no tab shows is followed")
        await proxy.until_streams(1)
        await other.close()
        await proxy.until_streams(0)
        await page.go_back()
        await proxy.until_streams(1)
        await finish_run(scene.product.pool, run_id, PASSED)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("PASS")


async def test_a_hidden_tab_loads_its_parts_when_it_is_seen_again(scene: Scene) -> None:
    pool, run_id = scene.product.pool, await wait_for_run(scene.product.pool, scene.repo.id, "Look away")
    async with scene.window() as (context, proxy):
        await context.add_init_script(
            "hides = false; Object.defineProperty(Document.prototype, 'hidden', {get: () => hides});"
        )
        page = await opened(context, f"{proxy.address}/audits/{run_id}")
        other = await opened(context, f"{proxy.address}/repos/{scene.repo.full_name}")
        await proxy.until_streams(1)
        await page.evaluate("hides = true; document.dispatchEvent(new Event('visibilitychange'))")
        await finish_run(pool, run_id, PASSED)
        await expect(other.locator(f"#run-{run_id}")).to_contain_text("PASS")
        assert proxy.asked[f"/audits/{run_id}"] == 1
        await page.evaluate("hides = false; document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("PASS")


@pytest.mark.nightly
async def test_a_proxy_that_holds_streams_back_does_not_keep_pages_from_changing(scene: Scene) -> None:
    run_id = await wait_for_run(scene.product.pool, scene.repo.id, "Get through")
    async with scene.window() as (context, proxy):
        proxy.buffers = True
        page = await opened(context, f"{proxy.address}/audits/{run_id}")
        await proxy.until_streams(1)
        await finish_run(scene.product.pool, run_id, PASSED)
        await expect(page.get_by_role("heading", level=1)).to_contain_text("PASS")


async def test_signing_out_ends_what_other_tabs_follow_and_they_say_so(scene: Scene) -> None:
    build_id = await scene.start_build()
    async with scene.window(again=True) as (context, proxy):
        page = await opened(context, f"{proxy.address}/builds/{build_id}")
        await expect(page.get_by_role("main")).to_contain_text("No worker is running")
        await proxy.until_streams(1)
        other = await opened(context, f"{proxy.address}/rules")
        await other.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("status")).to_contain_text("does not update any more")
        await proxy.until_streams(0)
    await finish_build(scene.product.pool, build_id, BuildStatus.CANCELLED)


async def test_overviews_of_repositories_installations_and_projects_change_by_themselves(scene: Scene) -> None:
    pool = scene.product.pool
    async with pool.acquire() as connection:
        number = await get_github_installation_id(connection)
    run_id = await wait_for_run(pool, scene.repo.id, "Shown in overviews")
    async with scene.window() as (context, proxy):
        paths = ("/", "/installations", f"/installations/{number}", f"/projects/{scene.project_id}")
        start, installations, installation, project = [await opened(context, proxy.address + path) for path in paths]
        await proxy.until_streams(1)
        await expect(installations.locator("td[data-label=Failing]")).to_have_text("0")
        await expect(project.get_by_role("button", name="Start a build")).to_be_visible()
        asked = proxy.asked.copy()
        await finish_run(pool, run_id, FAILED)
        for page in (start, installation):
            await expect(page.get_by_role("row").filter(has_text=scene.repo.full_name)).to_contain_text("FAIL")
        await expect(installations.locator("td[data-label=Failing]")).to_have_text("1")
        assert proxy.asked[paths[-1]] == asked[paths[-1]], "what did not change is not asked for"
        build_id = await scene.start_build()
        await expect(project.locator("#builds + table")).to_contain_text("Waiting")
        await expect(project.get_by_role("heading", level=1)).to_contain_text("building")
        await finish_build(pool, build_id, BuildStatus.CANCELLED)
        await expect(project.locator("#builds + table")).to_contain_text("Cancelled")
        assert proxy.streams == 1


async def test_without_scripts_a_live_page_is_readable_and_says_how_to_refresh_it(scene: Scene) -> None:
    run_id = await wait_for_run(scene.product.pool, scene.repo.id, "Read me")
    async with scene.window(scripts=False) as (context, proxy):
        page = await opened(context, f"{proxy.address}/audits/{run_id}")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Read me")
        await finish_run(scene.product.pool, run_id, PASSED)
        await page.get_by_role("link", name="Refresh it").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("PASS")
