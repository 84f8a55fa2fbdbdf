"""Heads whose events were lost, late or doubled; installations that change; buttons; limits and clocks."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.worker_context import Timings
from forgeguard_app.flows.publishing.publish_verdict import announce_progress, publish_verdict, publish_waiting
from forgeguard_app.flows.upkeep.reconcile_heads import reconcile_heads
from forgeguard_app.flows.upkeep.requeue_stranded import requeue_stranded
from forgeguard_app.flows.upkeep.sync_installations import sync_installations
from forgeguard_app.github.app_access import AppAccess, NotTheApp
from forgeguard_app.github.limits import Limits
from forgeguard_app.github.tokens import TokenCache
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.simulator.git_http import git
from forgeguard_app.simulator.state import Repository
from forgeguard_app.simulator.state import SecondaryLimits as GitHubLimits
from forgeguard_app.simulator.story import Story
from forgeguard_app.store.audits import begin_run
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.rates import set_blocked
from forgeguard_app.store.repos import get_repo
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.starting import START, started
from tests.support.stored import get_account_login, get_installation_status, get_repo_id, has_no_token, lift_limits
from tests.support.stored_runs import (
    count_completed_runs,
    count_refused_runs,
    forget_check_runs,
    get_run_id,
    unpublish_runs,
)


async def upload(product: Product, tree: WorkTree, repository: Repository, sha: str) -> None:
    """Commits come to GitHub without any event."""
    await asyncio.to_thread(tree.git, "push", "--quiet", str(repository.folder), f"{sha}:refs/uploaded/{sha}")


async def test_a_suite_whose_push_never_came_is_evaluated_and_a_late_push_adds_nothing(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    sha = tree.commit({"b.py": "bad"})
    await upload(product, tree, repository, sha)
    kept = product.github.webhooks.send
    sent: list[tuple[str, dict[str, object]]] = []
    product.github.webhooks.send = lambda event, payload, **more: sent.append((event, payload))  # type: ignore[assignment]
    await Story(product.github).move(repository, "topic", sha)
    product.github.webhooks.send = kept  # type: ignore[method-assign]
    payloads = dict(sent)
    product.github.webhooks.send("check_suite", payloads["check_suite"])
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "failure"
    product.github.webhooks.send("push", payloads["push"])
    await product.idle()
    assert len(product.github.world.runs_of(repository.id, sha)) == 3
    assert product.github.world.queued_suites() == []


async def test_a_destroyed_merge_group_is_not_evaluated(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        base = tree.commit(START)
        await product.push(tree, repository)
        sha = tree.commit({"b.py": "bad"})
        await upload(product, tree, repository, sha)
        story = Story(product.github)
        await story.queue_group(repository, sha, base)
        await product.github.webhooks.settle()
        await story.drop_group(repository, sha, base)
        await product.github.webhooks.settle()
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.verdicts(repository, base)
        await product.idle()
        stop.set()
        await worker
        assert product.github.world.runs_of(repository.id, sha) == []
        async with product.pool.acquire() as connection:
            row = await connection.fetchrow("SELECT status, published_at FROM audit_runs WHERE commit_sha = $1", sha)
        assert row is not None and row["status"] == "cancelled" and row["published_at"] is not None


async def test_an_audit_cancelled_under_way_shows_no_progress_afterwards(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        base = tree.commit(START)
        await product.push(tree, repository)
        sha = tree.commit({"b.py": "bad"})
        await upload(product, tree, repository, sha)
        story = Story(product.github)
        await story.queue_group(repository, sha, base)
        await product.github.webhooks.settle()
        async with product.pool.acquire() as connection:
            run_id = await get_run_id(connection, sha)
            run = await begin_run(connection, run_id)
            assert run is not None
            repo = await get_repo(connection, run.repo_id)
            assert repo.installation_id is not None
            installation = await find_installation(connection, repo.installation_id)
        assert installation is not None
        await story.drop_group(repository, sha, base)
        await product.github.webhooks.settle()
        await publish_verdict(product.context, run_id)
        await announce_progress(product.context, run, repo, installation)
        assert product.github.world.runs_of(repository.id, sha) == [], "nobody would ever end them"


@pytest.mark.nightly
async def test_heads_that_no_event_told_of_are_found(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    base = tree.git("rev-parse", "HEAD")
    heads = {}
    for name in ("own", "fork", "group"):
        tree.git("reset", "--quiet", "--hard", base)
        heads[name] = tree.commit({f"{name}.py": "bad"})
        await upload(product, tree, repository, heads[name])
    tree.git("reset", "--quiet", "--hard", base)
    heads["main"] = tree.commit({"main.py": "bad"})
    await upload(product, tree, repository, heads["main"])
    world = product.github.world
    for ref, sha in (
        ("refs/heads/main", heads["main"]),
        ("refs/heads/own", heads["own"]),
        (f"refs/heads/gh-readonly-queue/main/pr-9-{base}", heads["group"]),
        ("refs/pull/2/head", heads["fork"]),
    ):
        await git(repository.folder, "update-ref", ref, sha)
    world.add_pull(repository, "own", heads["own"], "main")
    world.add_pull(repository, "main", heads["fork"], "main", fork=True)
    async with product.pool.acquire() as connection:
        repo_id = await get_repo_id(connection, repository.id)
    await reconcile_heads(product.context, repo_id)
    for sha in heads.values():
        assert (await product.verdicts(repository, sha))["A4"].conclusion == "failure"
    await reconcile_heads(product.context, repo_id)
    await product.idle()
    assert len(world.check_runs) == 3 + 3 * len(heads), "the second look finds nothing to do"


@pytest.mark.nightly
async def test_what_events_did_not_tell_of_installations_is_learnt_from_github(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    installation = product.github.world.installation_of(repository.id)
    assert installation is not None
    fresh = await product.github.create_repository(installation.account, "fresh")
    installation.repository_ids = {fresh.id}
    sha = tree.commit({"c.py": "x"})
    await upload(product, tree, fresh, sha)
    await git(fresh.folder, "update-ref", "refs/heads/main", sha)
    await sync_installations(product.context)
    await sync_installations(product.context)
    await product.verdicts(fresh, sha)
    async with product.pool.acquire() as connection:
        rows = await connection.fetch("SELECT github_repo_id, removed_at IS NULL AS guarded FROM repos")
    assert {row["github_repo_id"]: row["guarded"] for row in rows} == {repository.id: False, fresh.id: True}
    product.github.world.installations.clear()
    await sync_installations(product.context)
    await sync_installations(product.context)
    async with product.pool.acquire() as connection:
        assert await get_installation_status(connection) == "deleted"


@pytest.mark.nightly
async def test_an_older_suspension_that_comes_late_suspends_nothing(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    installation = product.github.world.installation_of(repository.id)
    assert installation is not None
    old = product.github.installation_payload("suspend", installation)
    old["installation"] |= {"updated_at": "2020-01-01T00:00:00Z", "suspended_at": "2020-01-01T00:00:00Z"}
    product.github.webhooks.send("installation", old)
    sha = tree.commit({"b.py": "bad"})
    await product.push(tree, repository, "topic")
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "failure"


@pytest.mark.nightly
async def test_a_button_opens_a_pull_request_that_records_the_findings_once(product: Product, tree: WorkTree) -> None:
    app = product.github.world.app
    assert app is not None
    app.permissions |= {"contents": "write", "pull_requests": "write"}
    repository = await started(product, tree)
    sha = tree.commit({"b.py": "bad"})
    await product.push(tree, repository, "topic")
    a4 = (await product.verdicts(repository, sha))["A4"]
    assert [action["identifier"] for action in a4.actions] == ["record_known"]
    story = Story(product.github)
    for _ in range(2):
        story.press(repository, a4.id, "record_known")
        await product.idle()
    pulls = list(product.github.world.pulls.values())
    assert [(pull.head_ref, pull.base_ref) for pull in pulls] == [(f"forgeguard/known-violations-{sha[:10]}", "topic")]
    text = (await git(repository.folder, "show", f"{pulls[0].head_ref}:boundaries.json")).decode()
    entries = json.loads(text)["known_violations"]
    assert [entry["file"] for entry in entries] == ["b.py"]
    tip = await product.github.head_of(repository, pulls[0].head_ref)
    product.github.world.pulls.clear()
    await Story(product.github).move(repository, "recorded", tip)
    assert (await product.verdicts(repository, tip))["A4"].conclusion == "success"


@pytest.mark.nightly
async def test_without_the_grants_there_is_no_button(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    sha = tree.commit({"b.py": "bad"})
    await product.push(tree, repository, "topic")
    a4 = (await product.verdicts(repository, sha))["A4"]
    assert a4.actions == [] and "known_violations" in a4.output["summary"]
    Story(product.github).press(repository, a4.id, "record_known")
    await product.idle()
    assert product.github.world.pulls == {}


@pytest.mark.nightly
@pytest.mark.parametrize("skew_s", [90.0, -90.0, 4_000.0])
async def test_a_clock_that_is_off_changes_nothing(product: Product, tree: WorkTree, skew_s: float) -> None:
    product.github.world.skew_s = skew_s
    repository = await started(product, tree)
    assert len(product.github.world.latest_runs(repository.id, tree.git("rev-parse", "HEAD"))) == 3
    assert abs(product.context.client.clock.skew_s - skew_s) < 2


@pytest.mark.nightly
async def test_a_token_and_a_commit_that_are_not_known_everywhere_yet(product: Product, tree: WorkTree) -> None:
    product.github.world.token_lag_s = 1.0
    product.github.world.commit_lag_s = 0.7
    repository = await started(product, tree)
    runs = await product.verdicts(repository, tree.git("rev-parse", "HEAD"))
    assert {run.conclusion for run in runs.values()} == {"success"}


async def test_the_second_private_key_takes_over(product: Product) -> None:
    from forgeguard_app.simulator.state import new_key
    from tests.support.running import APP_ID, PRIVATE_KEY

    app = AppAccess(product.context.client, APP_ID, (new_key()[0], PRIVATE_KEY))
    assert (await app.ask("GET", "/app"))["id"] == APP_ID
    listed = [installation async for installation in app.list("/app/installations", most=10)]
    assert listed == []
    with pytest.raises(NotTheApp):
        await AppAccess(product.context.client, APP_ID, (new_key()[0],)).ask("GET", "/app")


@pytest.mark.nightly
async def test_limits_are_shared_kept_and_the_most_wanted_go_first(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    tight = {"writes_per_minute": 9, "writes_per_hour": 1_000, "minute_s": 1.0}
    async with running(dsn, tmp_path / "p", worker=False) as product:
        product.github.world.limits = GitHubLimits(retry_after_s=1, **tight)  # type: ignore[arg-type]
        repository, _ = await product.repository()
        tree.commit(START)
        base = tree.git("rev-parse", "HEAD")
        shas = []
        for number in range(8):
            tree.git("switch", "--quiet", "--detach", base)
            shas.append(tree.commit({f"f{number}.py": "x"}))
            await product.push(tree, repository, f"topic{number}" if number < 7 else "main")
        await product.github.webhooks.settle()
        quick = Timings(poll_s=0.1, retry_s=0.05)
        context = replace(product.context, limits=Limits(**tight), timings=quick)  # type: ignore[arg-type]
        other = replace(context, tokens=TokenCache(context.app))
        stop = asyncio.Event()
        workers = [asyncio.create_task(run_worker(dsn, worker_context, stop)) for worker_context in (context, other)]
        for sha in shas:
            await product.verdicts(repository, sha)
        stop.set()
        await asyncio.gather(*workers)
        assert product.github.world.crossed == []


@pytest.mark.nightly
async def test_of_what_waits_the_most_wanted_goes_first(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository()
        assert installation is not None
        base = tree.commit(START)
        shas = {}
        for branch in ("topic1", "topic2", "main"):
            tree.git("switch", "--quiet", "--detach", base)
            shas[branch] = tree.commit({f"{branch}.py": "x"})
            await product.push(tree, repository, branch)
        await product.github.webhooks.settle()
        async with product.pool.acquire() as connection:
            await set_blocked(connection, installation.id, 3_600)
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.until(count_completed_runs, 3)
        stop.set()
        await worker
        assert not product.github.world.check_runs, "there is no room yet"
        async with product.pool.acquire() as connection:
            await lift_limits(connection)
        await publish_waiting(product.context, installation.id)
        runs = sorted(product.github.world.check_runs.values(), key=lambda run: run.id)
        assert [run.head_sha for run in runs[:9:3]] == [shas["main"], shas["topic1"], shas["topic2"]]
        assert product.github.world.runs_of(repository.id, shas["main"])[0].status == "completed"


@pytest.mark.nightly
async def test_a_verdict_held_back_while_suspended_is_published_however_the_end_was_noticed(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    sha = tree.git("rev-parse", "HEAD")
    await product.idle()  # the job that published it is still there for a moment
    async with product.pool.acquire() as connection:
        # As where the installation became active between the look at it and the note that it is suspended.
        await connection.execute(
            "UPDATE audit_runs SET published_at = NULL, publish_error = 'The installation is suspended.',"
            " created_at = now() - interval '1 hour'"
        )
        await forget_check_runs(connection)
    assert await requeue_stranded(product.context, 0) == 1
    await product.idle()
    assert len(product.github.world.runs_of(repository.id, sha)) == 6


@pytest.mark.nightly
async def test_a_verdict_that_github_does_not_take_says_why_and_is_tried_when_it_is_granted_again(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository()
        assert installation is not None
        sha = tree.commit(START)
        await product.push(tree, repository)
        await product.github.webhooks.settle()
        stop = asyncio.Event()
        timings = Timings(commit_lag_s=0.0)
        worker = asyncio.create_task(run_worker(dsn, replace(product.context, timings=timings), stop))
        granted = dict(product.github.world.app.permissions)  # type: ignore[union-attr]
        installation.permissions = {**granted, "checks": "read"}
        await product.until(count_refused_runs, 1)
        installation.permissions = None
        product.github.webhooks.send(
            "installation", product.github.installation_payload("new_permissions_accepted", installation)
        )
        await product.verdicts(repository, sha)
        stop.set()
        await worker


@pytest.mark.nightly
async def test_a_write_of_unknown_fate_is_looked_up_only_once_it_is_settled(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    async with product.pool.acquire() as connection:
        run_id = await get_run_id(connection)
        await unpublish_runs(connection)
        await connection.execute(
            "UPDATE check_runs SET published_at = NULL, github_id = NULL, sending_at = clock_timestamp()"
        )
    with pytest.raises(RetryLater, match="not settled") as caught:
        await publish_verdict(product.context, run_id)
    assert caught.value.delay_s is not None and 0 < caught.value.delay_s <= product.context.timings.settle_s
    async with product.pool.acquire() as connection:
        await connection.execute("UPDATE check_runs SET sending_at = clock_timestamp() - interval '1 minute'")
    await publish_verdict(product.context, run_id)
    assert len(product.github.world.runs_of(repository.id, tree.git("rev-parse", "HEAD"))) == 3


@pytest.mark.nightly
async def test_a_run_that_was_found_is_not_made_again_where_the_next_write_is_refused(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    world, sha = product.github.world, tree.git("rev-parse", "HEAD")
    async with product.pool.acquire() as connection:
        run_id = await get_run_id(connection)
        await unpublish_runs(connection)
        # As where the worker died while it said that the run is in progress: GitHub holds it, we know of no id.
        await connection.execute(
            "UPDATE check_runs SET published_at = NULL, github_id = NULL, sending_at = clock_timestamp() - "
            "interval '1 minute'"
        )
    for run in world.check_runs.values():
        run.status, run.conclusion = "in_progress", None
    usual, world.limits = world.limits, GitHubLimits(writes_per_minute=0, retry_after_s=0)
    with pytest.raises(RetryLater):
        await publish_verdict(product.context, run_id)
    world.limits = usual
    async with product.pool.acquire() as connection:
        await lift_limits(connection)
    await publish_verdict(product.context, run_id)
    assert [run.status for run in world.runs_of(repository.id, sha)] == ["completed"] * 3


async def test_a_person_s_revocation_is_heeded_at_once(product: Product) -> None:
    async with product.pool.acquire() as connection:
        await connection.execute("INSERT INTO users (github_id, github_login, access_token) VALUES (5, 'a', 'x')")
        product.github.webhooks.send(
            "github_app_authorization", {"action": "revoked", "sender": {"id": 5, "login": "a"}}
        )
        await product.until(has_no_token, True)
        assert await connection.fetchval("SELECT github_login FROM users WHERE github_id = 5") == "a", (
            "the person stays"
        )


async def test_an_account_s_new_name_is_known(product: Product) -> None:
    _, installation = await product.repository()
    assert installation is not None
    body = {
        "action": "renamed",
        "installation": {"id": installation.id},
        "account": {"id": installation.account.id, "login": "newer"},
    }
    product.github.webhooks.send("installation_target", body)
    await product.until(get_account_login, "newer")


@pytest.mark.nightly
async def test_a_push_of_more_commits_than_a_delivery_carries_is_evaluated_whole(
    product: Product, tree: WorkTree
) -> None:
    """GitHub's payload ends at 2,048 commits; the secret stands in the first of 2,100, and is gone in the next."""
    repository = await started(product, tree)
    token = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
    lines = []
    for number in range(2_100):
        text = f"T = '{token}'\n" if number == 0 else f"x = {number}\n"
        message = f"c{number}"
        lines.append(
            f"commit refs/heads/long\ncommitter A <a@example.invalid> {1_700_000_000 + number} +0000\ndata "
            f"{len(message)}\n{message}\n"
            + ("from refs/heads/main^0\n" if number == 0 else "")
            + f"M 100644 inline long.py\ndata {len(text)}\n{text}\n"
        )
    await asyncio.to_thread(
        subprocess.run, ["git", "fast-import", "--quiet"], cwd=tree.folder, input="".join(lines).encode(), check=True
    )
    tree.git("switch", "--quiet", "long")
    sha = await product.push(tree, repository, "long")
    payload = json.loads(
        next(delivery.body for delivery in reversed(product.github.world.deliveries) if delivery.event == "push")
    )
    assert len(payload["commits"]) == 2_048
    assert (await product.verdicts(repository, sha))["W1"].conclusion == "neutral"
