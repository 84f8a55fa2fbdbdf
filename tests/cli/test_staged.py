"""What `--staged` reads: the index that git's variables name, whatever attributes and settings say."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from forgeguard_app.cli.main import main
from tests.support.hooks import SECRET, attach, attempt
from tests.support.repositories import WorkTree


@pytest.fixture
def staged(tree: WorkTree) -> WorkTree:
    """A repository in which a secret is staged below a folder."""
    tree.commit({"sub/a.txt": "a\n"})
    tree.write({"sub/a.txt": f"a\n{SECRET}"})
    tree.git("add", "--all")
    return tree


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, int]]:
    """The places of the secrets that are found, and the exit status is in accordance."""
    status = main(["audit", "--staged", "--format", "json", *arguments])
    report = json.loads(capsys.readouterr().out)
    assert (report["head"], report["exit_status"]) == (None, status)
    (check,) = [check for check in report["checks"] if check["check_code"] == "W1"]
    assert status == int(bool(check["findings"]))
    assert all(finding["commit"] is None for finding in check["findings"])
    return [(finding["path"], finding["line"]) for finding in check["findings"]]


@pytest.mark.parametrize("attributes", ["* -diff", "* binary", "*.txt -text diff=other", "*.txt filter=lfs -text"])
@pytest.mark.parametrize("where", [".gitattributes", "sub/.gitattributes", ".git/info/attributes", "named"])
def test_attributes_hide_nothing(
    staged: WorkTree, attributes: str, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "attributes" if where == "named" else staged.folder / where
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{attributes}\n")
    staged.git("config", "core.attributesFile", str(path)) if where == "named" else staged.git("add", "--all")
    os.chdir(staged.folder)
    assert found(capsys) == [("sub/a.txt", 2)]
    attempt(staged.folder, "commit", "--quiet", "--message", "x")
    assert main(["audit", "--strict"]) == 1, "nor in a commit"
    assert "sub/a.txt:2:6" in capsys.readouterr().out


def test_no_program_that_settings_or_attributes_name_is_run(
    staged: WorkTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "ran"
    staged.git("config", "core.hooksPath", str(tmp_path / "hooks"))
    for key in ("diff.external", "diff.x.textconv", "diff.x.command", "filter.x.clean", "filter.x.process"):
        staged.git("config", key, f"touch {mark}; cat")
    staged.git("config", "core.fsmonitor", f"touch {mark}")
    mark.unlink(missing_ok=True)
    (staged.folder / ".git/info/attributes").write_text("* diff=x filter=x\n")
    (staged.folder / "sub/a.txt").write_text("changed again\n")
    os.chdir(staged.folder)
    assert found(capsys) == [("sub/a.txt", 2)]
    main(["audit"])
    assert "Uncommitted changes were not read" in capsys.readouterr().out
    assert not mark.exists()


def test_the_index_that_git_index_file_names_is_read(
    staged: WorkTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    staged.git("reset", "--quiet")
    alternative = staged.folder / ".git" / "alternative"
    attempt(staged.folder, "read-tree", "HEAD", GIT_INDEX_FILE=str(alternative))
    attempt(staged.folder, "add", "--all", GIT_INDEX_FILE=str(alternative))
    assert found(capsys, str(staged.folder)) == []
    monkeypatch.setenv("GIT_INDEX_FILE", str(alternative))
    assert found(capsys, str(staged.folder)) == [("sub/a.txt", 2)], "from outside, by an absolute name"
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/alternative")
    monkeypatch.chdir(staged.folder / "sub")
    assert found(capsys) == [("sub/a.txt", 2)], "a relative name counts from the top"
    other = WorkTree(tmp_path / "other")
    other.commit({"x.txt": "x\n"})
    assert found(capsys, str(other.folder)) == [], "another repository has an index of its own"


def test_a_git_folder_away_from_its_work_tree_is_read(
    staged: WorkTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    away = tmp_path / "away"
    shutil.move(staged.folder / ".git", away)
    monkeypatch.chdir(staged.folder)
    assert main(["audit", "--staged"]) == 2
    monkeypatch.setenv("GIT_DIR", str(away))
    assert found(capsys) == [("sub/a.txt", 2)], "the current folder is the work tree"
    monkeypatch.setenv("GIT_WORK_TREE", str(staged.folder))
    monkeypatch.chdir(staged.folder / "sub")
    assert found(capsys) == [("sub/a.txt", 2)]
    monkeypatch.setenv("GIT_DIR", os.path.relpath(away))
    assert found(capsys, str(staged.folder / "sub")) == [("sub/a.txt", 2)]
    other = WorkTree(tmp_path / "other")
    other.commit({"x.txt": "x\n"})
    assert found(capsys, str(other.folder)) == [], "a path in another repository means that one"


def test_objects_that_git_keeps_in_quarantine_are_read(
    staged: WorkTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    staged.git("reset", "--quiet")
    staged.write({"sub/a.txt": f"new\n\n{SECRET}"})  # what git has elsewhere already does not go into quarantine
    (tmp_path / "q:uarantine").mkdir()
    variables = {
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "q:uarantine"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(staged.folder / ".git" / "objects"),
    }
    attempt(staged.folder, "add", "--all", **variables)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(staged.folder)
    assert found(capsys) == [("sub/a.txt", 3)]


def test_a_bare_repository_has_nothing_staged_and_links_and_gitlinks_are_no_files(
    staged: WorkTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    staged.git("clone", "--quiet", "--bare", str(staged.folder), str(tmp_path / "bare.git"))
    assert main(["audit", "--staged", str(tmp_path / "bare.git")]) == 2
    assert "bare repository" in capsys.readouterr().err
    staged.git("reset", "--quiet", "--hard")
    (staged.folder / "link").symlink_to("sub/a.txt")
    staged.git("add", "link")
    head = staged.git("rev-parse", "HEAD")
    staged.git("update-index", "--add", "--cacheinfo", f"160000,{head},module")
    monkeypatch.chdir(staged.folder)
    assert found(capsys) == []


def test_a_held_lock_and_a_split_index_do_not_hinder(
    staged: WorkTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    staged.git("update-index", "--split-index")
    (staged.folder / ".git" / "index.lock").write_bytes(b"")
    before = {path: path.read_bytes() for path in (staged.folder / ".git").rglob("*") if path.is_file()}
    monkeypatch.chdir(staged.folder)
    assert found(capsys) == [("sub/a.txt", 2)]
    after = {path: path.read_bytes() for path in (staged.folder / ".git").rglob("*") if path.is_file()}
    assert before == after, "nothing in the repository is written"


def test_names_after_the_dashes_narrow_the_report(
    staged: WorkTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    strange = "sub/-we ird,\n\x1b[31m[a]*?.txt"
    staged.write({"b.txt": SECRET, strange: SECRET, "gone.txt": "x\n"})
    staged.git("add", "--all")
    monkeypatch.chdir(staged.folder)
    assert len(found(capsys)) == 3
    assert found(capsys, "--", "b.txt") == [("b.txt", 1)]
    assert found(capsys, "b.txt") == [("b.txt", 1)]
    assert found(capsys, "b.txt", "sub/a.txt") == [("b.txt", 1), ("sub/a.txt", 2)], "without dashes too"
    assert found(capsys, "--", strange) == [(strange, 1)]
    assert found(capsys, "--", str(staged.folder / "b.txt"), "./sub/../sub/a.txt") == [("b.txt", 1), ("sub/a.txt", 2)]
    assert found(capsys, ".", "--", "b.txt") == [("b.txt", 1)]
    assert found(capsys, "--") == found(capsys)
    assert found(capsys, "--", *(f"file{number}.txt" for number in range(500)), "b.txt") == [("b.txt", 1)]
    assert main(["audit", "--staged", "--", "nowhere.txt"]) == 0
    assert "Not part of what was read, so nothing is reported on it: `nowhere.txt`." in capsys.readouterr().out
    assert main(["audit", "--staged", "--", str(tmp_path / "outside.txt")]) == 2
    assert "lies outside" in capsys.readouterr().err
    staged.git("rm", "--quiet", "--cached", "sub/a.txt")
    assert found(capsys, "--", "sub/a.txt") == []
    raw = os.fsdecode(b"sub/\xff.txt")
    staged.write({raw: SECRET})
    staged.git("add", raw)
    assert len(found(capsys, "--", raw)) == 1


def test_nothing_staged_is_said_and_warnings_pass_where_wanted(
    staged: WorkTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(staged.folder)
    assert main(["audit", "--staged", "--no-strict"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("PASS with warnings (W1): 1 file(s)")
    assert main(["audit", "--staged", "--check", "A9"]) == 0
    capsys.readouterr()
    staged.git("reset", "--quiet")
    assert main(["audit", "--staged"]) == 0
    assert "Nothing is staged that differs from the base." in capsys.readouterr().out


def test_a_secret_that_the_linked_folder_commits_below_another_repository(
    staged: WorkTree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hook of the outer repository that names the inner one audits the inner one's index."""
    inner = attach(staged.folder / "inner")
    inner.folder.mkdir()
    inner.git("init", "--quiet", "--initial-branch=main")
    inner.commit({"x.txt": "x\n"})
    monkeypatch.chdir(staged.folder)
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", str(staged.folder / ".git" / "index"))
    assert found(capsys, "inner") == []
    assert found(capsys, "sub") == [("sub/a.txt", 2)]
