"""What a killed git left in a repository of ours keeps no head and no build waiting."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from forgeguard_app.git.build_repository import open_build_repository
from forgeguard_app.git.mirror import Mirror, Remote, branch_ref
from forgeguard_app.simulator.state import Repository
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.starting import started

HALF_PACK_BYTES = 4 << 20


def mirror_of(product: Product, repository: Repository) -> Path:
    return product.context.home / "mirrors" / f"{repository.id}.git"


def leave_half_packs(folder: Path) -> None:
    packs = folder / "objects/pack"
    for number in range(3):
        (packs / f"tmp_pack_kill{number}").write_bytes(b"x" * HALF_PACK_BYTES)
    (packs / "pack-kill.pack").write_bytes(b"x" * HALF_PACK_BYTES)


async def test_a_lock_that_a_killed_git_left_keeps_no_head_waiting(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    await product.idle()
    lock = mirror_of(product, repository) / f"{branch_ref('main')}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    sha = tree.commit({"u.py": "x = 1\n"})
    await product.push(tree, repository, "topic")
    await product.verdicts(repository, sha)
    assert not lock.exists()


async def test_a_lock_that_a_killed_git_left_in_a_new_mirror_keeps_no_head_waiting(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository()
    folder = mirror_of(product, repository)
    folder.mkdir(parents=True)
    (folder / "config.lock").touch()
    sha = tree.commit({"a.py": "x = 1\n"})
    await product.push(tree, repository)
    await product.verdicts(repository, sha)


async def test_half_packs_of_killed_fetches_are_removed_and_make_no_repository_too_large(
    product: Product, tree: WorkTree
) -> None:
    repository = await started(product, tree)
    await product.idle()
    folder = mirror_of(product, repository)
    leave_half_packs(folder)
    sha = tree.commit({"u.py": "x = 1\n"})
    await asyncio.to_thread(tree.git, "push", "--quiet", str(repository.folder), f"{sha}:refs/heads/topic")
    mirror = Mirror(folder, Remote(product.github.clone_url(repository)), max_bytes=2 * HALF_PACK_BYTES)
    async with mirror.locked("test"):
        await mirror.prepare()
        await mirror.fetch([sha])
    assert not list(folder.glob("objects/pack/*kill*"))


async def test_what_a_killed_git_left_in_a_build_s_repository_keeps_no_phase_waiting(
    product: Product, tree: WorkTree, tmp_path: Path
) -> None:
    repository = await started(product, tree)
    remote, folder = Remote(product.github.clone_url(repository)), tmp_path / "build.git"
    await open_build_repository(folder, remote, [tree.git("rev-parse", "HEAD")])
    (folder / "shallow.lock").touch()
    leave_half_packs(folder)
    sha = tree.commit({"u.py": "x = 1\n"})
    await asyncio.to_thread(tree.git, "push", "--quiet", str(repository.folder), f"{sha}:refs/heads/topic")
    await open_build_repository(folder, remote, [sha], max_bytes=2 * HALF_PACK_BYTES)
    assert not list(folder.glob("objects/pack/*kill*"))


async def test_two_fetches_of_one_audit_leave_each_other_s_packs_alone(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    sha = tree.commit({"a.bin": os.urandom(HALF_PACK_BYTES), "b.txt": "-r c.txt\n"})
    await asyncio.to_thread(tree.git, "push", "--quiet", str(repository.folder), f"{sha}:refs/heads/topic")
    folder = product.context.home / "mirrors" / "two.git"
    mirror = Mirror(folder, Remote(product.github.clone_url(repository)))
    async with mirror.locked("test"):
        await mirror.prepare()
        await mirror.fetch([sha])
        blobs = [tree.git("rev-parse", f"HEAD:{name}") for name in ("a.bin", "b.txt")]
        await asyncio.gather(*(mirror.fetch_blobs([blob]) for blob in blobs))
        for blob in blobs:
            await mirror.repository.run("cat-file", "-e", blob)


def overwritten(data: bytes) -> bytes:
    return data[:12] + b"\0" * (len(data) - 12)


def cut_short(data: bytes) -> bytes:
    return data[: len(data) // 2]


def changed_in_the_middle(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 40]) + data[middle + 40 :]


def emptied(data: bytes) -> bytes:
    return b""


async def conclusions_after(
    product: Product, tree: WorkTree, files: str, damage: Callable[[bytes], bytes]
) -> set[str | None]:
    """Damage these files of the mirror, push, and return how the check runs ended."""
    repository = await started(product, tree)
    await product.idle()
    damaged = list(mirror_of(product, repository).glob(files))
    assert damaged
    for file in damaged:
        if file.is_file():
            file.chmod(0o600)
            file.write_bytes(damage(file.read_bytes()))
    sha = tree.commit({"u.py": "x = 1\n"})
    await product.push(tree, repository)
    return {run.conclusion for run in (await product.verdicts(repository, sha)).values()}


async def test_a_mirror_with_a_corrupt_pack_is_made_again(product: Product, tree: WorkTree) -> None:
    assert await conclusions_after(product, tree, "objects/pack/*.pack", changed_in_the_middle) == {"success"}


@pytest.mark.nightly
@pytest.mark.parametrize("damage", [overwritten, cut_short, changed_in_the_middle, emptied])
@pytest.mark.parametrize("files", ["objects/pack/*.pack", "objects/pack/*.idx", "refs/forgeguard/*", "HEAD", "config"])
async def test_a_mirror_with_corrupt_files_is_made_again(
    product: Product, tree: WorkTree, files: str, damage: Callable[[bytes], bytes]
) -> None:
    assert await conclusions_after(product, tree, files, damage) == {"success"}


@pytest.fixture
def kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files name commands of git; a command that is named takes its file and is killed by a signal."""
    folder, real = tmp_path / "kills", shutil.which("git")
    (tmp_path / "bin").mkdir()
    folder.mkdir()
    script = tmp_path / "bin/git"
    script.write_text(
        "#!/bin/sh\n"
        'for argument in "$@"; do\n'
        f'  for file in {folder}/"$argument".*; do\n'
        '    if [ -e "$file" ]; then rm "$file"; kill -SEGV $$; fi\n'
        "  done\n"
        "done\n"
        f'exec {real} "$@"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return folder


@pytest.mark.nightly
async def test_a_git_that_was_killed_once_is_tried_again(product: Product, tree: WorkTree, kills: Path) -> None:
    repository = await started(product, tree)
    for command in ("ls-tree", "diff-tree"):
        (kills / f"{command}.1").touch()
    sha = tree.commit({"u.py": "x = 1\n"})
    await product.push(tree, repository, "topic")
    assert {run.conclusion for run in (await product.verdicts(repository, sha)).values()} == {"success"}
    assert not list(kills.iterdir())


@pytest.mark.nightly
async def test_a_git_that_dies_of_one_commit_again_and_again_ends_with_a_verdict_on_that_commit_alone(
    product: Product, tree: WorkTree, kills: Path
) -> None:
    repository = await started(product, tree)
    for number in range(3):
        (kills / f"diff-tree.{number}").touch()
    sha = tree.commit({"u.py": "x = 1\n"})
    await product.push(tree, repository)
    runs = await product.verdicts(repository, sha)
    assert {run.conclusion for run in runs.values()} == {"failure"}
    assert all("git diff-tree was ended by signal 11, of a new copy" in run.output["summary"] for run in runs.values())
    sha = tree.commit({"u.py": "x = 2\n"})
    await product.push(tree, repository)
    assert {run.conclusion for run in (await product.verdicts(repository, sha)).values()} == {"success"}
