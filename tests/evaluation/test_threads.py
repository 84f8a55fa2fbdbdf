"""Threads of an evaluation."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from forgeguard_app.audit.scope import Scope
from forgeguard_app.audit.secrets.allowlists import Exceptions
from forgeguard_app.audit.secrets.scanner import AddedBlock, SecretScan
from forgeguard_app.evaluation import secret_search
from forgeguard_app.evaluation.deadline import Deadline, EvaluationTimeout
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.secret_search import Search, SecretSearch
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.git.command import EMPTY_TREE, GitRepository
from forgeguard_app.git.listing import MAX_DEPTH, TooDeep
from forgeguard_app.git.patches import Content, Unshown, UnshownFiles
from forgeguard_app.threads import LEFT, LeftThreads, in_thread
from tests.support.repositories import WorkTree

LEFT_BEHIND = """
import asyncio, threading
from forgeguard_app.threads import in_thread

async def main():
    try:
        await asyncio.wait_for(in_thread(threading.Event().wait), 0.01)
    except TimeoutError:
        print("over")

asyncio.run(main())
"""


def test_a_thread_that_never_ends_does_not_keep_the_process_from_ending() -> None:
    done = subprocess.run([sys.executable, "-c", LEFT_BEHIND], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "over\n")


async def test_results_and_errors_of_a_thread_arrive_where_it_was_started() -> None:
    assert await in_thread(sorted, [2, 1], reverse=True) == [2, 1]
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(in_thread(next, iter(())), 10)


async def test_a_thread_that_nobody_waits_for_is_known_until_it_ends() -> None:
    release = threading.Event()

    def wait_for_ever() -> None:
        release.wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(in_thread(wait_for_ever), 0.01)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "wait_for_ever"]
    assert thread in LEFT._left
    left, patient = LeftThreads(grace_s=0.0), LeftThreads(grace_s=3_600.0)
    left.add(thread)
    patient.add(thread)
    assert left.list_functions() == ["wait_for_ever"]
    assert (left.pop_new(), left.pop_new()) == ({"wait_for_ever": 1}, {})
    assert patient.list_functions() == [], "it may still meet its limit"
    release.set()
    thread.join()
    assert left.list_functions() == []


class WatchedScope(Scope):
    """A scope that notes in which threads it is asked about paths."""

    threads: ClassVar[set[int]] = set()

    def __contains__(self, path: str) -> bool:
        self.threads.add(threading.get_ident())
        return super().__contains__(path)


async def test_no_loop_over_all_files_runs_on_the_event_loop(tree: WorkTree) -> None:
    head = tree.commit({"a.py": "import os\n", "requirements.txt": ""})
    request = Request(head, EMPTY_TREE, whole_tree=True, scope=WatchedScope(frozenset({""})))
    await Evaluator().evaluate(LocalSource(GitRepository(tree.folder / ".git")), request)
    assert WatchedScope.threads
    assert threading.get_ident() not in WatchedScope.threads


class WatchedFiles(list[Unshown]):
    """Changed files whose lines are not shown; notes in which threads they are gone through."""

    threads: ClassVar[set[int]] = set()

    def __iter__(self) -> Iterator[Unshown]:
        self.threads.add(threading.get_ident())
        return super().__iter__()


async def test_no_loop_over_changed_binary_files_runs_on_the_event_loop(
    tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trees that name one another change hundreds of thousands of them in some kilobytes."""
    secret = "gh" + "p_" + "Zk3Qw9Lm2Xc7Vb5Nn8Rt4Yp6Hs1Jd0Fg3AqU"
    kept = UnshownFiles()
    kept.items = WatchedFiles()
    monkeypatch.setattr(secret_search, "UnshownFiles", lambda: kept)
    places: set[int] = set()

    def block(*fields: Any) -> AddedBlock:
        places.add(threading.get_ident())
        return AddedBlock(*fields)

    monkeypatch.setattr(secret_search, "AddedBlock", block)
    base = tree.commit({"a.bin": "\0old", "b.bin": f"\0{secret}"})
    head = tree.commit({"a.bin": f"\0\n{secret}\n", "b.bin": f"\0more\n{secret}\n"})
    report = await Evaluator().evaluate(LocalSource(GitRepository(tree.folder / ".git")), Request(head, base))
    assert [finding.path for check in report.checks for finding in check.findings if finding.new] == ["a.bin"]
    assert WatchedFiles.threads
    assert places
    assert threading.get_ident() not in WatchedFiles.threads | places


async def test_the_time_limit_ends_the_sorting_of_changed_binary_files() -> None:
    files = [Unshown("c", "a.bin", "b" * 40, (Content("a" * 40, "a.bin"),))]
    search = SecretSearch(LocalSource(GitRepository(Path("/nonexistent"))), Deadline(-1), Exceptions())
    with pytest.raises(EvaluationTimeout):
        await search._require(files)
    with pytest.raises(EvaluationTimeout):
        await search._in_unshown(files, SecretScan(Exceptions()), Search())


async def test_no_changes_are_read_of_a_tree_that_is_refused(
    tree: WorkTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    script, log = tmp_path / "bin/git", tmp_path / "log"
    script.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {shutil.which("git")} "$@"\n')
    script.chmod(0o755)
    base = tree.commit({"a.py": "import os\n"})
    tree.git(
        "fast-import",
        "--quiet",
        stdin="commit refs/heads/deep\ncommitter a <a@b> 0 +0000\ndata 0\nfrom refs/heads/main\n"
        f"M 100644 inline {'a/' * (MAX_DEPTH + 1)}a.py\ndata 1\nx\n",
    )
    head = tree.git("rev-parse", "deep")
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    with pytest.raises(TooDeep):
        await Evaluator().evaluate(LocalSource(GitRepository(tree.folder / ".git")), Request(head, base))
    assert "ls-tree" in log.read_text()
    assert "diff-tree" not in log.read_text()
