"""Links that lead out of a repository."""

from __future__ import annotations

import os

import pytest

from forgeguard_app.git.changes import list_links_out
from forgeguard_app.git.command import GitRepository
from tests.support.repositories import WorkTree


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ({"d1/d2/x": "../..", "d1/d2/z": "x/../../outside"}, ["d1/d2/z"]),
        ({"d1/d2/x": "../..", "d1/d2/z": "X/../../outside"}, ["d1/d2/z"]),
        ({"d1/d2/x": "../..", "d1/d2/z": "./x//./../../../outside"}, ["d1/d2/z"]),
        ({"a": "b/..", "b": "a/.."}, ["a", "b"]),
        ({"d1/d2/x": "../../..", "y": "..", "z": "/etc/passwd", "long": "a" * 4_090}, ["d1/d2/x", "y", "z"]),
        ({"d1/d2/x": "../..", "d1/d2/y": "../../d1/d2/x", "d1/z": "d2/x/d1", "top": ".", "gone": "no/such"}, []),
        ({"loop": "loop"}, []),
    ],
    ids=["over a link", "other letters", "dots", "each over the other", "plain", "inside", "a loop"],
)
async def test_a_link_that_leads_out_is_found_over_other_links_too(
    tree: WorkTree, links: dict[str, str], expected: list[str]
) -> None:
    base = tree.commit({"d1/d2/file": "x", "d1/file": "y"})
    for path, target in links.items():
        os.symlink(target, tree.folder / path)
    commit = tree.commit({"more": "z"})
    assert await list_links_out(GitRepository(tree.folder / ".git"), base, commit) == expected
