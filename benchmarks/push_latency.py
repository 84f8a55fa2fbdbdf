"""Push to last check run, with real processes: warm mirror, ten changed files a push, a simulator without delay.

The simulator's secondary limits are off, or GitHub's 80 writes a minute would be what is measured. The clock starts
when GitHub sends the webhook, which is when the push is in, and stops when the third check run is completed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console

from forgeguard_app.cli.demo import Stage, _git, _install, serving
from forgeguard_app.simulator.server import SimulatedGitHub

PUSHES = 120
FILES = 400
CHANGED = 10
BOUNDARIES = '{"layers": [{"name": "a", "glob": "pkg/a*/**"}, {"name": "b", "glob": "pkg/b*/**", "forbidden": [{"pattern": "SELECT", "reason": "r"}]}], "order": ["a", "b"]}'


def main() -> None:
    """Prints the distribution, requests per push and memory."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)
        asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> None:
    async with SimulatedGitHub(folder / "github", secondary_limits=False) as github, serving(github, folder) as address:
        owner = github.world.add_account("bench")
        repository = await github.create_repository(owner, "bench")
        stage = Stage(github, repository, Console(), address)
        work = folder / "work"
        _write(work, range(FILES), 0)
        (work / "boundaries.json").write_text(BOUNDARIES)
        (work / "pyproject.toml").write_text('[project]\nname = "bench"\nversion = "1"\ndependencies = ["requests"]\n')
        await _git(work, "init", "--quiet", "--initial-branch=main")
        url = github.clone_url(repository)
        await _commit_push(work, url)
        await _install(stage)
        took: list[float] = []
        requests = 0
        for number in range(PUSHES + 5):
            _write(work, range(number * 7 % FILES, number * 7 % FILES + CHANGED), number + 1)
            github.world.requests.clear()
            sha = await _commit(work)
            pushing = asyncio.create_task(_git(work, "push", "--quiet", url, "main"))
            sent = await _sent(github, number + 1)
            await _completed(github, repository.id, sha)
            if number >= 5:
                took.append(time.perf_counter() - sent)
                requests = max(requests, len(github.world.requests))
            await pushing
        quantiles = statistics.quantiles(took, n=100)
        print(
            f"push to last check run: p50 {quantiles[49] * 1e3:.0f} ms, p95 {quantiles[94] * 1e3:.0f} ms, worst {max(took) * 1e3:.0f} ms of {PUSHES} (bounds: 300, 800)"
        )
        print(f"REST requests per push: at most {requests} (bound: 4, with a fresh token)")
        _print_memory()


def _write(work: Path, numbers: range, version: int) -> None:
    for number in numbers:
        path = work / "pkg" / f"{'ab'[number % 2]}{number % 20}" / f"m{number % FILES}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'"""Module {number}, version {version}."""\nimport json\nimport requests\nfrom pkg.b1 import m1\n\n\ndef work() -> str:\n    return json.dumps({version})\n'
        )


async def _commit(work: Path) -> str:
    await _git(work, "add", "--all")
    await _git(work, "commit", "--quiet", "--message", "A change")
    return await _git(work, "rev-parse", "HEAD")


async def _commit_push(work: Path, url: str) -> None:
    await _commit(work)
    await _git(work, "push", "--quiet", url, "main")


async def _sent(github: SimulatedGitHub, number: int) -> float:
    while sum(delivery.event == "push" for delivery in github.world.deliveries) < number:
        await asyncio.sleep(0.001)
    return time.perf_counter()


async def _completed(github: SimulatedGitHub, repository_id: int, sha: str) -> None:
    while sum(run.status == "completed" for run in github.world.runs_of(repository_id, sha)) < 3:
        await asyncio.sleep(0.001)


def _print_memory() -> None:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            status = (folder / "status").read_text()
        except OSError:
            continue
        for verb, bound in ((b"serve", 120), (b"worker", 200)):
            if verb in command and b"forgeguard_app.cli.main" in command:
                size = int(status.partition("VmRSS:")[2].split()[0]) / 1024
                print(f"RSS of {verb.decode()}: {size:.0f} MB (bound: {bound})")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
