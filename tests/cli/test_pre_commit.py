"""The hook within the real pre-commit framework (https://pre-commit.com)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.hooks import FORGEGUARD, SECRET, TOKEN, attempt
from tests.support.repositories import ENV, WorkTree

PRE_COMMIT = str(Path(sys.executable).parent / "pre-commit")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def framed(tree: WorkTree, tmp_path: Path) -> WorkTree:
    """A repository in which the framework runs the hook, and hands it the names of the staged files."""
    tree.write({"a.txt": "a\n", "b.txt": "b\n"})
    configured(tree, tmp_path, "true")
    tree.git("add", "--all")
    tree.git("commit", "--quiet", "--no-verify", "--message", "first")
    return tree


def configured(tree: WorkTree, tmp_path: Path, pass_filenames: str) -> None:
    (published,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    entry = published["entry"].replace("forgeguard", str(FORGEGUARD), 1)
    hook = f"{{id: forgeguard, name: ForgeGuard, entry: '{entry}', language: system"
    hook += f", pass_filenames: {pass_filenames}, always_run: true}}"
    tree.write({".pre-commit-config.yaml": f"repos:\n- repo: local\n  hooks:\n  - {hook}\n"})
    environment = {**ENV, "PRE_COMMIT_HOME": str(tmp_path / "cache")}
    subprocess.run([PRE_COMMIT, "install"], cwd=tree.folder, env=environment, check=True, capture_output=True)


def commits(tree: WorkTree, tmp_path: Path, *arguments: str) -> tuple[int, str]:
    done = attempt(tree.folder, "commit", "--message", "x", *arguments, PRE_COMMIT_HOME=str(tmp_path / "cache"))
    assert TOKEN not in done.stdout
    return done.returncode, done.stdout


@pytest.mark.nightly
def test_the_framework_stops_what_git_would_commit_and_nothing_else(framed: WorkTree, tmp_path: Path) -> None:
    framed.write({"a.txt": SECRET})
    status, output = commits(framed, tmp_path, "-a")
    assert (status, "a.txt:1:6" in output) == (1, True), output
    status, output = commits(framed, tmp_path, "a.txt")
    assert (status, "a.txt:1:6" in output) == (1, True), output
    framed.git("add", "a.txt")
    framed.write({"b.txt": "c\n"})
    status, output = commits(framed, tmp_path, "b.txt")
    assert status == 0, output
    status, output = commits(framed, tmp_path)
    assert (status, "a.txt:1:6" in output) == (1, True), output


@pytest.mark.nightly
def test_hundreds_of_names_in_several_processes_find_the_one_secret(framed: WorkTree, tmp_path: Path) -> None:
    framed.write({f"folder with a space/{number:04}-ä.txt": "x\n" for number in range(300)})
    framed.write({"-odd 'name\".txt": SECRET})
    framed.git("add", "--all")
    status, output = commits(framed, tmp_path)
    assert (status, "-odd 'name\".txt:1:6" in output) == (1, True), output
    framed.write({"-odd 'name\".txt": "x\n"})
    framed.git("add", "--all")
    assert commits(framed, tmp_path)[0] == 0


@pytest.mark.nightly
def test_the_framework_without_names_reads_the_whole_commit(framed: WorkTree, tmp_path: Path) -> None:
    configured(framed, tmp_path, "false")
    framed.git("add", "--all")
    framed.git("rm", "--quiet", "b.txt")
    assert commits(framed, tmp_path)[0] == 0
    framed.write({"a.txt": SECRET})
    assert commits(framed, tmp_path, "-a")[0] == 1


def test_the_hook_that_we_publish_is_valid() -> None:
    manifest = str(ROOT / ".pre-commit-hooks.yaml")
    done = subprocess.run([PRE_COMMIT, "validate-manifest", manifest], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
