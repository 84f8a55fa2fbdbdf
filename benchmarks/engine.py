"""Engine time of a one-file push in a Python tree of 6,000 files, its facts cached; and the cold audit beside it."""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from forgeguard_app.audit.engine import audit
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.range_loader import RangeLoader
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.git.command import EMPTY_TREE, GitRepository

FILES = 6_000
ROUNDS = 20
_GIT = ["git", "-c", "user.name=b", "-c", "user.email=b@b.invalid"]
BOUNDARIES = """{"layers": [
 {"name": "api", "glob": "app/api*/**", "may_import": ["svc"],
   "forbidden": [{"pattern": "\\\\bSELECT\\\\b", "reason": "r"}]},
 {"name": "svc", "glob": "app/svc*/**", "forbidden_imports": [{"module": "asyncpg", "reason": "r"}]},
 {"name": "db", "glob": "app/db*/**"}], "order": ["api", "svc", "db"], "acyclic": true, "exhaustive": true}"""


def main() -> None:
    """Prints the engine's time alone, and of the whole evaluation with git."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-bench-") as folder:
        asyncio.run(_measure(Path(folder)))


def _source(number: int, version: int) -> str:
    chosen = random.Random(number)
    lines = ['"""A module."""', "import json, os", "import requests"]
    for _ in range(10):
        other = chosen.randrange(FILES // 3) * 3 + min(
            number % 3 + chosen.randrange(2), 2
        )  # its own layer, or the next below
        lines.append(f"from app.{_package(other)} import m{other}")
    return "\n".join(lines) + f"\n\nVALUE = {version}\n" + "def f(x: int) -> str:\n    return str(x)\n" * 15


def _package(number: int) -> str:
    return f"{('api', 'svc', 'db')[number % 3]}{number % 60}"


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run([*_GIT, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


async def _measure(folder: Path) -> None:
    for number in range(FILES):
        path = folder / "app" / _package(number) / f"m{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_source(number, 0))
        (path.parent / "__init__.py").touch()
    (folder / "app" / "__init__.py").touch()
    (folder / "boundaries.json").write_text(BOUNDARIES)
    (folder / "pyproject.toml").write_text('[project]\nname = "app"\nversion = "1"\ndependencies = ["requests"]\n')
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message", "start")
    evaluator, source = Evaluator(), LocalSource(GitRepository(folder / ".git"))
    began = time.perf_counter()
    report = await evaluator.evaluate(source, Request(_git(folder, "rev-parse", "HEAD"), EMPTY_TREE))
    print(f"cold audit of {report.files_checked} files: {time.perf_counter() - began:.2f} s")
    alone: list[float] = []
    whole: list[float] = []
    for number in range(1, ROUNDS + 1):
        base = _git(folder, "rev-parse", "HEAD")
        (folder / "app" / _package(number) / f"m{number}.py").write_text(_source(number, number))
        _git(folder, "commit", "--quiet", "--all", "--message", "one file")
        request = Request(_git(folder, "rev-parse", "HEAD"), base)
        began = time.perf_counter()
        change, facts, config = await RangeLoader(evaluator.cache, source, request).gather()
        gathered = time.perf_counter()
        audit(change, facts, config, evaluator.cache.memo)
        alone.append(time.perf_counter() - gathered)
        whole.append(time.perf_counter() - began)
    print(
        f"engine, one-file push, {FILES} files: median {statistics.median(alone) * 1e3:.1f} ms, worst "
        f"{max(alone) * 1e3:.1f} ms (bound: 30 ms)"
    )
    print(
        f"with git (list, diff, log, one blob): median {statistics.median(whole) * 1e3:.1f} ms, worst "
        f"{max(whole) * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    main()
