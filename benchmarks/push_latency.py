"""Push to last check run, with real processes: warm mirror, ten changed files a push, a simulator without delay.

GitHub's limits are in force, and eight installations share the pushes. The clock starts when GitHub sends the webhook,
which is when the push is in, and stops when the third check run is completed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from forgeguard_app.audit.model import CheckCode
from forgeguard_app.cli.demo import Stage, _git, _install, serving
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import Repository

PUSHES = 120
REPOSITORIES = 8  # with an installation each, so that no limit of GitHub's is what is measured
FILES = 400
CHANGED = 10
BOUNDARIES = (
    '{"layers": [{"name": "a", "glob": "pkg/a*/**"}, {"name": "b", "glob": "pkg/b*/**", "forbidden": '
    '[{"pattern": "SELECT", "reason": "r"}]}], "order": ["a", "b"]}'
)


def main() -> None:
    """Prints the distribution, requests per push and memory."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)
        asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> None:
    async with SimulatedGitHub(folder / "github") as github, serving(github, folder) as address:
        places = [await _place(github, folder, number, address) for number in range(REPOSITORIES)]
        took: list[float] = []
        requests = 0
        for number in range(PUSHES + REPOSITORIES):
            place = places[number % REPOSITORIES]
            _write(place.work, range(number * 7 % FILES, number * 7 % FILES + CHANGED), number + 1)
            github.world.requests.clear()
            sha = await _commit(place.work)
            pushing = asyncio.create_task(_git(place.work, "push", "--quiet", place.url, "main"))
            sent = await _sent(github, place.repository.id, number // REPOSITORIES + 1)
            await _completed(github, place.repository.id, sha)
            if number >= REPOSITORIES:
                took.append(time.perf_counter() - sent)
                requests = max(
                    requests, sum("hook" not in path and "pulls" not in path for _, path in github.world.requests)
                )
            await pushing
        quantiles = statistics.quantiles(took, n=100)
        print(
            f"push to last check run: p50 {quantiles[49] * 1e3:.0f} ms, p95 {quantiles[94] * 1e3:.0f} ms, "
            f"worst {max(took) * 1e3:.0f} ms of {PUSHES} (bounds: 300, 800)"
        )
        print(f"REST requests per push: at most {requests} (bound: 4, with a fresh token)")
        _print_memory()


def _write(work: Path, numbers: range, version: int) -> None:
    for number in numbers:
        path = work / "pkg" / f"{'ab'[number % 2]}{number % 20}" / f"m{number % FILES}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'"""Module {number}, version {version}."""\nimport json\nimport requests\nfrom pkg.b1 import '
            f"m1\n\n\ndef work() -> str:\n    return json.dumps({version})\n"
        )


async def _commit(work: Path) -> str:
    await _git(work, "add", "--all")
    await _git(work, "commit", "--quiet", "--message", "A change")
    return await _git(work, "rev-parse", "HEAD")


@dataclass(frozen=True)
class Place:
    """A repository with the App installed, and where it is worked on."""

    repository: Repository
    work: Path
    url: str


async def _place(github: SimulatedGitHub, folder: Path, number: int, address: str) -> Place:
    repository = await github.create_repository(github.world.add_account(f"bench{number}"), "bench")
    work = folder / f"work{number}"
    _write(work, range(FILES), 0)
    (work / "boundaries.json").write_text(BOUNDARIES)
    (work / "pyproject.toml").write_text('[project]\nname = "bench"\nversion = "1"\ndependencies = ["requests"]\n')
    await _git(work, "init", "--quiet", "--initial-branch=main")
    url = github.clone_url(repository)
    await _commit_push(work, url)
    await _install(Stage(github, repository, Console(), address))
    await _completed(github, repository.id, await _git(work, "rev-parse", "HEAD"))
    return Place(repository, work, url)


async def _commit_push(work: Path, url: str) -> None:
    await _commit(work)
    await _git(work, "push", "--quiet", url, "main")


async def _sent(github: SimulatedGitHub, repository_id: int, number: int) -> float:
    def pushes() -> int:
        return sum(
            delivery.event == "push" and delivery.repository_id == repository_id for delivery in github.world.deliveries
        )

    while pushes() < number:
        await asyncio.sleep(0.001)
    return time.perf_counter()


async def _completed(github: SimulatedGitHub, repository_id: int, sha: str) -> None:
    while sum(run.status == "completed" for run in github.world.runs_of(repository_id, sha)) < len(CheckCode):
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
