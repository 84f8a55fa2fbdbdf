"""What the bounds of an evaluation leave out is said."""

from __future__ import annotations

from forgeguard_app.audit.model import CheckCode
from forgeguard_app.git.command import EMPTY_TREE, Repository
from forgeguard_app.judging.facts_cache import FactsCache
from forgeguard_app.judging.judge import Judge
from forgeguard_app.judging.request import Request
from forgeguard_app.judging.source import LocalSource
from tests.support.judged import check_of
from tests.support.repositories import WorkTree

TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"


async def test_a_text_over_the_bound_is_said_to_be_unread(tree: WorkTree) -> None:
    tree.commit({"big.txt": "x\n" * 50_000 + TOKEN, "small.txt": TOKEN})
    request = Request(tree.git("rev-parse", "HEAD"), EMPTY_TREE, everything=True)
    source = LocalSource(Repository(tree.folder / ".git"))
    check = check_of(await Judge(max_text_bytes=50_000).judge(source, request), CheckCode.W1)
    assert [finding.path for finding in check.findings] == ["small.txt"]
    assert check.incomplete == ("larger than 0.0477 MB: `big.txt`.",)


async def test_files_whose_facts_find_no_room_are_said_to_be_unread(tree: WorkTree) -> None:
    tree.commit({f"m{number}.py": f"import a{number}\n" for number in range(3)} | {"requirements.txt": ""})
    request = Request(tree.git("rev-parse", "HEAD"), EMPTY_TREE, everything=True)
    source = LocalSource(Repository(tree.folder / ".git"))
    check = check_of(await Judge(FactsCache(max_blobs=2)).judge(source, request), CheckCode.A9)
    assert len(check.findings) == 2
    (said,) = check.incomplete
    assert said.startswith("more files and forbidden patterns than are kept at once: `m")
