"""Repositories of strangers: each has a defined outcome, and none stops the next push from being audited."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from forgeguard_app.simulator.state import CheckRun, Repository
from tests.support.repositories import Files, WorkTree
from tests.support.running import Product

RULE = '{"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "never"}]}]}'


async def prepared(product: Product, tree: WorkTree, files: Files | None = None) -> Repository:
    repository, _ = await product.repository()
    tree.commit({"boundaries.json": RULE, "pyproject.toml": '[project]\nname="x"\nversion="1"\n', **(files or {})})
    await product.verdicts(repository, await product.push(tree, repository))
    return repository


async def judged(product: Product, tree: WorkTree, repository: Repository) -> dict[str, CheckRun]:
    return await product.verdicts(repository, await product.push(tree, repository, "topic"))


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
    runs = await judged(product, tree, repository)
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
    runs = await judged(product, tree, repository)
    assert {run.conclusion for run in runs.values()} == {"success"}
    assert not Path("/tmp/forgeguard-owned").exists()


async def test_gitattributes_hide_nothing(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    tree.commit(
        {
            ".gitattributes": "* -diff binary filter=lfs\n",
            "t.py": "T = 'gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17'\n",
        }
    )
    assert (await judged(product, tree, repository))["W1"].conclusion == "neutral"


async def test_large_files_and_lines(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    tree.commit({"large.py": b"bad\n" * 13_000_000, "line.py": b"x" * 20_000_000, "small.py": "bad\n"})
    runs = await judged(product, tree, repository)
    assert [a["path"] for a in runs["A4"].annotations] == ["small.py"]
    assert "large.py" in runs["A4"].output["summary"]
    assert "line.py" in runs["W1"].output["summary"]


async def test_five_thousand_changed_files(product: Product, tree: WorkTree) -> None:
    repository = await prepared(product, tree)
    tree.commit({f"d{n % 50}/f{n}.py": f"import os\nx = {n}\n" + ("bad\n" if n == 4_321 else "") for n in range(5_000)})
    runs = await judged(product, tree, repository)
    assert [a["path"] for a in runs["A4"].annotations] == ["d21/f4321.py"]
    async with product.pool.acquire() as connection:
        assert await connection.fetchval("SELECT max(files_checked) FROM audit_runs") == 5_000


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
    runs = await judged(product, tree, repository)
    assert runs[code].conclusion == "action_required"
    assert {a["path"] for a in runs[code].annotations} == {next(iter(files))}
    assert not Path("/tmp/forgeguard-owned").exists()


async def test_an_unreachable_before_falls_back_and_is_said(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    tree.commit({"boundaries.json": RULE})
    first = tree.commit({"a.py": "x"})
    await asyncio.to_thread(tree.git, "push", "--quiet", product.github.clone_url(repository), "HEAD:refs/heads/other")
    await product.idle()
    payload_of = product.github.world.deliveries[-1]
    import json

    payload = json.loads(payload_of.body) | {"ref": "refs/heads/main", "before": "b" * 40, "created": False}
    async with product.pool.acquire() as connection:
        await connection.execute("DELETE FROM audit_runs")
    product.github.world.check_runs.clear()
    product.github.webhooks.send("push", payload)
    runs = await product.verdicts(repository, first)
    assert "is gone; judged against the first parent" in runs["A4"].output["summary"]


async def test_a_repository_that_vanished_is_an_error_and_the_next_push_is_audited(
    product: Product, tree: WorkTree, tmp_path: Path
) -> None:
    repository, _ = await product.repository()
    tree.commit({"a.py": "x"})
    shutil.rmtree(product.context.home, ignore_errors=True)
    installation = product.github.world.installation_of(repository.id)
    assert installation is not None
    async with product.pool.acquire() as connection:
        sha = await product.push(tree, repository)
        installation.repository_ids.clear()
        await product.idle()
        status = await connection.fetchrow(
            "SELECT status, overall_result, error_detail FROM audit_runs WHERE commit_sha = $1", sha
        )
        assert status is not None
        if status["status"] == "error":
            assert status["overall_result"] == "ERROR"
            assert "may not read" in status["error_detail"]
    other, _ = await product.repository("other")
    second = WorkTree(tmp_path / "second")
    second.commit({"b.py": "y"})
    await product.verdicts(other, await product.push(second, other))


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
    assert (await judged(product, tree, repository))["A4"].conclusion == "failure"
