"""A repository whose name was changed is followed by its id, whatever became of the old name."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from forgeguard_app.flows.context.find_home import find_home
from forgeguard_app.flows.context.repository import mirror_at
from forgeguard_app.flows.proposals.open_pull_request import NewFile, WantedPullRequest, open_pull_request
from forgeguard_app.flows.publishing.publish_verdict import publish_verdict
from forgeguard_app.flows.upkeep.audit_baseline import audit_baseline
from forgeguard_app.flows.upkeep.reconcile_heads import reconcile_heads
from forgeguard_app.flows.upkeep.sync_installations import sync_installations
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.simulator.git_http import git
from forgeguard_app.simulator.state import Installation, Repository
from forgeguard_app.simulator.story import Story
from forgeguard_app.store.audits import find_newest_run
from forgeguard_app.store.counters import claim_turn
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.repos import Repo, find_repo_named, get_repo
from tests.support.building import agent, ready
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.stored import count_pulls
from tests.support.stored_builds import is_logged
from tests.support.stored_jobs import was_attempted
from tests.support.stored_runs import (
    count_runs,
    forget_check_runs,
    get_run_id,
    get_run_status,
    list_base_shas,
    unpublish_runs,
)

RULES = '{"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "never"}]}]}'


async def known(product: Product, name: str) -> Repo:
    async with product.pool.acquire() as connection:
        repo = await find_repo_named(connection, name)
    assert repo is not None
    return repo


async def warm(product: Product, repository: Repository, installation: Installation | None) -> None:
    """A token is there that is no news of the name any more."""
    assert installation is not None
    await product.context.tokens.get(installation.id, repository.id)
    product.context.tokens.names.doubt(repository.id)


async def lose_name(
    product: Product, repository: Repository, *, taken: bool, guarded: bool = True
) -> tuple[str, Repository | None]:
    """The repository has another name, of which nobody tells; gives the old one, and who has it now."""
    former = repository.full_name
    if not taken:
        product.github.world.rename(repository, "renamed", redirect=False)
        return former, None
    copy = await Story(product.github).take_name(repository, "renamed", guarded=guarded)
    tree = await git(copy.folder, "rev-parse", "refs/heads/main^{tree}")
    dates = {f"GIT_{who}_{what}": "a@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    other = await git(copy.folder, "commit-tree", tree.decode().strip(), "-m", "theirs", env=dates)
    await git(copy.folder, "update-ref", "refs/heads/main", other.decode().strip())
    return former, copy


async def untouched(product: Product, former: str, copy: Repository | None, asked_from: int) -> None:
    """Nothing was asked of the old name, and nobody holds a verdict on it."""
    world = product.github.world
    assert [path for _, path in world.requests[asked_from:] if f"/repos/{former}/" in path] == []
    assert copy is None or not [run for run in world.check_runs.values() if run.repository_id == copy.id]


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("cached", [False, True])
async def test_a_push_is_evaluated_though_its_repository_lost_its_name_and_nobody_told(
    dsn: str, tmp_path: Path, tree: WorkTree, taken: bool, cached: bool
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository()
        base = tree.commit({"boundaries.json": RULES, "a.py": "x = 1\n"})
        await product.push(tree, repository)
        sha = tree.commit({"b.py": "bad\n"})
        await product.push(tree, repository, "topic")
        await product.github.webhooks.settle()
        if cached:
            await warm(product, repository, installation)
        former, copy = await lose_name(product, repository, taken=taken, guarded=False)
        asked_from, stop = len(product.github.world.requests), asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        runs = await product.verdicts(repository, sha)
        stop.set()
        await worker
        assert runs["A4"].output["title"] == "1 new boundary violation"
        await untouched(product, former, copy, asked_from)
        async with product.pool.acquire() as connection:
            assert await list_base_shas(connection, sha) == [base]
        assert (await known(product, repository.full_name)).github_repo_id == repository.id


@pytest.mark.parametrize("taken", [False, True])
async def test_a_verdict_is_published_where_the_repository_is_now(
    product: Product, tree: WorkTree, taken: bool
) -> None:
    repository, installation = await product.repository()
    tree.commit({"a.py": "x = 1\n"})
    sha = await product.push(tree, repository)
    await product.verdicts(repository, sha)
    await product.idle()
    async with product.pool.acquire() as connection:
        run_id = await connection.fetchval("UPDATE audit_runs SET published_at = NULL RETURNING id")
        await forget_check_runs(connection)
    await warm(product, repository, installation)
    former, copy = await lose_name(product, repository, taken=taken)
    asked_from = len(product.github.world.requests)
    await publish_verdict(product.context, run_id)
    assert len(product.github.world.runs_of(repository.id, sha)) == 6
    await untouched(product, former, copy, asked_from)


async def test_heads_and_pull_requests_of_a_repository_that_took_the_name_are_never_taken_for_ours(
    product: Product, tree: WorkTree
) -> None:
    repository, installation = await product.repository()
    tree.commit({"a.py": "x = 1\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    await product.idle()
    repo = await known(product, repository.full_name)
    await warm(product, repository, installation)
    former, copy = await lose_name(product, repository, taken=True)
    assert copy is not None
    product.github.world.add_pull(copy, "theirs", "f" * 40, "main")
    asked_from = len(product.github.world.requests)
    await reconcile_heads(product.context, repo.id)
    await product.idle()
    await untouched(product, former, copy, asked_from)
    async with product.pool.acquire() as connection:
        assert await count_runs(connection) == 1
        assert await count_pulls(connection) == 0


async def test_a_pull_request_of_ours_goes_to_the_repository_and_not_to_its_old_name(
    product: Product, tree: WorkTree
) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    permissions = {**product.github.world.granted(installation), "contents": "write", "pull_requests": "write"}
    installation.permissions = permissions
    tree.commit({"a.py": "x = 1\n"})
    sha = await product.push(tree, repository)
    await product.verdicts(repository, sha)
    repo = await known(product, repository.full_name)
    async with product.pool.acquire() as connection:
        ours = await find_installation(connection, (await get_repo(connection, repo.id)).installation_id)
    assert ours is not None
    await warm(product, repository, installation)
    former, copy = await lose_name(product, repository, taken=True)
    assert copy is not None
    asked_from = len(product.github.world.requests)
    wanted = WantedPullRequest("forgeguard/x", sha, "main", "Title", "Body", [NewFile("b.txt", "b\n")])
    async with mirror_at(product.context, ours, repo, sha, repo.id) as mirror:
        await open_pull_request(product.context, ours, repo, mirror, wanted)
    await untouched(product, former, copy, asked_from)
    assert [pull.repository_id for pull in product.github.world.pulls.values()] == [repository.id]
    assert "forgeguard/x" not in (await git(copy.folder, "for-each-ref", "--format=%(refname)")).decode()


async def test_a_name_that_github_does_not_tell_by_id_is_told_with_a_new_token(
    product: Product, tree: WorkTree
) -> None:
    repository, installation = await product.repository()
    tree.commit({"a.py": "x = 1\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    await product.idle()
    await warm(product, repository, installation)
    product.github.world.silent.append("/repositories/")
    await lose_name(product, repository, taken=True)
    async with product.pool.acquire() as connection:
        await unpublish_runs(connection)
        await forget_check_runs(connection)
        run_id = await get_run_id(connection)
    assert installation is not None
    token = await product.context.tokens.get(installation.id, repository.id)
    token.minted -= 60
    await publish_verdict(product.context, run_id)
    assert len(product.github.world.check_runs) == 6
    assert {run.repository_id for run in product.github.world.check_runs.values()} == {repository.id}


async def test_a_repository_that_is_gone_and_whose_name_another_took_is_not_read_under_it(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository()
        assert installation is not None
        tree.commit({"a.py": "x = 1\n"})
        sha = await product.push(tree, repository)
        await product.github.webhooks.settle()
        await warm(product, repository, installation)
        token = await product.context.tokens.get(installation.id, repository.id)
        token.minted -= 60
        await lose_name(product, repository, taken=True, guarded=False)
        installation.repository_ids.discard(repository.id)
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.until(partial(was_attempted, task="audit_commit", more_than=1), True)
        await product.until(partial(get_run_status, commit_sha=sha), "pending")
        stop.set()
        await worker
        assert product.github.world.check_runs == {}


@pytest.mark.parametrize("taken", [pytest.param(False, marks=pytest.mark.nightly), True])
@pytest.mark.parametrize("moment", ["before its head is read", "before its head is fetched"])
async def test_the_baseline_is_audited_though_the_repository_lost_its_name(
    dsn: str, tmp_path: Path, tree: WorkTree, taken: bool, moment: str
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository(install=False)
        sha = tree.commit({"boundaries.json": RULES, "a.py": "bad\n"})
        await product.push(tree, repository)
        installation = product.github.install(repository.owner, [repository])
        await product.github.webhooks.settle()
        repo = await known(product, repository.full_name)
        if moment == "before its head is fetched":
            await audit_baseline(product.context, repo.id)
        await warm(product, repository, installation)
        former, copy = await lose_name(product, repository, taken=taken, guarded=False)
        asked_from, stop = len(product.github.world.requests), asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        runs = await product.verdicts(repository, sha)
        await product.idle()
        stop.set()
        await worker
        assert {code: run.conclusion for code, run in runs.items()} == dict.fromkeys(("A4", "A9", "W1"), "success")
        await untouched(product, former, copy, asked_from)
        async with product.pool.acquire() as connection:
            rows = await connection.fetch("SELECT trigger, commit_sha FROM audit_runs")
        assert [tuple(row) for row in rows] == [("installation", sha)]


# Where the name was confirmed a moment ago, it is tried for as long as a fresh token may be refused.
@pytest.mark.parametrize(
    ("taken", "confirmed"),
    [
        (True, False),
        pytest.param(True, True, marks=pytest.mark.nightly),
        pytest.param(False, True, marks=pytest.mark.nightly),
    ],
)
async def test_a_build_goes_on_where_the_repository_is_now(
    dsn: str, tmp_path: Path, tree: WorkTree, taken: bool, confirmed: bool, seen_folder: Path
) -> None:
    go = seen_folder / f"go-{tmp_path.name}"
    waits = f"echo waits; for i in $(seq 600); do [ -e {go} ] && break; sleep 0.05; done"
    async with running(dsn, tmp_path / "p", builder=agent(f"echo line >> n.txt; {waits}")) as product:
        place = await ready(product, tree)
        await product.idle()
        build_id = await place.start()
        await product.until(partial(is_logged, build_id=build_id, message="waits"), True)
        former, copy = await lose_name(product, place.repository, taken=taken)
        asked_from = len(product.github.world.requests)
        if not confirmed:
            product.context.tokens.names.doubt(place.repository.id)
        go.touch()
        build = await place.ended(build_id)
        assert build.status == "completed", await place.text(build_id)
        await untouched(product, former, copy, asked_from)
        assert await place.show(f"{build.branch}:n.txt") == "line\nline\n"
        assert [pull.repository_id for pull in product.github.world.pulls.values()] == [place.repository.id]
        refs = "" if copy is None else (await git(copy.folder, "for-each-ref", "--format=%(refname)")).decode()
        assert "forgeguard/" not in refs


@pytest.mark.parametrize("cached", [False, True])
async def test_a_push_is_evaluated_though_its_repository_was_transferred_and_nobody_told(
    dsn: str, tmp_path: Path, tree: WorkTree, cached: bool
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository()
        other = product.github.world.add_account("new-owner")
        theirs = product.github.install(other, [await product.github.create_repository(other, "first")])
        tree.commit({"boundaries.json": RULES, "a.py": "x = 1\n"})
        await product.push(tree, repository)
        sha = tree.commit({"b.py": "bad\n"})
        await product.push(tree, repository, "topic")
        await product.github.webhooks.settle()
        async with product.pool.acquire() as connection:  # all installations were compared a moment ago
            await claim_turn(connection, "sync", 3_600)
        if cached:
            await warm(product, repository, installation)
            assert installation is not None
            (await product.context.tokens.get(installation.id, repository.id)).minted -= 60
        product.github.world.transfer(repository, other)
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        runs = await product.verdicts(repository, sha)
        await product.idle()
        stop.set()
        await worker
        assert runs["A4"].output["title"] == "1 new boundary violation"
        repo = await known(product, "new-owner/shop")
        async with product.pool.acquire() as connection:
            ours = await find_installation(connection, repo.installation_id)
        assert ours is not None and ours.github_installation_id == theirs.id


async def test_a_name_that_was_confirmed_moments_ago_does_not_undo_its_change(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    tree.commit({"a.py": "x = 1\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    await product.idle()
    names = product.context.tokens.names
    names.confirm(repository.id, repository.full_name)
    Story(product.github).rename(repository, "renamed")  # the old name redirects, and the event arrives
    await product.github.webhooks.settle()
    tree.commit({"b.py": "x = 1\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    await product.idle()
    assert (await known(product, repository.full_name)).github_repo_id == repository.id
    assert names.recent(repository.id) == repository.full_name


async def test_a_name_is_asked_for_again_however_often_it_was_used(product: Product) -> None:
    repository, _ = await product.repository()
    repo = await known(product, repository.full_name)
    async with product.pool.acquire() as connection:
        installation = await find_installation(connection, repo.installation_id)
    assert installation is not None
    access, names = product.context.access(installation, repo), product.context.tokens.names
    await access.name()
    confirmed_at = names.confirmed_at(repository.id)
    for _ in range(20):
        await access.name()
    assert confirmed_at is not None
    assert names.confirmed_at(repository.id) == confirmed_at, "using it confirms nothing"


async def test_a_second_audit_that_meets_the_transfer_finds_the_new_owner_too(product: Product) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    repo = await known(product, repository.full_name)
    other = product.github.world.add_account("new-owner")
    product.github.install(other, [await product.github.create_repository(other, "first")])
    await product.github.webhooks.settle()
    await product.idle()
    product.github.world.transfer(repository, other)
    context = product.context
    for _ in range(2):
        assert await find_home(product.pool, context.app, context.tokens, repo, installation.id)
        context.tokens.names.doubt(repo.github_repo_id)  # the second one was refused under the former name


async def test_where_the_new_owner_is_not_found_by_name_all_installations_are_compared_soon_but_not_each_time(
    product: Product, tree: WorkTree
) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    repo = await known(product, repository.full_name)
    other = product.github.world.add_account("new-owner")
    product.github.install(other, [await product.github.create_repository(other, "first")])
    await product.github.webhooks.settle()
    await product.idle()
    product.github.world.transfer(repository, other)
    copy = product.github.world.add_repository(installation.account, "shop")
    installation.repository_ids.add(copy.id)
    context = product.context
    for due in (True, False):
        assert not await find_home(product.pool, context.app, context.tokens, repo, installation.id)
        async with product.pool.acquire() as connection:
            assert await claim_turn(connection, "sync", 3_600) == due
    installation.repository_ids.clear()
    assert not await find_home(product.pool, context.app, context.tokens, repo, installation.id)
    await sync_installations(context)
    assert (await known(product, "new-owner/shop")).id == repo.id


async def test_a_verdict_refused_for_the_former_owner_is_published_once_a_comparison_finds_the_new_one(
    product: Product, tree: WorkTree
) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    tree.commit({"a.py": "x = 1\n"})
    sha = await product.push(tree, repository)
    await product.verdicts(repository, sha)
    await product.idle()
    repo = await known(product, repository.full_name)
    other = product.github.world.add_account("new-owner")
    product.github.install(other, [await product.github.create_repository(other, "first")])
    await product.github.webhooks.settle()
    await product.idle()
    product.github.world.transfer(repository, other)
    async with product.pool.acquire() as connection:
        run = await find_newest_run(connection, repo.id, sha)
        assert run is not None
        # The refusal was stored in the moment in which nobody knew the new owner.
        await connection.execute(
            "UPDATE audit_runs SET published_at = NULL, publish_error = 'refused' WHERE id = $1", run.id
        )
    await sync_installations(product.context)
    await product.idle()
    async with product.pool.acquire() as connection:
        run = await find_newest_run(connection, repo.id, sha)
    assert run is not None
    assert (run.publish_error, run.published_at is not None) == (None, True)


@pytest.mark.nightly
async def test_who_read_the_former_owner_is_told_of_the_stored_new_one(product: Product) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    repo = await known(product, repository.full_name)
    other = product.github.world.add_account("new-owner")
    product.github.install(other, [await product.github.create_repository(other, "first")])
    await product.github.webhooks.settle()
    await product.idle()
    product.github.world.transfer(repository, other)
    copy = product.github.world.add_repository(installation.account, "shop")  # another one has the name
    installation.repository_ids.add(copy.id)
    await sync_installations(product.context)
    context = product.context
    assert await find_home(product.pool, context.app, context.tokens, repo, installation.id)
