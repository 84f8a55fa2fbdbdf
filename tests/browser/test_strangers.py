"""What strangers write reaches pages as text of its own direction, and acts nowhere."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from forgeguard_app.store.allowances import NewAllowance, insert_allowance
from forgeguard_app.store.audit_findings import StoredCheck, StoredFinding
from forgeguard_app.store.audits import Verdict
from forgeguard_app.store.states import BuildStatus, RunStatus
from tests.browser.conftest import Scene
from tests.support.watching import finish_build, finish_run, name_project, run_build, speak, wait_for_run

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVIL = "\u202e\u2066שטרן.exe\x1b[31m"
MARK = "שטרן"
# Characters that act, and texts of strangers whose direction is their surroundings'.
ACTING = """(mark) => {
    const wrong = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const copy = document.documentElement.cloneNode(true);
    for (const field of copy.querySelectorAll('input, textarea')) field.remove();  // a field holds the text as it is
    if (/[\\u202a-\\u202e\\u2066-\\u2069\\u001b]/.test(copy.outerHTML)) wrong.push('an acting character');
    let seen = 0;
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        if (!text.data.includes(mark) || text.parentElement.closest('textarea, option, script')) continue;
        seen += 1;
        let one = text.parentElement;
        const plain = (style) => style.display === 'inline' && style.unicodeBidi === 'normal';
        while (one && plain(getComputedStyle(one))) one = one.parentElement;
        if (!one || !['isolate', 'plaintext'].includes(getComputedStyle(one).unicodeBidi)
            || (getComputedStyle(one).display !== 'inline' && one.nodeName !== 'PRE')) wrong.push(text.data.trim());
    }
    return {wrong, seen};
}"""


async def test_no_text_of_a_stranger_acts_on_the_page_around_it(scene: Scene) -> None:
    pool = scene.product.pool
    finding = StoredFinding(
        f"{EVIL}.py",
        1,
        1,
        1,
        f"{EVIL}/forbidden",
        f"It has `{EVIL}`.",
        "failure",
        True,
        True,
        None,
        "e" * 64,
        f"x = 1  # {EVIL}\n",
        1,
    )
    verdict = Verdict(
        RunStatus.COMPLETED,
        "FAIL",
        None,
        1,
        [(StoredCheck("A4", "Boundary compliance", "FAIL", "failure", EVIL, "", f"Layer `{EVIL}`."), [finding])],
    )
    run_id = await wait_for_run(pool, scene.repo.id, EVIL, author=EVIL, branch=EVIL)
    await finish_run(pool, run_id, verdict)
    async with pool.acquire() as connection:
        await insert_allowance(
            connection,
            NewAllowance(scene.repo.id, "A4", "e" * 64, EVIL, EVIL, EVIL, scene.person.user_id, "mona", None),
        )
    await name_project(pool, scene.project_id, EVIL)
    build_id = await scene.start_build()
    await run_build(pool, build_id)
    await speak(pool, build_id, EVIL)
    async with scene.window() as (context, proxy):
        page = await context.new_page()
        for path, least in (
            (f"/audits/{run_id}", 5),
            (f"/repos/{scene.repo.full_name}", 3),
            (f"/repos/{scene.repo.full_name}/allowances", 3),
            (f"/builds/{build_id}", 2),
            (f"/projects/{scene.project_id}", 1),
            ("/projects", 1),
            (f"/projects/{scene.project_id}/questionnaire/intent", 1),
            (f"/projects/{scene.project_id}/contracts/ui", 1),
        ):
            await page.goto(proxy.address + path)
            found = await page.evaluate(ACTING, MARK)
            assert not found["wrong"], (path, found)
            assert found["seen"] >= least, (path, found)
        await page.goto(f"{proxy.address}/builds/{build_id}")
        await proxy.until_streams(1)
        await speak(pool, build_id, f"late {EVIL}")
        await page.get_by_text("late").wait_for()
        assert not (await page.evaluate(ACTING, MARK))["wrong"], "lines that come later too"
    await finish_build(pool, build_id, BuildStatus.CANCELLED)


async def test_code_in_our_sentences_is_shown_as_code(scene: Scene) -> None:
    pool, run_id = scene.product.pool, await wait_for_run(scene.product.pool, scene.repo.id, "Quote")
    check = StoredCheck("A4", "Boundary compliance", "FAIL", "failure", "1", "", "Layer `api` matches no file.")
    await finish_run(pool, run_id, Verdict(RunStatus.COMPLETED, "FAIL", None, 1, [(check, [])]))
    async with scene.window() as (context, proxy):
        page: Page = await context.new_page()
        await page.goto(f"{proxy.address}/audits/{run_id}")
        assert "`" not in await page.locator("main").inner_text()
        assert await page.locator("code", has_text="api").first.inner_text() == "api"
