"""Lists of files are read within bounds, piece by piece, and off the event loop."""

from __future__ import annotations

import threading

import pytest

from forgeguard_app.errors import UserError
from forgeguard_app.git import build_repository, listing
from forgeguard_app.git.blobs import read_tree
from forgeguard_app.git.branches import commit_files
from forgeguard_app.git.build_repository import FILE_BYTES, get_files_size, list_paths
from forgeguard_app.git.command import EMPTY_TREE, GitRepository
from forgeguard_app.git.listing import MAX_DEPTH, MAX_PATH_BYTES, TooDeep, TooManyFiles
from forgeguard_app.git.range import PathChange, list_changes
from tests.support.repositories import WorkTree

OTHER = "1" * 40


def tree_of(tree: WorkTree, entry: str, count: int) -> str:
    return tree.git("mktree", "--missing", stdin="".join(f"{entry}\tn{number}\n" for number in range(count)))


@pytest.mark.parametrize("entry", ["100644 blob", "120000 blob", "160000 commit", "040000 tree"])
async def test_a_tree_of_more_entries_of_any_kind_than_are_read_is_refused(tree: WorkTree, entry: str) -> None:
    repository = GitRepository(tree.folder / ".git")
    empty = tree.git("mktree")
    listed = f"{entry} {empty if entry.endswith('tree') else OTHER}"
    await read_tree(repository, tree_of(tree, listed, 3), max_files=3)
    with pytest.raises(TooManyFiles):
        await read_tree(repository, tree_of(tree, listed, 4), max_files=3)


async def test_a_range_of_more_changes_than_are_read_is_refused(tree: WorkTree) -> None:
    repository = GitRepository(tree.folder / ".git")
    blob = tree.git("hash-object", "-w", "--stdin", stdin="x")
    changes = await list_changes(repository, EMPTY_TREE, tree_of(tree, f"100644 blob {blob}", 3), max_files=3)
    assert changes == [PathChange(f"n{number}", blob, "", "") for number in range(3)]
    with pytest.raises(TooManyFiles):
        await list_changes(repository, EMPTY_TREE, tree_of(tree, f"160000 commit {OTHER}", 4), max_files=3)


def nested(tree: WorkTree, depth: int) -> str:
    """Commit a file in as many folders one in another."""
    path = "a/" * depth + "a.py"
    tree.git(
        "fast-import",
        "--quiet",
        stdin=f"commit refs/heads/deep{depth}\ncommitter a <a@b> 0 +0000\ndata 0\nM 100644 inline {path}\ndata 1\nx\n",
    )
    return tree.git("rev-parse", f"deep{depth}")


async def test_folders_deeper_in_one_another_than_are_read_are_refused(tree: WorkTree) -> None:
    repository = GitRepository(tree.folder / ".git")
    assert list(await read_tree(repository, nested(tree, MAX_DEPTH))) == ["a/" * MAX_DEPTH + "a.py"]
    with pytest.raises(TooDeep):
        await read_tree(repository, nested(tree, MAX_DEPTH + 1))


async def test_lists_that_arrive_in_many_pieces_are_whole_and_read_in_threads(tree: WorkTree) -> None:
    names = [f"{'n' * 60}{number:04}.py" for number in range(3_000)]
    base = tree.commit({f"old/{name}": name for name in names})
    tree.git("mv", "old", "new")
    head = tree.commit({})
    threads: list[int] = []

    def tick() -> None:
        threads.append(threading.get_ident())

    repository = GitRepository(tree.folder / ".git")
    files = await read_tree(repository, head, tick)
    pieces = len(threads)
    changes = await list_changes(repository, base, head, tick)
    assert list(files) == [f"new/{name}" for name in names]
    assert changes == [PathChange(path, blob, f"old{path[3:]}", blob) for path, blob in files.items()]
    assert min(pieces, len(threads) - pieces) > 1
    assert threading.get_ident() not in threads


async def test_a_path_longer_than_is_read_is_refused(tree: WorkTree) -> None:
    repository = GitRepository(tree.folder / ".git")
    for size, is_read in ((MAX_PATH_BYTES, True), (MAX_PATH_BYTES + 201, False), (1_000_000, False)):
        name = "n" * size
        listed = tree.git("mktree", "--missing", stdin=f"100644 blob {OTHER}\t{name}\n100644 blob {OTHER}\tz\n")
        if is_read:
            assert list(await read_tree(repository, listed)) == [name, "z"]
            continue
        with pytest.raises(TooManyFiles):
            await read_tree(repository, listed)
        with pytest.raises(TooManyFiles):
            await list_changes(repository, EMPTY_TREE, listed)


async def test_names_that_take_four_bytes_for_each_character_count_so(
    tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_LIST_BYTES", 2_000)
    repository = GitRepository(tree.folder / ".git")
    for name, is_read in (("a" * 200, True), ("a" * 196 + "\U0001f600", False)):
        names = "".join(f"100644 blob {OTHER}\t{number}{name}\n" for number in range(5))
        listed = tree.git("-c", "core.quotePath=false", "mktree", "--missing", stdin=names)
        if is_read:
            assert len(await read_tree(repository, listed)) == 5
        else:
            with pytest.raises(TooManyFiles):
                await read_tree(repository, listed)


async def test_what_builds_and_proposals_list_is_bounded_too(tree: WorkTree, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = GitRepository(tree.folder / ".git")
    head = tree.commit({f"f{number}": "x" for number in range(4)})
    assert await list_paths(repository, head) == {f"f{number}" for number in range(4)}
    assert await get_files_size(repository, head) == 4 * FILE_BYTES
    deep = nested(tree, MAX_DEPTH + 1)
    with pytest.raises(UserError, match="folders one in another"):
        await list_paths(repository, deep)
    with pytest.raises(TooDeep):
        await commit_files(repository, deep, {"a": b"x"}, "message")
    monkeypatch.setattr(build_repository, "MAX_FILES", 3)
    with pytest.raises(UserError, match="more files"):
        await get_files_size(repository, head)
    monkeypatch.setattr(listing, "MAX_LIST_BYTES", 100)
    for read in (list_paths, get_files_size):
        with pytest.raises(UserError, match="more files, or longer paths"):
            await read(repository, head)
