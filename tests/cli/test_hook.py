"""`forgeguard audit --staged` as a hook of real `git commit`, in all its forms: what would be committed is audited."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.hooks import FORGEGUARD, HOOK, SECRET, TOKEN, attach, attempt, install
from tests.support.repositories import WorkTree


@pytest.fixture
def hooked(tree: WorkTree) -> WorkTree:
    """A repository with two files and the hook."""
    tree.commit({"a.txt": "a\n", "b.txt": "b\n"})
    install(tree.folder / ".git")
    return tree


def blocked(tree: WorkTree, *arguments: str, stdin: str = "") -> bool:
    """Whether the hook stops the commit because of the secret, and says where it is; otherwise the commit is made."""
    before = attempt(tree.folder, "rev-parse", "HEAD").stdout
    done = attempt(tree.folder, "commit", "--message", "x", *arguments, stdin=stdin)
    assert TOKEN not in done.stdout or "-p" in arguments, "git shows the hunks itself"
    made = attempt(tree.folder, "rev-parse", "HEAD").stdout != before
    assert made == (done.returncode == 0), done.stdout
    assert made or "github-personal-token" in done.stdout, done.stdout
    return not made


@pytest.mark.parametrize("arguments", [["-a"], ["a.txt"], ["--only", "a.txt"], ["--include", "a.txt"]])
def test_a_secret_that_git_commit_takes_from_the_work_tree_is_stopped(hooked: WorkTree, arguments: list[str]) -> None:
    hooked.write({"a.txt": SECRET})
    assert blocked(hooked, *arguments)


def test_a_staged_secret_is_stopped_and_named_and_a_warning_is_said_to_fail(hooked: WorkTree) -> None:
    hooked.write({"a.txt": SECRET})
    hooked.git("add", "a.txt")
    done = attempt(hooked.folder, "commit", "--message", "x")
    assert done.returncode == 1
    assert "a.txt:1:6" in done.stdout
    assert done.stdout.splitlines()[-1].startswith(
        "FAIL because of warnings (W1; --no-strict lets them pass): 1 file(s)"
    )


def test_a_staged_secret_that_is_no_part_of_the_commit_does_not_stop_it(hooked: WorkTree) -> None:
    hooked.write({"a.txt": SECRET, "b.txt": "c\n"})
    hooked.git("add", "a.txt")
    assert not blocked(hooked, "b.txt")
    assert not blocked(hooked, "--allow-empty", "--only")
    assert blocked(hooked)


def test_hunks_that_are_chosen_one_by_one_are_audited_and_the_others_are_not(hooked: WorkTree) -> None:
    lines = [f"{number}\n" for number in range(40)]
    hooked.write({"long.txt": "".join(lines)})
    hooked.git("add", "long.txt")
    hooked.git("commit", "--quiet", "--no-verify", "--message", "long")
    hooked.write({"long.txt": "".join(["first\n", *lines, SECRET])})
    assert not blocked(hooked, "-p", stdin="y\nn\n")
    assert blocked(hooked, "-p", stdin="y\n")


@pytest.mark.nightly
def test_an_amended_commit_is_audited_against_the_last_one_or_the_named_base(hooked: WorkTree) -> None:
    hooked.write({"a.txt": SECRET})
    hooked.git("add", "a.txt")
    assert blocked(hooked, "--amend")
    assert attempt(hooked.folder, "commit", "--no-verify", "--message", "x").returncode == 0
    assert not blocked(hooked, "--amend", "--message", "words alone")
    install(hooked.folder / ".git", text=f"{HOOK.strip()} --base HEAD~1\n")
    assert blocked(hooked, "--amend")
    hooked.write({"a.txt": "clean\n"})
    assert not blocked(hooked, "--amend", "-a")


@pytest.mark.nightly
def test_a_merge_is_not_blamed_for_the_other_branch_but_for_what_its_conflict_adds(hooked: WorkTree) -> None:
    hooked.git("switch", "--quiet", "--create", "other")
    hooked.write({"a.txt": SECRET, "theirs.py": "import yaml\n", "requirements.txt": "requests\n"})
    hooked.git("add", "--all")
    assert attempt(hooked.folder, "commit", "--no-verify", "--message", "theirs").returncode == 0
    hooked.git("switch", "--quiet", "main")
    hooked.write({"a.txt": "ours\n"})
    assert not blocked(hooked, "-a")
    assert attempt(hooked.folder, "merge", "other").returncode == 1
    conflict = attempt(hooked.folder, "commit", "--message", "x").stdout
    assert "unmerged" in conflict or "conflicts" in conflict
    done = attempt(hooked.folder, "-c", "alias.guard=!" + str(FORGEGUARD) + " audit --staged", "guard")
    assert (done.returncode, "resolve them and `git add` the files: a.txt" in done.stdout) == (2, True)
    hooked.write({"a.txt": f"{SECRET}resolved\nU = 'gh" + "p_CxNWc4SHp3Kp3UZFjS1vxfOSKaFBlS2fi4JP'\n"})
    hooked.git("add", "a.txt")
    attempted = attempt(hooked.folder, "commit", "--message", "x")
    assert (attempted.returncode, "a.txt:3:6" in attempted.stdout, "a.txt:1" in attempted.stdout) == (1, True, False), (
        attempted.stdout
    )
    hooked.write({"a.txt": f"{SECRET}resolved\n"})
    assert not blocked(hooked, "-a"), "the secret and the import stand in the other branch already"


def test_a_merge_without_conflicts_and_an_octopus_are_audited_by_their_own_hook(hooked: WorkTree) -> None:
    install(hooked.folder / ".git", "pre-merge-commit")
    for name in ("one", "two"):
        hooked.git("switch", "--quiet", "--create", name, "main")
        hooked.write({f"{name}.txt": SECRET.replace("T =", f"{name} =")})
        hooked.git("add", "--all")
        assert attempt(hooked.folder, "commit", "--no-verify", "--message", name).returncode == 0
    hooked.git("switch", "--quiet", "main")
    assert not blocked(hooked, "--allow-empty")
    done = attempt(hooked.folder, "merge", "--no-edit", "one")
    assert (done.returncode, "No new possible secrets" in done.stdout) == (0, True), done.stdout
    hooked.git("reset", "--quiet", "--hard", "HEAD~1")
    assert attempt(hooked.folder, "merge", "--no-commit", "one", "two").returncode == 0
    assert not blocked(hooked)


def test_a_commit_within_a_rebase_a_cherry_pick_and_a_revert_is_audited(hooked: WorkTree) -> None:
    hooked.git("switch", "--quiet", "--create", "topic")
    hooked.write({"a.txt": SECRET})
    assert attempt(hooked.folder, "commit", "--no-verify", "-am", "leak").returncode == 0
    hooked.write({"a.txt": "clean\n"})
    assert not blocked(hooked, "-a")
    assert attempt(hooked.folder, "revert", "--no-commit", "HEAD").returncode == 0
    assert blocked(hooked), "what the revert brings back"
    hooked.git("revert", "--abort")
    hooked.git("switch", "--quiet", "main")
    hooked.write({"a.txt": "main\n"})
    assert not blocked(hooked, "-a")
    assert attempt(hooked.folder, "cherry-pick", "topic~1").returncode == 1
    hooked.write({"a.txt": SECRET})
    hooked.git("add", "a.txt")
    assert blocked(hooked), "a picked commit adds the secret to this branch"
    hooked.git("cherry-pick", "--abort")
    hooked.git("switch", "--quiet", "topic")
    assert attempt(hooked.folder, "rebase", "main").returncode == 1
    hooked.write({"a.txt": SECRET})
    hooked.git("add", "a.txt")
    assert blocked(hooked)


def test_a_linked_work_tree_and_a_submodule_commit_their_own_index(hooked: WorkTree, tmp_path: Path) -> None:
    hooked.git("worktree", "add", "--quiet", "-b", "topic", str(tmp_path / "linked"))
    linked = attach(tmp_path / "linked")
    hooked.write({"a.txt": SECRET})
    hooked.git("add", "a.txt")
    linked.write({"b.txt": "x\n"})
    assert not blocked(linked, "-a"), "the other work tree's index is another commit's"
    linked.write({"b.txt": SECRET})
    assert blocked(linked, "-a")
    hooked.git("rm", "--quiet", "--cached", "-f", "a.txt")
    hooked.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "linked"), "sub m")
    inner = attach(hooked.folder / "sub m")
    install(hooked.folder / ".git" / "modules" / "sub m")
    inner.write({"b.txt": SECRET})
    assert blocked(inner, "-a")
    assert not blocked(hooked), "a submodule's commit is no file of this repository"


@pytest.mark.nightly
def test_the_first_commit_of_an_empty_repository_is_audited_in_either_object_format(tmp_path: Path) -> None:
    for object_format in ("sha1", "sha256"):
        tree = attach(tmp_path / object_format)
        tree.folder.mkdir()
        tree.git("init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")
        install(tree.folder / ".git")
        tree.write({"a b/é ü.txt": SECRET})
        tree.git("add", "--all")
        assert blocked(tree), object_format
        tree.write({"a b/é ü.txt": "clean\n"})
        assert not blocked(tree, "-a"), object_format
        tree.write({"a b/é ü.txt": SECRET})
        assert blocked(tree, "-a"), object_format


def test_what_the_work_tree_alone_holds_does_not_count(hooked: WorkTree) -> None:
    hooked.write({"a.txt": SECRET})
    hooked.git("add", "a.txt")
    hooked.write({"a.txt": "clean again\n"})
    assert blocked(hooked), "staged, and cleaned in the work tree alone"
    hooked.git("add", "a.txt")
    hooked.write({"a.txt": SECRET, "new.txt": SECRET})
    hooked.git("add", "--intent-to-add", "new.txt")
    assert not blocked(hooked), "an intention to add is no content"
    hooked.git("add", "a.txt")
    assert attempt(hooked.folder, "commit", "--no-verify", "--message", "leak").returncode == 0
    hooked.git("mv", "a.txt", "moved.txt")
    assert not blocked(hooked), "a rename adds no line"
    hooked.git("rm", "--quiet", "--cached", "moved.txt")
    assert not blocked(hooked), "a removal adds no line"
