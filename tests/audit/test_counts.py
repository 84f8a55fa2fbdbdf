"""The counts of a check: over everything that was found, each finding once, and no secret in them."""

from __future__ import annotations

import json
from dataclasses import replace

from forgeguard_app.audit.counts import Countable, Counts, Evaluation, FindingGroup, count, part_of
from forgeguard_app.audit.kept_findings import MAX_BYTES, MAX_FINDINGS
from forgeguard_app.audit.masked_text import mask_report
from forgeguard_app.audit.model import CheckCode, CheckReport, Report, Result
from forgeguard_app.audit.report import summary_markdown
from tests.support.evaluated import check_of, evaluate
from tests.support.repositories import WorkTree

TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
PROJECT = '[project]\nname = "x"\nversion = "1"\n'


def rules(pattern: str = "bad", **more: object) -> str:
    return json.dumps(
        {"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": pattern, "reason": "never"}]}], **more}
    )


def test_each_finding_is_counted_in_exactly_one_part() -> None:
    parts = [
        part_of(notice=notice, new=new, allowed=allowed)
        for notice in (False, True)
        for new in (False, True)
        for allowed in (False, True)
    ]
    counts = count(Countable("r", part, True, True) for part in parts)
    assert counts.total == len(parts) == 8
    assert (counts.new, counts.existing, counts.allowed, counts.notice) == (1, 1, 2, 4)
    assert counts.verified == counts.standing == counts.counted == 2, "allowed ones and notices do not count"


async def test_findings_beyond_those_that_are_kept_are_counted(tree: WorkTree) -> None:
    number = MAX_FINDINGS + 1_000
    base = tree.commit({"boundaries.json": rules(), "pyproject.toml": PROJECT})
    tree.commit({f"f{place}.py": "bad\n" * 500 for place in range(number // 500)})
    check = check_of(await evaluate(tree, base), CheckCode.A4)
    assert len(check.findings) == MAX_FINDINGS
    assert check.counts.new == check.counts.total == number
    assert check.title.startswith(f"{number:,} new boundary violations")
    assert f"| {number:,} | 0 |" in summary_markdown(check)


async def test_findings_whose_paths_take_too_many_bytes_are_counted_and_left_out(tree: WorkTree) -> None:
    folders = "/".join("f" * 200 for _ in range(15))
    base = tree.commit({"boundaries.json": rules(), "pyproject.toml": PROJECT})
    tree.commit({f"{folders}/{place}.py": "bad\n" * 200 for place in range(10)})
    check = check_of(await evaluate(tree, base), CheckCode.A4)
    assert check.counts.new == 2_000
    kept = len(check.findings)
    assert MAX_BYTES // 4_000 < kept < MAX_BYTES // len(folders)
    assert f"2,000 findings in all; the worst {kept:,} are kept." in check.notes


async def test_the_gate_changes_the_words_of_the_title_and_not_its_figures(tree: WorkTree) -> None:
    files = {"boundaries.json": rules(), "pyproject.toml": PROJECT, "old.py": "bad\n" * 24}
    base = tree.commit(files | {".github/forgeguard.yml": "gate: all\n"})
    tree.commit({"new.py": "bad\n" * 10})
    check = check_of(await evaluate(tree, base), CheckCode.A4)
    assert check.title == "34 boundary violations (10 new, 24 existing)"
    assert (check.counts.counted, check.counts.new, check.counts.existing) == (34, 10, 24)


async def test_a_check_says_whether_it_evaluated_anything(tree: WorkTree) -> None:
    tree.commit({"a.py": "x = 1\n", ".github/forgeguard.yml": "checks: {A9: {enabled: false}}\n"})
    report = await evaluate(tree)
    evaluations = [check.evaluation for check in report.checks]
    assert evaluations == [Evaluation.NOTHING, Evaluation.DISABLED, Evaluation.EVALUATED]
    tree.commit({"boundaries.json": "{"})
    assert check_of(await evaluate(tree), CheckCode.A4).evaluation is Evaluation.ERROR


def test_no_secret_leaves_with_the_names_of_the_rules_that_are_counted() -> None:
    counts = replace(
        Counts(new=3, counted=3), rules={FindingGroup.NEW: {f"all/forbidden/{TOKEN}": 2, "all/forbidden/x": 1}}
    )
    report = Report(None, None, 1, (CheckReport(CheckCode.A4, Result.FAIL, "3 new", counts=counts),))
    check = mask_report(report).checks[0]
    assert TOKEN not in json.dumps(check.counts.rules) + summary_markdown(check)
    assert sum(check.counts.rules[FindingGroup.NEW].values()) == 3
