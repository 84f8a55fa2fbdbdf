"""Commits that are made without a work tree."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from forgeguard_app.git.branches import commit_files
from forgeguard_app.git.command import GitRepository
from tests.support.repositories import WorkTree


async def test_a_commit_of_many_files_takes_as_many_processes_as_one_of_few(
    tree: WorkTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = shutil.which("git"), tmp_path / "calls"
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho x >> {calls}\nexec {real} "$@"\n')
    program.chmod(0o755)
    head = tree.commit({"a": "x"})
    repository = GitRepository(tree.folder / ".git")
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    counts = []
    for many in (1, 300):
        calls.write_text("")
        files = {f"d{number}/f": b"%d\r\n" % (number // 2) for number in range(many)}
        commit = await commit_files(repository, head, files, "Many")
        counts.append(calls.read_text().count("x"))
    assert counts[0] == counts[1]
    assert tree.git("cat-file", "-s", f"{commit}:d299/f").strip() == "5", "as it was given, with its line end"
    assert len(tree.git("ls-tree", "-r", "--name-only", commit).split()) == 301
