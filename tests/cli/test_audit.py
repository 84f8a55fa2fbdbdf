"""`forgeguard audit` as a person or a script runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import Done, run
from tests.support.repositories import WorkTree

GOOD = {"pyproject.toml": "[project]\nname='x'\nversion='1'\ndependencies=['requests']\n", "a.py": "import requests\n"}


def audit(folder: Path, *arguments: str, **environment: str) -> Done:
    return run(folder, "audit", *arguments, **environment)


def findings(done: Done) -> list[tuple[str, int, str]]:
    return [
        (f["path"], f["line"], f["rule"])
        for check in json.loads(done.stdout)["checks"]
        for f in check["findings"]
        if f["new"]
    ]


def test_exit_status_says_what_came_out(tree: WorkTree) -> None:
    tree.commit(GOOD)
    assert audit(tree.folder).returncode == 0
    tree.commit({"b.py": "T = 'gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17'\n"})
    assert audit(tree.folder).returncode == 0
    assert audit(tree.folder, "--strict").returncode == 1
    tree.commit({"c.py": "import yaml\n"})
    assert audit(tree.folder).returncode == 1
    tree.commit({".forgeguard.yml": "gates: new\n"})
    assert audit(tree.folder).returncode == 2


def test_json_has_the_fixed_shape(tree: WorkTree) -> None:
    base = tree.commit(GOOD)
    head = tree.commit({"b.py": "\nimport yaml\n"})
    report = json.loads(audit(tree.folder, "--format", "json").stdout)
    assert list(report) == ["version", "base", "head", "overall_result", "exit_status", "files_checked", "checks"]
    assert (report["version"], report["base"], report["head"], report["overall_result"], report["files_checked"]) == (
        1,
        base,
        head,
        "FAIL",
        1,
    )
    assert [check["check_code"] for check in report["checks"]] == ["A4", "A9", "W1"]
    assert list(report["checks"][1]) == [
        "check_code",
        "check_name",
        "result",
        "detail",
        "notes",
        "incomplete",
        "findings",
    ]
    (finding,) = report["checks"][1]["findings"]
    assert list(finding) == [
        "path",
        "line",
        "end_line",
        "column",
        "rule",
        "message",
        "level",
        "new",
        "commit",
        "fingerprint",
    ]
    assert (
        finding["path"],
        finding["line"],
        finding["column"],
        finding["level"],
        finding["new"],
        finding["commit"],
    ) == ("b.py", 2, 1, "failure", True, None)


def test_the_default_range_on_a_branch_is_since_the_default_branch(tree: WorkTree) -> None:
    tree.commit(GOOD)
    tree.git("switch", "--quiet", "--create", "topic")
    tree.commit({"b.py": "import yaml\n"})
    tree.commit({"c.py": "import httpx\n"})
    assert findings(audit(tree.folder, "--format", "json")) == [("b.py", 1, "undeclared"), ("c.py", 1, "undeclared")]
    tree.git("switch", "--quiet", "--detach")
    assert findings(audit(tree.folder, "--format", "json")) == [("c.py", 1, "undeclared")]


def test_the_default_range_on_the_default_branch_is_since_its_upstream(tree: WorkTree, tmp_path: Path) -> None:
    tree.commit(GOOD)
    tree.git("clone", "--quiet", str(tree.folder), str(tmp_path / "clone"))
    clone = WorkTree.__new__(WorkTree)
    clone.folder = tmp_path / "clone"
    clone.commit({"b.py": "import yaml\n"})
    clone.commit({"c.py": "import httpx\n"})
    assert len(findings(audit(clone.folder, "--format", "json"))) == 2


def test_an_explicit_base_is_moved_to_the_merge_base(tree: WorkTree) -> None:
    tree.commit(GOOD)
    tree.git("switch", "--quiet", "--create", "topic")
    tree.commit({"b.py": "import yaml\n"})
    tree.git("switch", "--quiet", "main")
    tree.commit({"only-main.py": "import httpx\n"})
    done = audit(tree.folder, "--format", "json", "--base", "main", "--head", "topic")
    assert findings(done) == [("b.py", 1, "undeclared")]


def test_what_is_staged_is_evaluated_without_a_commit(tree: WorkTree) -> None:
    tree.commit(GOOD)
    tree.write({"b.py": "import yaml\nT = 'gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17'\n", "c.py": "import httpx\n"})
    tree.git("add", "b.py")
    done = audit(tree.folder, "--staged", "--format", "json")
    report = json.loads(done.stdout)
    assert report["head"] is None
    assert findings(done) == [("b.py", 1, "undeclared"), ("b.py", 2, "github-personal-token")]
    assert all(f["commit"] is None for check in report["checks"] for f in check["findings"])


def test_all_judges_the_whole_tree_and_counts_every_finding_as_new(tree: WorkTree) -> None:
    tree.commit({**GOOD, "old.py": "import yaml\nT = 'gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17'\n"})
    tree.commit({"a.py": "import requests\n\n"})
    done = audit(tree.folder, "--all", "--format", "json")
    assert findings(done) == [("old.py", 1, "undeclared"), ("old.py", 2, "github-personal-token")]
    assert json.loads(done.stdout)["base"] is None
    assert json.loads(done.stdout)["files_checked"] == 3


def test_an_empty_range_is_said(tree: WorkTree) -> None:
    tree.commit(GOOD)
    done = audit(tree.folder, "--base", "HEAD")
    assert done.returncode == 0
    assert "The range is empty" in done.stdout


def test_a_shallow_clone_is_told_what_to_fetch(tree: WorkTree, tmp_path: Path) -> None:
    tree.commit(GOOD)
    tree.commit({"b.py": "import yaml\n"})
    tree.git("clone", "--quiet", "--depth=1", f"file://{tree.folder}", str(tmp_path / "shallow"))
    tree.git("-C", str(tmp_path / "shallow"), "checkout", "--quiet", "--detach")
    for arguments in ((), ("--base", "HEAD~1")):
        done = audit(tmp_path / "shallow", *arguments)
        assert done.returncode == 2
        assert "git fetch" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--base", "nowhere"],
        ["--head", "--upload-pack=x"],
        ["/nonexistent"],
        ["--all", "--staged"],
        ["--format", "xml"],
        ["--explain", "nothing-like-it"],
    ],
)
def test_bad_usage_is_two_and_says_why(tree: WorkTree, arguments: list[str]) -> None:
    tree.commit(GOOD)
    done = audit(tree.folder, *arguments)
    assert done.returncode == 2
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    assert audit(tmp_path).returncode == 2
    assert audit(WorkTree(tmp_path / "empty").folder).returncode == 2


def test_sarif_and_workflow_commands(tree: WorkTree) -> None:
    tree.commit(GOOD)
    tree.commit({"dir, a/b%.py": "import yaml\n"})
    run = json.loads(audit(tree.folder, "--format", "sarif").stdout)["runs"][0]
    (result,) = run["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "dir%2C%20a/b%25.py"
    assert (result["ruleId"], result["level"], result["baselineState"]) == ("A9/undeclared", "error", "new")
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == {"A9/undeclared"}
    lines = audit(tree.folder, "--format", "github").stdout.splitlines()
    assert lines[1].startswith("::error file=dir%2C a/b%25.py,line=1,endLine=1,title=A9 undeclared::'yaml' is imported")


@pytest.mark.parametrize("rule", ["A4", "W1", "api/forbidden/x", "undeclared", "github-personal-token"])
def test_explain(tree: WorkTree, rule: str) -> None:
    done = audit(tree.folder, "--explain", rule)
    assert done.returncode == 0
    assert "How to fix it" in done.stdout


def test_hooks_and_settings_of_the_repository_run_nothing(tree: WorkTree, tmp_path: Path) -> None:
    tree.commit(GOOD)
    mark = tmp_path / "owned"
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "diff.x.textconv"):
        tree.git("config", key, f"touch {mark}")
    tree.commit({".gitattributes": "*.py diff=x\n", "b.py": "import yaml\n"}) if not mark.exists() else None
    mark.unlink(missing_ok=True)
    assert audit(tree.folder).returncode == 1
    assert not mark.exists()


def test_a_named_head_is_evaluated_since_it_left_the_default_branch(tree: WorkTree) -> None:
    tree.commit(GOOD)
    tree.git("switch", "--quiet", "--create", "topic")
    tree.commit({"b.py": "import yaml\n"})
    tree.commit({"c.py": "import httpx\n"})
    tree.git("switch", "--quiet", "main")
    assert len(findings(audit(tree.folder, "--format", "json", "--head", "topic"))) == 2


def test_a_linked_work_tree_and_a_folder_below_are_found(tree: WorkTree, tmp_path: Path) -> None:
    tree.commit({**GOOD, "sub/x.py": ""})
    tree.git("worktree", "add", "--quiet", "-b", "topic", str(tmp_path / "linked"))
    linked = WorkTree.__new__(WorkTree)
    linked.folder = tmp_path / "linked"
    linked.commit({"b.py": "import yaml\n"})
    assert findings(audit(linked.folder / "sub", "--format", "json")) == [("b.py", 1, "undeclared")]
    linked.write({"c.py": "import httpx\n"})
    linked.git("add", "c.py")
    assert findings(audit(linked.folder, "--format", "json", "--staged")) == [("c.py", 1, "undeclared")]


def test_an_evaluation_that_takes_too_long_ends_with_exit_status_2_and_says_so(
    tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.commit(GOOD)
    monkeypatch.setenv("FORGEGUARD_EVALUATION_TIMEOUT_S", "0.000001")
    done = audit(tree.folder, "--all")
    assert done.returncode == 2
    assert "The evaluation took longer than 1e-06 s and was ended" in done.stderr
    monkeypatch.setenv("FORGEGUARD_EVALUATION_TIMEOUT_S", "soon")
    assert "FORGEGUARD_EVALUATION_TIMEOUT_S: must be a number of seconds" in audit(tree.folder, "--all").stderr
