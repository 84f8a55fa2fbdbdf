"""In through a real push and its signed webhook, out at the check runs."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from forgeguard_app.cli.formats import as_json
from forgeguard_app.cli.outcome import CommandOutcome
from forgeguard_app.flows.context.worker_context import Timings
from forgeguard_app.git.mirror import Mirror, Remote
from forgeguard_app.jobs.worker import CONCURRENCY, run_worker
from tests.support.browsing import plain
from tests.support.evaluated import evaluate
from tests.support.repositories import WorkTree, stuck
from tests.support.running import Product, running
from tests.support.starting import START, started
from tests.support.stored import get_newest_outcome, get_repo_name, let_heads_be_fresh
from tests.support.stored_jobs import get_most_attempts_of_waiting, is_scheduled
from tests.support.stored_runs import (
    count_runs,
    forget_check_runs,
    get_base_sha,
    get_run_id,
    get_run_status,
    unpublish_runs,
)


async def test_a_push_becomes_three_check_runs_with_annotations(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    secret = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
    tree.commit({"b.py": f"import yaml\nx = 'bad'\n\nT = '{secret}'\n"})
    sha = await product.push(tree, repository, "feature")
    runs = await product.verdicts(repository, sha)
    assert {code: run.conclusion for code, run in runs.items()} == {"A4": "failure", "A9": "failure", "W1": "neutral"}
    assert runs["A4"].name == "ForgeGuard / A4 Boundary compliance"
    assert {
        code: [(a["path"], a["start_line"], a["annotation_level"]) for a in run.annotations]
        for code, run in runs.items()
    } == {
        "A4": [("b.py", 2, "failure")],
        "A9": [("b.py", 1, "failure")],
        "W1": [("b.py", 4, "warning")],
    }
    assert runs["A4"].output["title"] == "1 new boundary violation"
    assert all(run.writes == 1 for run in runs.values())
    assert secret[6:20] not in json.dumps([run.output for run in runs.values()]) + json.dumps(
        [run.annotations for run in runs.values()]
    )
    async with product.session.get(str(runs["A4"].details_url)) as page:
        text = await page.text()
        assert page.status == 200
        assert "b.py:2" in plain(text)


async def test_a_quiet_push_costs_at_most_four_requests(product: Product, tree: WorkTree) -> None:
    repository, installation = await product.repository()
    tree.commit(START)
    async with product.pool.acquire() as connection:  # the hourly look at heads is no part of a push
        await let_heads_be_fresh(connection)
    await product.idle()
    assert installation is not None
    requests = product.github.world.requests
    async with product.without_chores():
        tokens = product.context.tokens
        tokens.drop(await tokens.get(installation.id, repository.id))
        requests.clear()
        sha = await product.push(tree, repository)
        await product.verdicts(repository, sha)
        assert sorted(method for method, _ in requests) == ["POST"] * 4, requests
        requests.clear()
        tree.commit({"a.py": "import requests\nx = 1\n"})
        await product.verdicts(repository, await product.push(tree, repository))
        methods = sorted(method for method, _ in requests)
        # Where the name was last confirmed a while ago, the repository is looked up by its id.
        assert methods in (["POST"] * 3, ["GET", *["POST"] * 3]), requests


async def test_a_push_and_the_command_line_find_the_same(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    base = tree.git("rev-parse", "HEAD")
    tree.git("switch", "--quiet", "--create", "topic")
    tree.commit({"sub/c.py": "import yaml\n# bad\nbad = 1\n", "a.py": "import requests, httpx\n"})
    tree.commit({"sub/d.py": "from bs4 import x\n"})
    sha = await product.push(tree, repository, "topic")
    runs = await product.verdicts(repository, sha)
    report = json.loads(as_json(CommandOutcome(await evaluate(tree, base))))
    for check in report["checks"]:
        pushed = [(a["path"], a["start_line"], a["message"]) for a in runs[check["check_code"]].annotations]
        assert pushed == [(f["path"], f["line"], f["message"]) for f in check["findings"] if f["new"]]
    assert report["overall_result"] == "FAIL"


async def test_on_the_default_branch_the_newest_head_that_passed_is_the_base(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    passed = tree.git("rev-parse", "HEAD")
    tree.commit({"b.py": "bad"})
    broken = await product.push(tree, repository)
    assert (await product.verdicts(repository, broken))["A4"].conclusion == "failure"
    tree.commit({"c.py": "x = 1"})
    still = await product.push(tree, repository)
    runs = await product.verdicts(repository, still)
    assert runs["A4"].conclusion == "failure", "the next push must not whiten an unrepaired one"
    async with product.pool.acquire() as connection:
        assert await get_base_sha(connection, still) == passed


@pytest.mark.nightly
async def test_a_branch_is_evaluated_since_it_left_its_target_however_many_pushes(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    tree.git("switch", "--quiet", "--create", "topic")
    tree.commit({"b.py": "bad"})
    await product.verdicts(repository, await product.push(tree, repository, "topic"))
    tree.commit({"c.py": "x = 1"})
    runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
    assert [a["path"] for a in runs["A4"].annotations] == ["b.py"]


async def test_the_open_pull_request_s_base_is_the_target(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    tree.git("switch", "--quiet", "--create", "release")
    tree.commit({"b.py": "bad"})
    release = await product.push(tree, repository, "release")
    await product.verdicts(repository, release)
    tree.git("switch", "--quiet", "--create", "topic")
    sha = tree.commit({"c.py": "x = 1"})
    pull = {
        "number": 3,
        "state": "open",
        "head": {"ref": "topic", "sha": sha, "repo": product.github.shapes.repository(repository)},
        "base": {"ref": "release", "sha": release, "repo": None},
    }
    installation = product.github.world.installation_of(repository.id)
    assert installation is not None
    product.github.webhooks.send(
        "pull_request",
        {
            "action": "opened",
            "pull_request": pull,
            "repository": product.github.shapes.repository(repository),
            "installation": {"id": installation.id},
        },
    )
    await product.github.webhooks.settle()
    await product.push(tree, repository, "topic")
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "success"


@pytest.mark.nightly
async def test_two_hundred_and_fifty_annotations_fifty_at_a_time_each_once(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    tree.commit({"b.py": "bad\n" * 300})
    runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
    assert [a["start_line"] for a in runs["A4"].annotations] == list(range(1, 251))
    assert runs["A4"].writes == 5
    assert "all of them stand behind the link" in runs["A4"].output["summary"]


@pytest.mark.nightly
async def test_a_broken_configuration_needs_action_on_its_line(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    tree.commit({"boundaries.json": '{\n  "layers": [{"name": "a"}]\n}'})
    runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
    assert {code: run.conclusion for code, run in runs.items()} == {
        "A4": "action_required",
        "A9": "success",
        "W1": "success",
    }
    assert [(a["path"], a["start_line"]) for a in runs["A4"].annotations] == [("boundaries.json", 2)]
    tree.commit({".github/forgeguard.yml": "gate: never\nchekcs: {}\n"})
    runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
    assert {run.conclusion for run in runs.values()} == {"action_required"}


@pytest.mark.nightly
async def test_a_disabled_check_is_skipped_and_never_absent(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree, {**START, ".github/forgeguard.yml": "checks: {A4: {enabled: false}}"})
    tree.commit({"b.py": "bad"})
    runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
    assert runs["A4"].conclusion == "skipped"
    assert runs["A4"].output["title"].startswith("Disabled by .github/forgeguard.yml")


async def test_what_a_change_loosens_is_said_first(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    loose = json.dumps(
        {
            "layers": [{"name": "all", "glob": "**/*.py"}],
            "known_violations": [{"layer": "all", "file": "a.py", "pattern": "bad"}],
        }
    )
    tree.commit({"boundaries.json": loose, ".forgeguard.yml": "checks: {A9: {level: warn}}"})
    runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
    assert runs["A4"].output["summary"].startswith("- This change loosens the rules: 1 rule removed, 1 exception added")
    assert "level fail → warn" in runs["A9"].output["summary"]


@pytest.mark.nightly
@pytest.mark.parametrize(
    "refspec", [":refs/heads/gone", "HEAD:refs/tags/v1", "HEAD:refs/heads/gh-readonly-queue/main/pr-1-abc"]
)
async def test_deleted_branches_tags_and_the_merge_queue_give_no_run(
    product: Product, tree: WorkTree, refspec: str
) -> None:
    repository = await started(product, tree)
    await product.push(tree, repository, "gone")
    await product.idle()
    async with product.pool.acquire() as connection:
        before = await count_runs(connection)
        await product.push(tree, repository, "x", refspec)
        await product.idle()
        assert await count_runs(connection) == before
        assert await get_newest_outcome(connection) == "ignored"


async def test_a_redelivery_changes_nothing(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    delivery = next(d for d in product.github.world.deliveries if d.event == "push")
    again = product.github.webhooks.send("push", json.loads(delivery.body), guid=delivery.guid, redelivery=True)
    await product.idle()
    assert again.status_code == 200
    assert len(product.github.world.runs_of(repository.id, tree.git("rev-parse", "HEAD"))) == 3


async def test_a_push_of_an_unseen_repository_makes_it_known(product: Product, tree: WorkTree) -> None:
    repository, installation = await product.repository(install=False)
    from forgeguard_app.simulator.state import Installation

    product.github.world.installations[99] = Installation(99, repository.owner, {repository.id})
    tree.commit(START)
    runs = await product.verdicts(repository, await product.push(tree, repository))
    assert {run.conclusion for run in runs.values()} == {"success"}
    assert installation is None


async def test_a_worker_that_died_loses_nothing(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        tree.commit(START)
        sha = await product.push(tree, repository)
        await product.github.webhooks.settle()
        async with product.pool.acquire() as connection:
            # What a worker leaves that was killed in the middle: a job that is being done by nobody.
            await connection.execute("UPDATE procrastinate_jobs SET status = 'doing', attempts = 1")
            await connection.execute("UPDATE audit_runs SET status = 'running'")
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(product.dsn, product.context, stop))
        runs = await product.verdicts(repository, sha)
        stop.set()
        await worker
        assert {run.conclusion for run in runs.values()} == {"success"}
        assert len(product.github.world.runs_of(repository.id, sha)) == 3


@pytest.mark.nightly
async def test_a_job_that_never_ends_is_an_error_with_its_cause(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        tree.commit(START)
        await product.push(tree, repository)
        sha = tree.commit({"b.py": "x"})
        await product.push(tree, repository, "topic")
        await product.github.webhooks.settle()
        async with product.pool.acquire() as connection:
            await connection.execute("UPDATE audit_runs SET deaths = 3, status = 'running' WHERE commit_sha = $1", sha)
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        runs = await product.verdicts(repository, sha)
        stop.set()
        await worker
    assert {run.conclusion for run in runs.values()} == {"failure"}
    assert "begun 3 times" in runs["A4"].output["summary"]


async def test_a_check_run_whose_answer_was_lost_is_adopted(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    sha = tree.git("rev-parse", "HEAD")
    from forgeguard_app.flows.publishing.publish_verdict import publish_verdict

    async with product.pool.acquire() as connection:
        run_id = await get_run_id(connection, sha)
        await unpublish_runs(connection)
        await connection.execute(
            "UPDATE check_runs SET published_at = NULL, github_id = NULL, annotations_sent = 0, sending_at = "
            "now() - interval '1 minute'"
        )
    await publish_verdict(product.context, run_id)
    assert len(product.github.world.runs_of(repository.id, sha)) == 3


@pytest.mark.nightly
async def test_a_renamed_repository_goes_on(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    tree.commit({"b.py": "x = 1"})
    product.github.world.rename(repository, "renamed")
    async with product.pool.acquire() as connection:
        old = await get_repo_name(connection)
    sha = await product.push(tree, repository, "topic")
    async with product.pool.acquire() as connection:
        await product.verdicts(repository, sha)
        await connection.execute("UPDATE repos SET full_name = $1", old)
    from forgeguard_app.flows.publishing.publish_verdict import publish_verdict

    async with product.pool.acquire() as connection:
        run_id = await get_run_id(connection, sha)
        await unpublish_runs(connection)
        await forget_check_runs(connection)
    await publish_verdict(product.context, run_id)
    assert len(product.github.world.runs_of(repository.id, sha)) == 6, "the write followed the redirect as a write"


@pytest.mark.nightly
async def test_an_owner_s_file_is_the_default_of_all_repositories(
    product: Product, tree: WorkTree, tmp_path: Path
) -> None:
    repository = await started(product, tree)
    meta = product.github.world.add_repository(repository.owner, ".github")
    from forgeguard_app.simulator.git_http import make_folder

    await make_folder(meta)
    installation = product.github.world.installation_of(repository.id)
    assert installation is not None
    installation.repository_ids.add(meta.id)
    owner = WorkTree(tmp_path / "owner")
    owner.commit({".github/forgeguard.yml": "checks: {A4: {enabled: false}}\nenforce: {checks: {W1: {level: fail}}}\n"})
    assert {run.conclusion for run in (await product.verdicts(meta, await product.push(owner, meta))).values()} == {
        "success",
        "skipped",
    }
    tree.commit({"b.py": "bad\nT = 'gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17'\n"})
    runs = await product.verdicts(repository, await product.push(tree, repository, "topic"))
    assert {code: run.conclusion for code, run in runs.items()} == {"A4": "skipped", "A9": "success", "W1": "failure"}


@pytest.mark.nightly
async def test_a_first_push_is_evaluated_against_nothing(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    tree.commit({**START, "b.py": "bad"})
    runs = await product.verdicts(repository, await product.push(tree, repository))
    assert runs["A4"].conclusion == "failure"
    async with product.pool.acquire() as connection:
        assert await get_base_sha(connection) is None


@pytest.mark.nightly
async def test_a_worker_told_to_stop_hands_back_what_it_has_not_finished(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        tree.commit(START)
        sha = await product.push(tree, repository)
        await product.github.webhooks.settle()
        with stuck(product.context.home / "mirrors" / f"{repository.id}.git"):  # the first worker cannot come to an end
            stop = asyncio.Event()
            worker = asyncio.create_task(run_worker(dsn, product.context, stop, 0.2))
            await product.until(get_run_status, "running")
            async with product.pool.acquire() as connection:
                stop.set()
                await worker
                row = await connection.fetchrow(
                    "SELECT r.status, r.deaths + r.interruptions, j.status AS job FROM audit_runs r, "
                    "procrastinate_jobs j"
                )
                assert row is not None
                assert tuple(row) == ("pending", 0, "todo")
        again = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, again))
        assert {run.conclusion for run in (await product.verdicts(repository, sha)).values()} == {"success"}
        again.set()
        await worker


@pytest.mark.nightly
async def test_who_waits_for_a_mirror_holds_no_slot_and_loses_no_attempt(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        busy, _ = await product.repository("busy")
        other, _ = await product.repository("other")
        tree.commit(START)
        heads = [await product.push(tree, busy)]
        for number in range(CONCURRENCY):
            tree.commit({"n.txt": f"{number}\n"})
            heads.append(await product.push(tree, busy, f"topic{number}"))
        await product.github.webhooks.settle()
        mirror = Mirror(product.context.home / "mirrors" / f"{busy.id}.git", Remote(""))
        stop = asyncio.Event()
        async with mirror.locked("another process"):
            worker = asyncio.create_task(run_worker(dsn, product.context, stop))
            await product.until(partial(is_scheduled, task="audit_commit"), True)
            tree.commit({"n.txt": "other\n"})
            await product.verdicts(other, await product.push(tree, other))
            async with product.pool.acquire() as connection:
                assert await get_most_attempts_of_waiting(connection, "audit_commit") == 0
                states = (
                    "SELECT DISTINCT r.status FROM audit_runs r JOIN repos o ON o.id = r.repo_id WHERE "
                    "o.full_name LIKE '%/busy'"
                )
                assert await connection.fetchval(states) == "pending"
        for head in heads:
            await product.verdicts(busy, head)
        stop.set()
        await worker


async def test_an_audit_that_takes_long_is_shown_as_in_progress_first(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        tree.commit({**START, "b.py": "bad\n" * 60})
        sha = await product.push(tree, repository)
        await product.github.webhooks.settle()
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, replace(product.context, timings=Timings(quick_s=0)), stop))
        runs = await product.verdicts(repository, sha)
        stop.set()
        await worker
        assert len(product.github.world.runs_of(repository.id, sha)) == 3
        assert {code: run.writes for code, run in runs.items()} == {"A4": 3, "A9": 2, "W1": 2}
        assert len(runs["A4"].annotations) == 60
