"""Repositories of strangers: each has a defined outcome, and none stops the next push from being audited."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from forgeguard_app.flows.context.worker_context import Timings
from forgeguard_app.flows.upkeep.purge_old import prune_disk
from forgeguard_app.jobs.worker import run_worker
from forgeguard_app.simulator.state import CheckRun, Repository
from forgeguard_app.simulator.story import Story
from forgeguard_app.store.repos import set_removed
from tests.support.repositories import Files, WorkTree, stuck
from tests.support.running import Product, running
from tests.support.stored_runs import count_uncompleted_runs, get_run_status_of_repo

RULE = '{"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "never"}]}]}'


async def prepared(product: Product, tree: WorkTree, files: Files | None = None) -> Repository:
    repository, _ = await product.repository()
    tree.commit({"boundaries.json": RULE, "pyproject.toml": '[project]\nname="x"\nversion="1"\n', **(files or {})})
    await product.verdicts(repository, await product.push(tree, repository))
    return repository


async def evaluated(product: Product, tree: WorkTree, repository: Repository) -> dict[str, CheckRun]:
    return await product.verdicts(repository, await product.push(tree, repository, "topic"))


@pytest.mark.nightly
async def test_branches_whose_names_begin_with_a_dash_are_audited(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    head, base = "--upload-pack=false", "-main"
    await product.push(tree, repository, "", f"HEAD:refs/heads/{base}")
    tree.commit({"a.py": "bad"})
    sha = await product.push(tree, repository, "", f"HEAD:refs/heads/{head}")
    await product.verdicts(repository, sha)
    await Story(product.github).open_pull(repository, head, sha, base)
    await product.idle()
    assert not [delivery for delivery in product.github.world.deliveries if delivery.status_code == 400]
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "failure"
    async with product.pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM audit_runs WHERE target_ref = $1", base) == 1
        assert await count_uncompleted_runs(connection) == 0


async def test_strange_names_and_contents(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    names = {
        "spaced name.py",
        "tab\there.py",
        'quote".py',
        "new\nline.py",
        "uml\u00e4ut.py",
        "-dash.py",
        "back\\slash.py",
        "emoji\U0001f600.py",
        "a b/\u202e.py",
    }
    tree.write(dict.fromkeys(names, "x = 1\nbad\n"))
    (tree.folder / os.fsdecode(b"latin-\xe9.py")).write_bytes(b"# \xe9\nbad\n")
    tree.write(
        {"nul.py": b"import os\n\0bad\n", "binary.bin": bytes(range(256)) * 40, "utf16.py": "bad".encode("utf-16")}
    )
    tree.commit({})
    runs = await evaluated(product, tree, repository)
    found = {a["path"] for a in runs["A4"].annotations}
    assert (names - {"new\nline.py"}) | {"latin-\ufffd.py", "nul.py"} <= found
    assert runs["A4"].conclusion == "failure"


async def test_symlinks_and_submodules_are_not_followed(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    (tree.folder / "outside.py").symlink_to("/etc/passwd")
    (tree.folder / "boundaries2.json").symlink_to("/etc/passwd")
    tree.write({".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% /tmp/forgeguard-owned\n'})
    tree.git("add", "--all")
    tree.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},x")
    tree.git("commit", "--quiet", "-m", "links")
    runs = await evaluated(product, tree, repository)
    assert {code: run.conclusion for code, run in runs.items()} == {"A4": "success", "A9": "neutral", "W1": "success"}
    assert "links and submodules, which are not followed: `outside.py`." in runs["A9"].output["summary"]
    assert not Path("/tmp/forgeguard-owned").exists()


async def test_gitattributes_hide_nothing(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    tree.commit(
        {
            ".gitattributes": "* -diff binary filter=lfs\n",
            "t.py": "T = 'gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17'\n",
        }
    )
    assert (await evaluated(product, tree, repository))["W1"].conclusion == "neutral"


@pytest.mark.nightly
async def test_large_files_and_lines(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    tree.commit({"large.py": b"bad\n" * 13_000_000, "line.py": b"x" * 20_000_000, "small.py": "bad\n"})
    runs = await evaluated(product, tree, repository)
    assert [a["path"] for a in runs["A4"].annotations] == ["small.py"]
    assert runs["A4"].conclusion == "failure"
    assert "`large.py`, `line.py`" in runs["A4"].output["summary"]
    # W1 reads files of up to 100 MB in pieces.
    assert runs["W1"].conclusion == "success"
    assert "Not read" not in runs["W1"].output["summary"]


@pytest.mark.nightly
async def test_a_tree_of_more_files_than_are_read_ends_with_a_verdict(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    inner = tree.git("rev-parse", "HEAD^{tree}")
    for _ in range(6):
        names = (f"{number}{'x' * 250}" for number in range(6))
        inner = tree.git("mktree", stdin="".join(f"040000 tree {inner}\t{name}\n" for name in names))
    tree.git("reset", "--soft", tree.git("commit-tree", "-p", "HEAD", "-m", "a bomb of some kilobytes", inner))
    runs = await product.verdicts(repository, await product.push(tree, repository))
    assert {run.conclusion for run in runs.values()} == {"failure"}
    assert all("more files, or longer paths, than are read" in run.output["summary"] for run in runs.values())


@pytest.mark.nightly
async def test_half_a_million_files_in_two_trees_end_with_a_verdict_on_that_commit_alone(
    product: Product, tree: WorkTree
) -> None:
    repository = await prepared(product, tree)
    base, inner = tree.git("rev-parse", "HEAD"), tree.git("rev-parse", "HEAD:pyproject.toml")
    for kind in ("100644 blob", "040000 tree"):
        inner = tree.git("mktree", stdin="".join(f"{kind} {inner}\t{number}.py\n" for number in range(708)))
    tree.git("reset", "--soft", tree.git("commit-tree", "-p", base, "-m", "501,264 files", inner))
    runs = await product.verdicts(repository, await product.push(tree, repository))
    assert {run.conclusion for run in runs.values()} == {"failure"}
    assert all("At most 500,000 files" in run.output["summary"] for run in runs.values())
    tree.git("reset", "--hard", "--quiet", base)
    sha = tree.commit({"a.py": "x = 1\n"})
    await product.push(tree, repository)
    assert {run.conclusion for run in (await product.verdicts(repository, sha)).values()} == {"success"}


async def test_folders_too_deep_in_one_another_end_with_a_verdict(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    path = "a/" * 1_001 + "a.py"
    tree.git(
        "fast-import",
        "--quiet",
        stdin="commit refs/heads/deep\ncommitter a <a@b> 0 +0000\ndata 0\nfrom refs/heads/main\n"
        f"M 100644 inline {path}\ndata 1\nx\n",
    )
    sha = tree.git("rev-parse", "deep")
    await product.push(tree, repository, "", "deep:deep")
    runs = await product.verdicts(repository, sha)
    assert {run.conclusion for run in runs.values()} == {"failure"}
    assert all("more than 1,000 folders one in another" in run.output["summary"] for run in runs.values())


@pytest.mark.nightly
async def test_five_thousand_changed_files(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    tree.commit({f"d{n % 50}/f{n}.py": f"import os\nx = {n}\n" + ("bad\n" if n == 4_321 else "") for n in range(5_000)})
    runs = await evaluated(product, tree, repository)
    assert [a["path"] for a in runs["A4"].annotations] == ["d21/f4321.py"]
    async with product.pool.acquire() as connection:
        assert await connection.fetchval("SELECT max(files_checked) FROM audit_runs") == 5_000


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({".github/forgeguard.yml": "a: &a [x,x]\nb: &b [*a,*a,*a]\n"}, "W1"),
        ({".github/forgeguard.yml": "!!python/object/apply:os.system ['touch /tmp/forgeguard-owned']\n"}, "A4"),
        ({".github/forgeguard.yml": b"\xff\xfe\x00"}, "A9"),
        ({".github/forgeguard.yml": "ignore: [" + "x" * 400_000 + "]"}, "A9"),
        ({"boundaries.json": "[" * 100_000}, "A4"),
        ({"boundaries.json": '{"a":' * 100_000}, "A4"),
        ({"boundaries.json": b"\xff{}"}, "A4"),
        ({"pyproject.toml": "a = " + "[" * 50_000, "a.py": "import os"}, "A9"),
    ],
)
async def test_hostile_configuration_is_an_error_where_it_stands(
    product: Product, tree: WorkTree, files: Files, code: str
) -> None:
    repository = await prepared(product, tree)
    tree.commit(files)
    runs = await evaluated(product, tree, repository)
    assert runs[code].conclusion == "action_required"
    assert {a["path"] for a in runs[code].annotations} == {next(iter(files))}
    assert not Path("/tmp/forgeguard-owned").exists()


@pytest.mark.nightly
async def test_an_unreachable_before_falls_back_and_is_said(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    tree.commit({"boundaries.json": RULE})
    first = tree.commit({"a.py": "x"})
    await asyncio.to_thread(tree.git, "push", "--quiet", product.github.clone_url(repository), "HEAD:refs/heads/other")
    await product.idle()
    payload_of = next(delivery for delivery in reversed(product.github.world.deliveries) if delivery.event == "push")
    import json

    payload = json.loads(payload_of.body) | {"ref": "refs/heads/main", "before": "b" * 40, "created": False}
    async with product.pool.acquire() as connection:
        await connection.execute("DELETE FROM audit_runs")
    product.github.world.check_runs.clear()
    product.github.webhooks.send("push", payload)
    runs = await product.verdicts(repository, first)
    assert "is gone; evaluated against the first parent" in runs["A4"].output["summary"]


@pytest.mark.nightly
async def test_a_repository_that_left_waits_until_it_is_back_and_holds_nobody_up(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        gone, installation = await product.repository("gone")
        other, _ = await product.repository("other")
        assert installation is not None
        tree.commit({"a.py": "x"})
        lost = await product.push(tree, gone)
        sha = tree.commit({"b.py": "y"})
        await product.push(tree, other)
        await product.github.webhooks.settle()
        installation.repository_ids.clear()
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        await product.verdicts(other, sha)
        status = partial(get_run_status_of_repo, github_id=gone.id)
        await product.until(status, "pending")
        assert product.github.world.runs_of(gone.id, lost) == []
        async with product.pool.acquire() as connection:
            await set_removed(connection, [gone.id])
        await product.idle()
        await product.until(status, "pending")
        Story(product.github).add(gone, installation)
        await product.verdicts(gone, lost)
        stop.set()
        await worker


@pytest.mark.nightly
async def test_heads_that_another_audit_brought_are_evaluated_though_the_default_branch_is_not_there(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        shas = []
        for number in range(3):  # each holds the former ones
            shas.append(tree.commit({f"m{number}.py": "x = 1\n"}))
            await product.push(tree, repository, f"topic{number}")
        await product.github.webhooks.settle()
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, product.context, stop))
        for sha in reversed(shas):
            assert (await product.verdicts(repository, sha))["A9"].conclusion == "success"
        stop.set()
        await worker


async def test_an_audit_that_never_ends_is_an_error_that_names_its_limit(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, _ = await product.repository()
        tree.commit({"a.py": "x = 1\n"})
        sha = await product.push(tree, repository)
        await product.github.webhooks.settle()
        stop = asyncio.Event()
        context = replace(product.context, timings=Timings(audit_s=0.5))
        with stuck(context.home / "mirrors" / f"{repository.id}.git"):
            worker = asyncio.create_task(run_worker(dsn, context, stop))
            runs = await product.verdicts(repository, sha)
        stop.set()
        await worker
        assert "did not end within 0.5 seconds" in runs["A4"].output["summary"]


@pytest.mark.nightly
async def test_after_all_of_that_the_next_push_is_audited(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    product.github.webhooks.send(
        "push",
        {
            "ref": "refs/heads/x",
            "before": "0" * 40,
            "after": "a" * 40,
            "deleted": False,
            "repository": {"id": repository.id, "full_name": repository.full_name},
        },
    )
    tree.commit({"b.py": "bad"})
    assert (await evaluated(product, tree, repository))["A4"].conclusion == "failure"


@pytest.mark.nightly
async def test_branches_whose_names_collide_and_a_target_that_is_gone(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    repository.default_branch = "main/next"
    await product.push(tree, repository, "x", ":refs/heads/main")
    await product.push(tree, repository, "main/next")
    await product.idle()
    tree.git("switch", "--quiet", "--create", "topic")
    tree.commit({"b.py": "bad"})
    assert (await evaluated(product, tree, repository))["A4"].conclusion == "failure"
    await product.push(tree, repository, "x", ":refs/heads/main/next")
    tree.commit({"c.py": "x = 1"})
    runs = await evaluated(product, tree, repository)
    assert "`main/next` is not there" in runs["A4"].output["summary"]


@pytest.mark.nightly
async def test_an_evaluation_that_takes_too_long_ends_as_an_error_with_the_reason(
    product: Product, tree: WorkTree
) -> None:
    repository = await prepared(product, tree)
    product.context.evaluator.timeout_s = 1e-6
    tree.commit({"b.py": "x = 2\n"})
    runs = await evaluated(product, tree, repository)
    assert {run.conclusion for run in runs.values()} == {"failure"}
    assert all("FORGEGUARD_EVALUATION_TIMEOUT_S" in str(run.output) for run in runs.values())
    product.context.evaluator.timeout_s = 60.0
    tree.commit({"b.py": "x = 3\n"})
    assert {run.conclusion for run in (await evaluated(product, tree, repository)).values()} == {"success"}


@pytest.mark.nightly
async def test_a_repository_that_takes_too_much_of_the_disk_says_so_and_leaves_nothing_there(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        (large, _), (small, _) = await product.repository("large"), await product.repository("small")
        stop = asyncio.Event()
        worker = asyncio.create_task(run_worker(dsn, replace(product.context, mirror_max_bytes=1 << 20), stop))
        tree.commit({"a.py": "x = 1\n"})
        await product.verdicts(small, await product.push(tree, small))
        tree.commit({"b.py": random.Random(1).randbytes(3 << 20)})
        runs = await product.verdicts(large, await product.push(tree, large))
        assert {run.conclusion for run in runs.values()} == {"failure"}
        assert "more than 1,048,576 bytes" in str(runs["W1"].output["summary"])
        mirrors = product.context.home / "mirrors"
        assert not (mirrors / f"{large.id}.git").exists()
        tree.git("reset", "--quiet", "--hard", "HEAD~1")
        tree.commit({"c.py": "x = 1\n"})
        await product.verdicts(small, await product.push(tree, small))
        stop.set()
        await worker


@pytest.mark.nightly
async def test_of_all_mirrors_the_least_recently_used_make_room(product: Product, tree: WorkTree) -> None:
    tree.commit({"a.py": "x = 1\n"})
    repositories = [(await product.repository(name))[0] for name in ("old", "new")]
    for repository in repositories:
        await product.verdicts(repository, await product.push(tree, repository))
    await product.idle()
    old, new = [product.context.home / "mirrors" / f"{repository.id}.git" for repository in repositories]
    os.utime(old.with_suffix(".lock"), (1_800_000_000, os.stat(new.with_suffix(".lock")).st_mtime - 60))
    size = sum(path.lstat().st_blocks * 512 for path in new.rglob("*") if path.is_file())
    await prune_disk(replace(product.context, mirrors_max_bytes=2 * size + 100_000))
    assert old.exists()
    await prune_disk(replace(product.context, mirrors_max_bytes=size))
    assert (old.exists(), new.exists()) == (False, True)
