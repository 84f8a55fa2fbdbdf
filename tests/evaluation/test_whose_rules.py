"""Which rules apply where a file of the target is broken, and that a fork configures nothing."""

from __future__ import annotations

import pytest

from forgeguard_app.audit.model import CheckCode, CheckReport, Result
from forgeguard_app.git.command import EMPTY_TREE
from tests.support.evaluated import check_of, evaluate
from tests.support.repositories import Files, WorkTree

RULES = '{"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "never"}]}]}'
FREE: Files = {".github/forgeguard.yml": "enabled: false\n", "boundaries.json": '{"layers": []}'}


async def evaluated(tree: WorkTree, target: Files, head: Files, *, fork: bool) -> CheckReport:
    """A4 of a pull request that adds a violation."""
    base = tree.commit({"a.py": "x = 1\n", **target})
    sha = tree.commit({"b.py": "bad\n", **head})
    return check_of(await evaluate(tree, base, sha, target=base, fork=fork), CheckCode.A4)


@pytest.mark.parametrize(
    ("broken", "rules"),
    [
        ("enabled: [", "boundaries.json"),
        ("no_such_key: 1\n", "boundaries.json"),
        ("checks: {A4: {enabled: maybe}}\n", "boundaries.json"),
        (b"\xff\xfe", "boundaries.json"),
        ("no_such_key: 1\nchecks: {A4: {boundaries: [rules.json]}}\n", "rules.json"),
    ],
)
async def test_a_fork_does_not_pass_where_the_target_s_forgeguard_yml_is_broken(
    tree: WorkTree, broken: str | bytes, rules: str
) -> None:
    check = await evaluated(tree, {".github/forgeguard.yml": broken, rules: RULES}, FREE, fork=True)
    assert check.result is Result.FAIL
    assert [finding.path for finding in check.counted] == ["b.py"]
    assert ".github/forgeguard.yml is broken and was skipped" in check.notes[0]


async def test_a_fork_is_evaluated_by_the_valid_rest_where_a_boundaries_file_of_the_target_is_broken(
    tree: WorkTree,
) -> None:
    settings = "checks: {A4: {boundaries: [one.json, two.json]}}\n"
    target: Files = {".github/forgeguard.yml": settings, "one.json": RULES, "two.json": "{"}
    check = await evaluated(tree, target, FREE, fork=True)
    assert check.result is Result.FAIL
    assert "two.json is broken and was skipped" in check.notes[0]


async def test_a_fork_without_a_target_or_a_shared_history_configures_nothing(tree: WorkTree) -> None:
    base = tree.commit({**FREE, "boundaries.json": RULES, "a.py": "x = 1\n"})
    tree.git("checkout", "--quiet", "--orphan", "theirs")
    parent = tree.commit(FREE)
    token = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
    sha = tree.commit({"b.py": f"bad\nT = '{token}'\n"})
    orphan = await evaluate(tree, EMPTY_TREE, sha, target=base, fork=True)
    assert check_of(orphan, CheckCode.A4).skipped is not None, "disabled by the target itself"
    lost = await evaluate(tree, parent, sha, fork=True)
    assert check_of(lost, CheckCode.W1).result is Result.WARN


async def test_on_an_own_branch_the_target_s_broken_file_is_said_to_be_skipped(tree: WorkTree) -> None:
    target: Files = {".github/forgeguard.yml": "enabled: [", "boundaries.json": RULES}
    check = await evaluated(tree, target, {".github/forgeguard.yml": "gate: new\n"}, fork=False)
    assert check.result is Result.FAIL
    assert "The target's .github/forgeguard.yml is broken and was skipped" in check.notes[0]
