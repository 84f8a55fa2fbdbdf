"""What a page shows of a head, however much a stranger wrote."""

from __future__ import annotations

import json
from typing import Any

from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.request import ProjectBoundaries, Request
from forgeguard_app.evaluation.shown import MAX_CHARS
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.git.command import EMPTY_TREE, GitRepository
from tests.support.repositories import Files, WorkTree


async def configuration(tree: WorkTree, files: Files) -> dict[str, Any]:
    head = tree.commit(files)
    report = await Evaluator().evaluate(
        LocalSource(GitRepository(tree.folder / ".git")), Request(head, EMPTY_TREE, describe=True)
    )
    assert report.configuration is not None
    return dict(report.configuration)


async def test_what_the_code_is_made_of(tree: WorkTree) -> None:
    shown = await configuration(
        tree, {"app/web/a.py": "", "app/db/b.py": "", "ui/x.ts": "", "ui/y.tsx": "", "ui/package.json": "{}"}
    )
    assert shown["seen"] == {
        "languages": [("Python", 2), ("TypeScript", 2)],
        "manifests": ["ui/package.json"],
        "parts": [("db", "app/db/**"), ("web", "app/web/**")],
    }


async def test_a_configuration_beyond_all_measure_is_counted_instead_of_shown(tree: WorkTree) -> None:
    rules = [{"pattern": "x" * 200, "reason": "é" * 280}] * 20
    layers = [{"name": f"l{n}", "glob": f"l{n}/**", "forbidden": rules} for n in range(90)]
    shown = await configuration(tree, {"boundaries.json": json.dumps({"layers": layers}, ensure_ascii=False)})
    assert len(json.dumps(shown)) <= MAX_CHARS
    [file] = shown["boundaries"]
    assert (file["layers"], file["left_out"]) == ([], 90)


async def test_a_contract_judges_alone_whatever_the_head_says(tree: WorkTree) -> None:
    base = tree.commit({"p/a.py": "x = 1\n", "p/b.py": "y = 1\n"})
    rules = '{"layers": [{"name": "a", "glob": "p/a.py", "forbidden": [{"pattern": "bad", "reason": "r"}]}]}'
    free = {"boundaries.json": '{"layers": [{"name": "a", "glob": "p/**"}]}', ".forgeguard.yml": "enabled: false\n"}
    head = tree.commit({"p/a.py": "bad  # forgeguard:allow\n", **free})
    source = LocalSource(GitRepository(tree.folder / ".git"))
    for alone, result in ((True, "FAIL"), (False, "PASS")):
        report = await Evaluator().evaluate(
            source, Request(head, base, contract=ProjectBoundaries(rules, "said", alone=alone))
        )
        assert str(report.checks[0].result) == result
    plain = await Evaluator().evaluate(source, Request(base, EMPTY_TREE, contract=ProjectBoundaries(rules, "said")))
    assert "said" in plain.checks[0].notes, "where there are none, the project's apply, and it is said"
