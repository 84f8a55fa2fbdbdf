"""Files of a repository are read within bounds, each and together."""

from __future__ import annotations

from forgeguard_app.git.blobs import Blobs, read_blobs
from forgeguard_app.git.command import GitRepository
from tests.support.repositories import WorkTree

UNKNOWN = "1" * 40


async def test_blobs_are_read_in_order_as_long_as_there_is_room(tree: WorkTree) -> None:
    sizes = {"empty": 0, "first": 600, "huge": 5_000, "second": 600, "small": 300}
    tree.commit({name: name[0] * size for name, size in sizes.items()})
    blobs = {name: tree.git("rev-parse", f"HEAD:{name}") for name in sizes}
    wanted = [blobs["first"], blobs["huge"], UNKNOWN, blobs["second"], blobs["small"], blobs["empty"], blobs["first"]]
    assert await read_blobs(GitRepository(tree.folder / ".git"), wanted, 1_000, 1_000) == Blobs(
        {blobs["first"]: b"f" * 600, blobs["small"]: b"s" * 300, blobs["empty"]: b""},
        too_large=frozenset({blobs["huge"]}),
        missing=frozenset({UNKNOWN}),
        no_room=frozenset({blobs["second"]}),
    )


async def test_a_blob_that_arrives_in_many_pieces_is_whole(tree: WorkTree) -> None:
    text = "".join(f"{number}\n" for number in range(200_000))
    tree.commit({"a": text, "b": "b"})
    names = [tree.git("rev-parse", f"HEAD:{name}") for name in "ab"]
    blobs = await read_blobs(GitRepository(tree.folder / ".git"), names)
    assert list(blobs.data.values()) == [text.encode(), b"b"]
