"""A day down: 500 pushes over 20 installations that nobody heard, GitHub's limits in force; then the start."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from benchmarks.fleet import doubled, fleet, make_template, settle, until_evaluated
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import stamp
from forgeguard_app.simulator.story import Story

INSTALLATIONS, EACH = 20, 25
DAY_S = 86_400


def main() -> None:
    """Prints how long after the start all heads are evaluated."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)
        asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> None:
    template = make_template(folder, EACH)
    async with SimulatedGitHub(folder / "github") as github, fleet(github, folder) as running:
        app, story = github.world.app, Story(github)
        assert app is not None
        made = settle(github, template, INSTALLATIONS)
        await running.serve(1, folder / "log")
        app.webhook_url = f"{running.addresses[0]}/webhooks/github"
        for _, installation in made:
            github.webhooks.send("installation", github.installation_payload("created", installation))
        running.work(1, folder / "log")
        await until_evaluated(github, INSTALLATIONS, 120)
        await running.stop()
        for number, sha in enumerate(template.commits):
            for repository, _ in made:
                await story.move(repository, f"topic{number}", sha)
        await github.webhooks.settle()
        pushed = [delivery for delivery in github.world.deliveries if delivery.event != "installation"]
        for number, delivery in enumerate(pushed):
            delivery.delivered_at = stamp(time.time() - DAY_S + 600 + number * (DAY_S - 1_200) / len(pushed))
        await running.serve(1, folder / "log")
        app.webhook_url = f"{running.addresses[0]}/webhooks/github"
        running.work(1, folder / "log")
        took = await until_evaluated(github, INSTALLATIONS * (EACH + 1), 900)
        print(
            f"{INSTALLATIONS * EACH} missed pushes over {INSTALLATIONS} installations: all evaluated {took:.0f} "
            f"s after the start,"
            f" {len(github.world.crossed)} limits crossed, {doubled(github)} doubled (bound: 600 s, 0, 0)"
        )


if __name__ == "__main__":
    main()
