"""Heads that come from more than a push: forks, merge groups, retargeted pull requests, requests to re-run."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from forgeguard_app.flows.context.worker_context import Timings
from forgeguard_app.flows.upkeep.requeue_stranded import requeue_stranded
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.simulator.story import Story
from tests.support.events import TOKEN, send
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.starting import START, started
from tests.support.stored import get_repo_name, is_removed
from tests.support.stored_runs import forget_check_runs


@pytest.mark.nightly
async def test_a_fork_is_evaluated_by_its_target_and_excepts_nothing(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    base = tree.git("rev-parse", "HEAD")
    loosened = json.dumps({"layers": []})
    sha = tree.commit(
        {
            "boundaries.json": loosened,
            ".forgeguard.yml": "enabled: false",
            "b.py": f"bad\nT = '{TOKEN}'  # not gitleaks\n",
            ".gitleaks.toml": "[allowlist]\npaths = ['.*']\n",
        }
    )
    await asyncio.to_thread(tree.git, "push", "--quiet", product.github.clone_url(repository), "HEAD:refs/pull/3/head")
    fork = {"id": 999, "full_name": "stranger/shop", "private": False, "default_branch": "main"}
    pull = {
        "number": 3,
        "state": "open",
        "head": {"ref": "main", "sha": sha, "repo": fork},
        "base": {"ref": "main", "sha": base, "repo": None},
    }
    send(product, repository, "pull_request", action="opened", pull_request=pull)
    runs = await product.verdicts(repository, sha)
    assert {code: run.conclusion for code, run in runs.items()} == {"A4": "failure", "A9": "success", "W1": "neutral"}
    assert "configuration of the target branch" in runs["A4"].output["summary"]
    # The stranger's branch is called main; ours is evaluated as before.
    tree.git("reset", "--quiet", "--hard", base)
    tree.commit({"c.py": "x = 1"})
    ours = await product.push(tree, repository)
    assert (await product.verdicts(repository, ours))["A4"].conclusion == "success"


async def test_a_fork_s_head_is_not_evaluated_without_its_target(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        tree.commit({"a.py": "x = 1\n"})
        await product.push(tree, repository)
        sha = tree.commit({"b.py": "bad\n"})
        await product.push(tree, repository, "", "HEAD:refs/pull/1/head")
        await Story(product.github).open_pull(repository, "topic", sha, "no-such-branch", fork=True)
        await product.github.webhooks.settle()
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, replace(product.context, timings=Timings(commit_lag_s=0.0)), stop))
        runs = await product.verdicts(repository, sha)
        stop.set()
        await worker
        assert {run.conclusion for run in runs.values()} == {"failure"}
        assert "The target branch is not in the repository any more" in runs["A4"].output["summary"]


async def test_a_merge_group_is_evaluated_for_real(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    base = tree.git("rev-parse", "HEAD")
    sha = tree.commit({"b.py": "bad"})
    branch = "gh-readonly-queue/main/pr-3-abc"
    await product.push(tree, repository, branch)
    group = {"head_sha": sha, "head_ref": f"refs/heads/{branch}", "base_sha": base, "base_ref": "refs/heads/main"}
    send(product, repository, "merge_group", action="checks_requested", merge_group=group)
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "failure"


async def test_a_retargeted_pull_request_is_evaluated_again(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    tree.git("switch", "--quiet", "--create", "release")
    release = tree.commit({"b.py": "bad"})
    await product.verdicts(repository, await product.push(tree, repository, "release"))
    tree.git("switch", "--quiet", "--create", "topic")
    sha = tree.commit({"c.py": "x = 1"})
    await product.push(tree, repository, "topic")
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "failure"
    own = product.github.shapes.repository(repository)
    pull = {
        "number": 4,
        "state": "open",
        "head": {"ref": "topic", "sha": sha, "repo": own},
        "base": {"ref": "release", "sha": release, "repo": own},
    }
    send(
        product,
        repository,
        "pull_request",
        action="edited",
        pull_request=pull,
        changes={"base": {"ref": {"from": "main"}}},
    )
    await product.idle()
    runs = await product.verdicts(repository, sha)
    assert runs["A4"].conclusion == "success", "the newest check run holds"
    assert len(product.github.world.runs_of(repository.id, sha)) == 6


async def test_a_re_run_makes_new_check_runs_under_today_s_rules_and_a_burst_is_one(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    tree.commit({"b.py": "bad"})
    sha = await product.push(tree, repository, "topic")
    before = await product.verdicts(repository, sha)
    send(product, repository, "check_run", action="rerequested", check_run={"head_sha": sha})
    send(
        product, repository, "check_suite", action="rerequested", check_suite={"head_sha": sha, "head_branch": "topic"}
    )
    send(product, repository, "check_run", action="completed", check_run={"head_sha": sha})
    send(product, repository, "check_suite", action="requested", check_suite={"head_sha": sha, "head_branch": "topic"})
    await product.idle()
    after = await product.verdicts(repository, sha)
    assert len(product.github.world.runs_of(repository.id, sha)) == 6
    assert {run.id for run in before.values()}.isdisjoint(run.id for run in after.values())
    assert {code: run.conclusion for code, run in after.items()} == {
        code: run.conclusion for code, run in before.items()
    }


async def test_what_is_pushed_while_suspended_is_evaluated_afterwards(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    installation = product.github.world.installation_of(repository.id)
    assert installation is not None
    tree.commit({"b.py": "bad"})
    tokens = product.context.tokens
    tokens.drop(await tokens.get(installation.id, repository.id))
    installation.suspended_at = 1.0
    sha = await product.push(tree, repository, "topic")
    payload = json.loads(next(d.body for d in product.github.world.deliveries if d.event == "push"))
    product.github.webhooks.send("push", payload | {"ref": "refs/heads/topic", "before": "0" * 40, "after": sha})
    await product.idle()
    assert product.github.world.runs_of(repository.id, sha) == []
    installation.suspended_at = None
    product.github.webhooks.send("installation", product.github.installation_payload("unsuspend", installation))
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "failure"


async def test_a_repository_s_new_name_and_privacy_are_known_at_once(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree, START)
    link = str(product.github.world.latest_runs(repository.id, tree.git("rev-parse", "HEAD"))[0].details_url).partition(
        "?"
    )[0]
    async with product.session.get(link) as answer:
        assert answer.status == 200
    repository.name, repository.private = "renamed", True
    send(product, repository, "repository", action="privatized")
    await product.idle()
    async with product.session.get(link) as answer:
        assert answer.status == 404
    async with product.pool.acquire() as connection:
        assert await get_repo_name(connection) == repository.full_name
    send(product, repository, "repository", action="deleted")
    await product.idle()
    async with product.pool.acquire() as connection:
        assert await is_removed(connection)


async def test_a_run_whose_job_was_lost_is_taken_up(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    sha = tree.git("rev-parse", "HEAD")
    await product.idle()
    async with product.without_chores():  # it looks for such runs itself
        async with product.pool.acquire() as connection:
            await connection.execute(
                "UPDATE audit_runs SET status = 'running', overall_result = NULL, published_at = NULL, "
                "created_at = now() - interval '1 hour'"
                " WHERE id = (SELECT id FROM audit_runs WHERE trigger = 'push' ORDER BY created_at DESC LIMIT 1)"
            )
            await forget_check_runs(connection)
        async with product.session.get(f"{product.address}/metrics") as answer:
            lines = dict(line.rsplit(" ", 1) for line in (await answer.text()).splitlines() if not line.startswith("#"))
        assert 3_590 < float(lines["forgeguard_oldest_unjudged_head_seconds"]) < 3_700
        assert float(lines["forgeguard_unjudged_heads"]) == 1
        assert await requeue_stranded(product.context, 0) == 1
        assert await requeue_stranded(product.context, 0) == 0
    await product.idle()
    assert len(product.github.world.runs_of(repository.id, sha)) == 6
    async with product.session.get(f"{product.address}/metrics") as answer:
        assert "forgeguard_oldest_unjudged_head_seconds 0.0" in await answer.text()


async def test_what_stands_when_the_app_comes_is_existing_and_never_annotated(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository(install=False)
    tree.commit({**START, "old.py": f"import yaml\nbad = 1\nT = '{TOKEN}'\n"})
    sha = await product.push(tree, repository)
    product.github.install(repository.owner, [repository])
    runs = await product.verdicts(repository, sha)
    assert {run.conclusion for run in runs.values()} == {"success"}
    assert {run.name for run in runs.values()} == {
        "ForgeGuard / A4 Boundary compliance",
        "ForgeGuard / A9 Dependency gate",
        "ForgeGuard / W1 Secrets scan",
    }
    assert [run.annotations for run in runs.values()] == [[], [], []]
    assert {code: run.output["title"] for code, run in runs.items()} == {
        "A4": "No new boundary violations (1 existing)",
        "A9": "No new dependency problems (1 existing)",
        "W1": "No new possible secrets (1 existing)",
    }
    async with product.session.get(str(runs["W1"].details_url)) as page:
        assert "old.py:3" not in await page.text(), "where an existing secret stands is for those who may write"
    tree.commit({"new.py": "bad"})
    after = await product.verdicts(repository, await product.push(tree, repository))
    assert [a["path"] for a in after["A4"].annotations] == ["new.py"]


@pytest.mark.nightly
async def test_a_partial_mirror_follows_renames_and_merges_of_files_it_never_read(
    product: Product, tree: WorkTree
) -> None:
    text = "".join(f"line {n}\n" for n in range(60))
    repository, _ = await product.repository(install=False)
    tree.commit({**START, "docs/a.md": text, "docs/b.md": text[::-1], "notes.txt": "one\n"})
    tree.git("branch", "old")
    tree.commit({"docs/c.md": "c\n"})
    await product.push(tree, repository)
    product.github.install(repository.owner, [repository])
    await product.github.webhooks.settle()
    await product.idle()
    tree.git("mv", "docs/a.md", "docs/moved.md")
    tree.commit({"docs/moved.md": text + "more\n", "docs/b.md": None, "docs/new.md": "new\n", "x.py": "bad"})
    first = await product.push(tree, repository)
    runs = await product.verdicts(repository, first)
    assert {code: run.conclusion for code, run in runs.items()} == {"A4": "failure", "A9": "success", "W1": "success"}
    tree.git("switch", "--quiet", "old")
    tree.commit({"notes.txt": f"one\nT = '{TOKEN}'\n", "docs/b.md": text[::-1] + "b\n"})
    tree.git("switch", "--quiet", "main")
    tree.commit({"docs/c.md": "d\n", "x.py": None})
    tree.git("merge", "--quiet", "-X", "ours", "-s", "ours", "-m", "merge", "old")
    second = await product.push(tree, repository)
    runs = await product.verdicts(repository, second)
    assert {code: run.conclusion for code, run in runs.items()} == {"A4": "success", "A9": "success", "W1": "neutral"}
