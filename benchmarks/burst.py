"""5,000 pushes over 50 installations in 10 s, GitHub's limits in force: no push refused, all evaluated, the most wanted
first.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.deliveries import Signed, open_loop, sign
from benchmarks.fleet import Template, doubled, fleet, make_template, settle, until_evaluated
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import Installation, Repository

INSTALLATIONS, EACH, BURST_S = 50, 100, 10
WORKERS = 2
ZERO = "0" * 40


def main() -> None:
    """Prints the acknowledgements, the time until all are evaluated, and when each kind was."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)
        asyncio.run(_measure(Path(folder)))


def _kind(number: int) -> str:
    """Of a hundred heads one is the default branch's, four are merge groups, fifteen open pull requests."""
    last = EACH - 1 - number  # the most wanted come last
    return "default branch" if last == 0 else "merge group" if last < 5 else "pull request" if last < 20 else "other"


def _deliveries(
    secret: str, github: SimulatedGitHub, made: list[tuple[Repository, Installation]], template: Template
) -> tuple[list[Signed], list[Signed]]:
    pulls, burst = [], []
    for number, sha in enumerate(template.commits):
        for repository, installation in made:
            shape: dict[str, object] = {
                "repository": github.shapes.repository(repository),
                "installation": {"id": installation.id},
            }
            kind, branch = _kind(number), f"topic{number}"
            if kind == "merge group":
                group = {
                    "head_sha": sha,
                    "head_ref": f"refs/heads/gh-readonly-queue/main/pr-{number}-{template.start}",
                    "base_sha": template.start,
                    "base_ref": "refs/heads/main",
                }
                burst.append(sign(secret, "merge_group", {"action": "checks_requested", "merge_group": group, **shape}))
                continue
            if kind == "pull request":
                pull = github.world.add_pull(repository, branch, sha, "main")
                body = {"action": "opened", "number": pull.number, "pull_request": github.shapes.pull(pull), **shape}
                pulls.append(sign(secret, "pull_request", body))
            ref = "refs/heads/main" if kind == "default branch" else f"refs/heads/{branch}"
            before = template.start if kind == "default branch" else ZERO
            push: dict[str, object] = {
                "ref": ref,
                "before": before,
                "after": sha,
                "deleted": False,
                "head_commit": None,
                **shape,
            }
            burst.append(sign(secret, "push", push))
    return pulls, burst


async def _measure(folder: Path) -> None:
    template = make_template(folder, EACH)
    async with SimulatedGitHub(folder / "github") as github, fleet(github, folder) as running:
        made = settle(github, template, INSTALLATIONS)
        await running.serve(1, folder / "log")
        url = f"{running.addresses[0]}/webhooks/github"
        pulls, burst = _deliveries(running.secret, github, made, template)
        await open_loop(url, pulls, 200)
        running.work(WORKERS, folder / "log")
        await asyncio.sleep(3)
        answers = await open_loop(url, burst, len(burst) / BURST_S)
        began = time.time()
        print(
            f"{len(burst)} deliveries in {BURST_S} s: statuses {dict(answers.statuses)}, "
            f"{answers.without_retry_after} refused without"
            f" Retry-After, ack p50 {answers.quantile(0.5):.0f} ms, p99 {answers.quantile(0.99):.0f} ms "
            f"(bound: 0, p99 1,000 ms)",
            flush=True,
        )
        await until_evaluated(github, INSTALLATIONS * (EACH + 1), 2_400)
        print(
            f"all evaluated {time.time() - began:.0f} s after the burst by {WORKERS} workers, "
            f"{len(github.world.crossed)} limits crossed,"
            f" {doubled(github)} doubled"
        )
        kinds = {sha: _kind(number) for number, sha in enumerate(template.commits)}
        ranks: dict[str, list[float]] = {}
        done = [run for run in github.world.check_runs.values() if run.head_sha in kinds]
        for rank, run in enumerate(sorted(done, key=lambda run: run.id)):
            ranks.setdefault(kinds[run.head_sha], []).append(rank / len(done))
        for kind in ("merge group", "default branch", "pull request", "other"):
            print(f"  {kind}: in the mean after {statistics.mean(ranks[kind]) * 100:.0f} % of all verdicts")


if __name__ == "__main__":
    main()
