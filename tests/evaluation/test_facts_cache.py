"""What is remembered between evaluations changes no verdict, whatever was evaluated before or is beside it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from forgeguard_app.audit.facts import BlobMatches
from forgeguard_app.audit.languages.python import PYTHON
from forgeguard_app.audit.model import Report
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.facts_cache import FactsCache
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.git.command import GitRepository
from tests.support.repositories import Files, WorkTree

RULES = (
    '{"layers": [{"name": "api", "glob": "app/api/**", "forbidden_imports": [{"module": "asyncpg", "reason": "no"}], '
    '"forbidden": [{"pattern": "mystery"}]}]}'
)
MANIFEST = '[project]\nname = "app"\nversion = "1"\ndependencies = ["requests"%s]\n'
CONFIGURED: Files = {"boundaries.json": RULES, "pyproject.toml": MANIFEST % "", "app/api/users.py": "x = 1\n"}
CONTENTS = (
    "import json\n",
    "import acme_internal\n",
    "import mystery_module\n",
    "import asyncpg\n",
    "import requests\n",
)


def verdicts(report: Report) -> list[object]:
    return [(check.code, check.result, check.title, check.findings, check.incomplete) for check in report.checks]


def source_of(tree: WorkTree) -> LocalSource:
    return LocalSource(GitRepository(tree.folder / ".git"))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(4))
async def test_a_verdict_is_the_same_whatever_was_evaluated_before(tree: WorkTree, seed: int) -> None:
    chance = random.Random(seed)
    commits = [tree.commit(CONFIGURED)]
    for _ in range(8):
        path = chance.choice(("app/api/users.py", "app/one.py", "app/two.py"))
        more = chance.choice(("", ', "acme-internal"'))
        commits.append(tree.commit({path: chance.choice(CONTENTS), "pyproject.toml": MANIFEST % more}))
    shared = Evaluator(FactsCache(max_blobs=6))  # enough for each range, and too little for all of them
    for _ in range(14):
        base, head = sorted(chance.sample(range(len(commits)), 2))
        request = Request(commits[head], commits[base])
        remembered = await shared.evaluate(source_of(tree), request)
        assert verdicts(remembered) == verdicts(await Evaluator().evaluate(source_of(tree), request))


@dataclass(frozen=True)
class Fetching(LocalSource):
    """A source in whose fetch another evaluation goes on, as jobs of one worker do."""

    beside: Callable[[], Awaitable[object]] | None = None

    async def ensure_range(self) -> None:
        if self.beside is not None:
            await self.beside()


async def test_facts_that_another_evaluation_pushes_out_are_missing_in_no_verdict(
    tree: WorkTree, tmp_path: Path
) -> None:
    base = tree.commit(CONFIGURED)
    seen = tree.commit({"app/api/users.py": "import asyncpg\nimport yaml\n"})
    again, later = tree.commit({"README.md": "merged\n"}), tree.commit({"README.md": "and again\n"})
    other = WorkTree(tmp_path / "other")
    heavy = Request(other.commit({f"m{n}.py": f"import a{n}\n" for n in range(6)}), other.commit({"n.py": "x = 1\n"}))
    evaluator = Evaluator(FactsCache(max_blobs=6))

    async def beside() -> None:
        await evaluator.evaluate(source_of(other), heavy)

    expected = verdicts(await Evaluator().evaluate(source_of(tree), Request(again, base)))
    await evaluator.evaluate(source_of(tree), Request(seen, base))
    while_pushed_out = Fetching(source_of(tree).repository, beside)
    assert verdicts(await evaluator.evaluate(while_pushed_out, Request(again, base))) == expected
    assert verdicts(await evaluator.evaluate(source_of(tree), Request(again, base))) == expected
    last = await evaluator.evaluate(source_of(tree), Request(later, base))
    assert verdicts(last) == verdicts(await Evaluator().evaluate(source_of(tree), Request(later, base)))


async def test_an_answer_for_which_facts_were_missing_is_not_remembered(tree: WorkTree) -> None:
    base = tree.commit(CONFIGURED)
    files = {f"app/m{n}.py": f"import missing{n}\n" for n in range(4)}
    crowded = tree.commit(files)
    evaluator = Evaluator(FactsCache(max_blobs=3))
    report = await evaluator.evaluate(source_of(tree), Request(crowded, base))
    assert all(check.incomplete for check in report.checks[:2])
    evaluator.cache.sources.limit = 100
    whole = await evaluator.evaluate(source_of(tree), Request(crowded, base))
    assert verdicts(whole) == verdicts(await Evaluator().evaluate(source_of(tree), Request(crowded, base)))


def test_patterns_that_blobs_share_count_once_and_others_for_themselves() -> None:
    cache = FactsCache(max_matches_bytes=500_000)
    shared = frozenset(f"pattern{n}" for n in range(1_000))  # some 100 kB
    held = cache.hold()
    for number in range(200):
        held.learn(f"blob{number}", b"text", shared, ())
    assert not [n for n in range(200) if cache.hold().lacks(f"blob{n}", shared, ())]
    for number in range(20):
        cache.hold().learn(f"own{number}", b"text", frozenset(f"own{number}-{n}" for n in range(1_000)), ())
    assert cache.hold().lacks("blob0", shared, ())


def test_patterns_of_many_configurations_are_not_remembered_without_end() -> None:
    cache = FactsCache()
    sets = [frozenset(f"{number}-{n}" for n in range(9_000)) for number in range(3)]
    for patterns in sets:
        held = cache.hold()
        held.learn("blob", b"0-1 2-8", patterns, ())
        assert not held.lacks("blob", patterns, ())
        assert len(held.matches["blob"].searched) <= 20_000
    assert cache.hold().lacks("blob", sets[0], ())
    assert list(held.matches["blob"].found) == ["2-8"]
    assert cache.hold().lacks("blob", frozenset(), (PYTHON,))


def test_patterns_that_two_places_of_a_blob_need_are_known_for_both() -> None:
    cache = FactsCache()
    first, second = (frozenset(f"x{side}_{n}" for n in range(12_000)) for side in (1, 2))
    cache.hold().learn("blob", b"x1_77", first, ())
    held = cache.hold()
    assert not held.lacks("blob", first, ())
    assert held.lacks("blob", second, ())
    held.learn("blob", b"x1_77", second, ())
    assert not held.lacks("blob", second, ())
    assert not held.lacks("blob", first, ())
    assert sorted(held.matches["blob"].found) == ["x1_7", "x1_77"]


def test_patterns_of_another_repository_take_no_match_of_ours_away() -> None:
    cache = FactsCache()
    text = "".join(f"v{number} = {number}\n" for number in range(1_000)) + "SELECT\n"
    many, ours = frozenset(f" {{1,{number}}}" for number in range(1, 60)), frozenset(("SELECT",))

    def known_of(patterns: frozenset[str]) -> BlobMatches:
        held = cache.hold()
        if held.lacks("blob", patterns, ()):
            held.learn("blob", text.encode(), patterns, ())
        return held.matches["blob"]

    crowded = known_of(many | ours)
    assert len((many | ours) - crowded.searched) == 10, "more matches than are kept of one file: that is said"
    assert known_of(many | ours).searched == crowded.searched
    assert [match.line for match in known_of(ours).found["SELECT"].found] == [1_001]
