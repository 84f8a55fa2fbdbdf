"""Re-runs have a budget: refused where a person waits for the answer, deferred everywhere else, and never lost."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from pathlib import Path

import pytest

from forgeguard_app.flows.intake.rerun_audit import TooManyReruns, rerun_audit, start_or_defer
from forgeguard_app.flows.intake.rerun_budget import BUDGET
from forgeguard_app.flows.upkeep.requeue_stranded import requeue_stranded
from forgeguard_app.simulator.state import Repository
from forgeguard_app.simulator.story import Story
from forgeguard_app.store.audits import AuditRun, find_newest_run
from forgeguard_app.store.reruns import RerunBudget, delete_old_requests, find_due, find_request_refused
from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.starting import started
from tests.support.stored import get_repo_id
from tests.support.stored_jobs import (
    age_rerun_requests,
    count_jobs,
    count_rerun_requests,
    count_waiting_jobs,
    drop_jobs_of,
    drop_rerun_requests,
    let_rerun_requests_be_due,
)
from tests.support.stored_runs import count_published_reruns, count_reruns, get_newest_run_id

_RECORDINGS = "SELECT id FROM procrastinate_jobs WHERE task_name = 'record_violations'"
_WAITING = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'record_violations' AND status = 'todo'"


async def heads(product: Product, tree: WorkTree, number: int) -> tuple[Repository, list[AuditRun]]:
    """A repository with so many heads that were evaluated."""
    repository, _ = await product.repository()
    shas = []
    for name in range(number):
        shas.append(tree.commit({f"m{name}.py": "x = 1\n"}))
        await product.push(tree, repository, f"topic{name}")
    await product.idle()
    async with product.pool.acquire() as connection:
        repo_id = await get_repo_id(connection, repository.id)
        found = [await find_newest_run(connection, repo_id, sha) for sha in shas]
    return repository, [run for run in found if run is not None]


async def spend(product: Product, person: int | None) -> None:
    """The whole budget of a person, spent just now."""
    async with product.pool.acquire() as connection:
        await connection.execute(
            """
            INSERT INTO rerun_requests (repo_id, installation_id, commit_sha, asked_by, run_id, due_at, created_at)
            SELECT r.id, r.installation_id, 'x', $1, (SELECT min(id::text)::uuid FROM audit_runs), now(),
                now() - interval '1 minute'
                FROM repos r, generate_series(1, $2)
            """,
            person,
            BUDGET.of_person if person is not None else BUDGET.of_installation,
        )


async def defer(product: Product, person: int, *minutes: int) -> None:
    """Re-runs of a person that are deferred for so many minutes."""
    async with product.pool.acquire() as connection:
        await connection.execute(
            """
            INSERT INTO rerun_requests (repo_id, installation_id, commit_sha, asked_by, due_at)
            SELECT r.id, r.installation_id, gen_random_uuid()::text, $1, now() + make_interval(mins => m)
                FROM repos r, unnest($2::integer[]) m
            """,
            person,
            minutes,
        )


@pytest.mark.nightly
async def test_a_person_and_an_account_have_so_many_re_runs_an_hour_however_fast_they_ask(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p") as product:
        _, runs = await heads(product, tree, 6)
        budget = RerunBudget(of_person=2, of_installation=3)
        await defer(product, 9, 70, 70, 140)  # what somebody else may not start yet takes nothing away now
        asked = [rerun_audit(product.pool, run, 1, budget) for run in runs]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, TooManyReruns)]
        assert len(refused) == 4
        assert all(3_500 < answer.again_s <= 3_600 and "Ask again in 60 minutes" in str(answer) for answer in refused)
        left = [run for run, answer in zip(runs, answers, strict=True) if isinstance(answer, TooManyReruns)]
        await rerun_audit(product.pool, left[0], 2, budget)  # another person of the same account
        for run in left[1:]:
            try:
                await rerun_audit(product.pool, run, 3, budget)
            except TooManyReruns:
                continue
            raise AssertionError("the account's budget is spent")
        async with product.pool.acquire() as connection:
            assert await count_reruns(connection) == 3


@pytest.mark.nightly
async def test_a_person_who_asked_for_little_has_a_re_run_though_others_spent_the_account_s_share(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p") as product:
        _, runs = await heads(product, tree, 6)
        budget = RerunBudget(of_person=2, of_installation=4, reserved=2, few=1)
        asked = zip(runs, (1, 1, 2, 2, 3, 4), strict=True)
        outcomes = [await started_at_once(product, run, person, budget) for run, person in asked]
        assert outcomes == [True, True, True, False, True, False]


async def started_at_once(product: Product, run: AuditRun, person: int, budget: RerunBudget) -> bool:
    """Return whether the person's re-run starts; False where the budget is spent."""
    try:
        await rerun_audit(product.pool, run, person, budget)
    except TooManyReruns:
        return False
    return True


async def test_what_is_asked_at_github_beyond_the_budget_is_deferred_once_and_done_in_time(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p") as product:
        repository = await started(product, tree)
        await product.idle()
        story, sha = Story(product.github), tree.git("rev-parse", "HEAD")
        await spend(product, product.github.world.pusher.id)
        async with product.pool.acquire() as connection:
            before = await count_reruns(connection)
            for _ in range(3):
                story.rerun(repository, sha)
                await product.github.webhooks.settle()
            assert (await count_waiting_jobs(connection, "start_rerun"), await count_reruns(connection)) == (1, before)
            run_id = await get_newest_run_id(connection)
            async with Browser(product) as browser:
                await browser.get(f"/audits/{run_id}")
                assert "because this hour's budget of re-runs is spent" in browser.text
            await let_rerun_requests_be_due(connection, 9)
            await delete_old_requests(connection)  # while no worker ran
            await drop_jobs_of(connection, "start_rerun")
        for _ in range(2):  # the job is lost, and enqueued once
            await requeue_stranded(product.context, 0)
        await product.until(count_published_reruns, before + 1)
        await product.idle()
        async with product.pool.acquire() as connection:
            assert (await count_waiting_jobs(connection, "start_rerun"), await count_reruns(connection)) == (
                0,
                before + 1,
            )
            await let_rerun_requests_be_due(connection, 3)
            await delete_old_requests(connection)
            assert await count_rerun_requests(connection) == 0


@pytest.mark.nightly
async def test_what_is_asked_at_github_far_beyond_the_budget_is_refused_and_the_page_says_so(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    await product.idle()
    story, sha = Story(product.github), tree.git("rev-parse", "HEAD")
    person = product.github.world.pusher.id
    async with product.without_chores(), product.pool.acquire() as connection:
        await spend(product, person)
        await defer(product, person, *[55] * BUDGET.of_person, *[115] * BUDGET.of_person)
        run_id, before = await get_newest_run_id(connection), await count_rerun_requests(connection)
        async with Browser(product) as browser:
            for press in (partial(story.rerun, repository, sha), partial(press_button, product, repository, sha)):
                await browser.get(f"/audits/{run_id}")
                assert "was refused" not in browser.text
                press()
                await product.github.webhooks.settle()
                await browser.get(f"/audits/{run_id}")
                assert "could not have been answered within 2 hours" in browser.text
                await connection.execute("UPDATE audit_runs SET request_refused_at = NULL")
        assert await count_rerun_requests(connection) == before
        assert await count_jobs(connection, "start_rerun") + await count_jobs(connection, "record_violations") == 0
        former = await find_newest_run(connection, await get_repo_id(connection), sha)
        assert former is not None
        # What follows from something else than a press has nobody who would ask again.
        async with connection.transaction():
            asked = await start_or_defer(connection, former, person)
        assert (asked.run_id, asked.is_new) == (None, True)
        story.rerun(repository, sha)
        await product.github.webhooks.settle()
        assert await find_request_refused(connection, run_id) is None, "the same request waits already"


def press_button(product: Product, repository: Repository, sha: str) -> None:
    """Press the button that records what is known, on the check run of A4."""
    runs = product.github.world.runs_of(repository.id, sha)
    button = next(run.id for run in runs if "A4" in run.name)
    Story(product.github).press(repository, button, "record_known")


async def test_a_head_has_one_deferred_re_run_which_the_first_one_with_room_answers(
    product: Product, tree: WorkTree
) -> None:
    await started(product, tree)
    await product.idle()
    sha = tree.git("rev-parse", "HEAD")
    async with product.without_chores(), product.pool.acquire() as connection:
        former = await find_newest_run(connection, await get_repo_id(connection), sha)
        assert former is not None
        await spend(product, 1)
        await defer(product, 1, *[65] * BUDGET.of_person)
        await spend(product, 2)
        due = []
        for person in (1, 1, 2, 1):
            async with connection.transaction():
                await start_or_defer(connection, former, person, None)
            due.append(await find_due(connection, former.repo_id, sha))
        assert due[0] == due[1] and due[2] == due[3] and due[2] is not None and due[0] is not None
        assert due[2] < due[0], "the earlier one takes the place of the later one"
        await connection.execute("UPDATE audit_runs SET created_at = created_at - interval '1 minute'")
        await rerun_audit(product.pool, former, 3)
        assert await find_due(connection, former.repo_id, sha) is None, "the run that starts now answers it"


async def test_beyond_the_budget_the_page_and_the_api_say_when_to_ask_again(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p") as product, Browser(product) as browser:
        repository = await started(product, tree)
        await product.idle()
        user = product.github.people.add("mona")
        product.github.people.allow(user, repository, "write")
        await browser.sign_in(user, "/account")
        await browser.submit("/account/tokens", name="t", scope="write", days="30")
        token = re.findall(r"fgp_[\w-]+", browser.text)[0]
        async with product.pool.acquire() as connection:
            run_id = await get_newest_run_id(connection)
        await spend(product, user.id)
        browser.home()
        await browser.get(f"/audits/{run_id}")
        assert await browser.submit(f"/audits/{run_id}/rerun") == 429
        assert "as many re-runs as an hour allows" in browser.text
        assert 0 < int(browser.headers["Retry-After"]) <= 3_600
        headers = {"Authorization": f"Bearer {token}"}
        address = f"{product.address}/api/v1/audits/{run_id}/rerun"
        async with product.session.post(address, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (429, "application/problem+json")
            assert "Ask again in 60 minutes" in (await answer.json())["detail"]
            assert 0 < int(answer.headers["Retry-After"]) <= 3_600


@pytest.mark.nightly
async def test_presses_of_the_button_are_one_while_its_job_waits_and_have_the_budget_of_re_runs(
    product: Product, tree: WorkTree
) -> None:
    app = product.github.world.app
    assert app is not None
    app.permissions |= {"contents": "write", "pull_requests": "write"}
    repository = await started(product, tree)
    sha = tree.commit({"b.py": "bad"})
    await product.push(tree, repository, "topic")
    button, story = (await product.verdicts(repository, sha))["A4"].id, Story(product.github)
    await product.idle()

    async def press(times: int) -> None:
        for _ in range(times):
            story.press(repository, button, "record_known")
            await product.github.webhooks.settle()

    async with product.without_chores(), product.pool.acquire() as connection:
        await press(1)
        await product.idle()
        await press(2)
        assert await count_rerun_requests(connection) == 1, "three presses within five seconds"
        await drop_rerun_requests(connection)
        await spend(product, product.github.world.pusher.id)
        product.github.world.pulls.clear()
        before = await count_rerun_requests(connection)
        await press(3)
        assert await count_rerun_requests(connection) == before + 1
        await age_rerun_requests(connection, 9)
        await press(1)  # its job waits
        assert await connection.fetchval(f"{_WAITING} AND scheduled_at > now() + interval '50 minutes'") == 1
        assert product.github.world.pulls == {}
        await connection.execute("UPDATE audit_runs SET published_at = NULL WHERE commit_sha = $1", sha)
        assert await requeue_stranded(product.context, 0) == 1, "the press is no job of its verdict"
        await connection.execute(f"UPDATE procrastinate_jobs SET scheduled_at = now() WHERE id IN ({_RECORDINGS})")
        await product.idle()
        assert len(product.github.world.pulls) == 1
