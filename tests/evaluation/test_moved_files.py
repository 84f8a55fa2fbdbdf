"""W1 where a path decides what is looked for, and files move or share their contents."""

from __future__ import annotations

import random
import string

import pytest

from forgeguard_app.audit.model import CheckCode
from tests.support.evaluated import check_of, evaluate
from tests.support.repositories import WorkTree


def setting(seed: int = 1) -> str:
    return f'api_key = "{"".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=24))}"\n'


REST = "".join(f"x{number} = {number}\n" for number in range(40))
POLICY = {".github/forgeguard.yml": 'checks:\n  W1: {ignore: ["vendor/**"]}\n'}
ALLOWLIST = {".gitleaks.toml": '[allowlist]\npaths = ["^made/"]\n'}
UNREAD = ["data.csv", "vendor/a.py", "made/a.py"]


async def found(tree: WorkTree, base: str) -> list[tuple[str, int, str | None]]:
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert check.incomplete == ()
    secrets = (finding for finding in check.findings if finding.rule != "configuration-notice")
    return sorted((finding.path, finding.line, finding.commit) for finding in secrets)


def move(tree: WorkTree, old: str, new: str, text: str) -> None:
    tree.git("mv", old, new)
    tree.write({new: text})


@pytest.mark.parametrize("more", ["", "y = 1\n"])
@pytest.mark.parametrize("old", UNREAD)
@pytest.mark.parametrize("is_known", [True, False])
async def test_what_was_not_looked_for_at_its_former_path_is_new(
    tree: WorkTree, old: str, more: str, is_known: bool
) -> None:
    base = tree.commit({**POLICY, **ALLOWLIST})
    before = tree.commit({old: REST + setting()})
    move(tree, old, "config.py", REST + setting() + more)
    head = tree.commit({})
    assert await found(tree, before if is_known else base) == [("config.py", 41, head)]


@pytest.mark.parametrize("old", UNREAD)
async def test_what_a_merge_moves_to_where_it_is_looked_for_is_new(tree: WorkTree, old: str) -> None:
    base = tree.commit({**POLICY, **ALLOWLIST, old: REST + setting()})
    parents = [tree.git("commit-tree", "-p", base, "-m", f"{side}", f"{base}^{{tree}}") for side in range(2)]
    move(tree, old, "config.py", REST + setting())
    tree.git("add", "--all")
    named = [part for parent in parents for part in ("-p", parent)]
    merge = tree.git("commit-tree", *named, "-m", "merge", tree.git("write-tree"))
    tree.git("reset", "--quiet", "--hard", merge)
    assert await found(tree, base) == [("config.py", 41, merge)]


@pytest.mark.parametrize("text", [REST + setting(), REST + setting() + "\0"])
@pytest.mark.parametrize(("old", "new"), [("tests/a.py", "a.py"), ("a.py", "b.py"), ("a.txt", "a.env"), ("b", "x.csv")])
async def test_what_was_found_at_its_former_path_is_not_new(tree: WorkTree, old: str, new: str, text: str) -> None:
    base = tree.commit({old: text})
    move(tree, old, new, text + "y = 1\n")
    tree.commit({})
    assert await found(tree, base) == []


async def test_a_finding_that_an_owner_ignored_at_its_line_is_not_new_where_the_file_moves(tree: WorkTree) -> None:
    ignored = {".gitleaksignore": "docs/a.md:generic-api-key:41\n"}
    base = tree.commit({**ignored, "docs/a.md": REST + setting()})
    move(tree, "docs/a.md", "a.txt", REST + setting())
    tree.commit({})
    assert await found(tree, base) == []


@pytest.mark.parametrize("twin", ["a.csv", "z.csv"])
async def test_a_binary_file_is_not_taken_for_a_text_of_the_same_content(tree: WorkTree, twin: str) -> None:
    base = tree.commit({"conf.txt": "\0"})
    head = tree.commit({"conf.txt": REST + setting(), twin: REST + setting()})
    assert await found(tree, base) == [("conf.txt", 41, head)]
