"""Two servers and one, two, three workers share pushes of 50 installations: each evaluated once, the sooner the more
workers.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from benchmarks.deliveries import closed_loop, sign
from benchmarks.fleet import doubled, fleet, make_template, settle, until_evaluated
from forgeguard_app.simulator.server import SimulatedGitHub

INSTALLATIONS = 50
ROUNDS = ((1, 600), (2, 600), (3, 2_000))  # workers, pushes


def main() -> None:
    """Prints pushes evaluated a second for each number of workers."""
    for workers, number in ROUNDS:
        with tempfile.TemporaryDirectory(prefix="forgeguard-bench-", ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o711)
            asyncio.run(_measure(Path(folder), workers, number))


async def _measure(folder: Path, workers: int, number: int) -> None:
    each = number // INSTALLATIONS
    template = make_template(folder, each)
    async with SimulatedGitHub(folder / "github") as github, fleet(github, folder) as running:
        made = settle(github, template, INSTALLATIONS)
        await running.serve(2, folder / "log")
        todo = [
            sign(
                running.secret,
                "push",
                {
                    "ref": f"refs/heads/topic{count}",
                    "before": "0" * 40,
                    "after": sha,
                    "deleted": False,
                    "head_commit": None,
                    "repository": github.shapes.repository(repository),
                    "installation": {"id": installation.id},
                },
            )
            for count, sha in enumerate(template.commits)
            for repository, installation in made
        ]
        half = len(todo) // 2
        first, second = (f"{address}/webhooks/github" for address in running.addresses)
        await asyncio.gather(closed_loop(first, todo[:half], 8), closed_loop(second, todo[half:], 8))
        running.work(workers, folder / "log")
        began = time.monotonic()
        # The heads of the default branches are found by the workers themselves, and evaluated too.
        await until_evaluated(github, len(todo) + INSTALLATIONS, 1_200)
        took = time.monotonic() - began
        heads = len(todo) + INSTALLATIONS
        print(
            f"2 servers, {workers} worker(s), {len(todo)} pushes: {took:.0f} s, {heads / took:.1f} heads/s,"
            f" {len(github.world.crossed)} limits crossed, {doubled(github)} doubled",
            flush=True,
        )


if __name__ == "__main__":
    main()
