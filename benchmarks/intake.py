"""Durable acknowledgements: the real server with its PostgreSQL, no worker, the sender in a process of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from pathlib import Path

from benchmarks.deliveries import closed_loop, open_loop, pushes
from forgeguard_app.cli.demo import serving
from forgeguard_app.simulator.server import SimulatedGitHub

CLOSED, OPEN_S, RATE = 10_000, 20, 300


def main() -> None:
    """Prints acknowledgements a second, and the latency at a steady rate."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)
        asyncio.run(_measure(Path(folder)))


async def _measure(folder: Path) -> None:
    secret = secrets.token_hex(20)
    async with (
        SimulatedGitHub(folder / "github") as github,
        serving(github, folder, workers=0, secret=secret) as address,
    ):
        url = f"{address}/webhooks/github"
        await closed_loop(url, pushes(secret, 500), 8)
        answers = await open_loop(url, pushes(secret, OPEN_S * RATE), RATE)
        print(
            f"steady {RATE}/s: p50 {answers.quantile(0.5):.1f} ms, p99 {answers.quantile(0.99):.1f} ms of "
            f"{len(answers.seconds)} (bound: p99 50 ms)"
        )
        answers, took = await closed_loop(url, pushes(secret, CLOSED), 24)
        print(f"durable acknowledgements: {CLOSED / took:.0f}/s, statuses {dict(answers.statuses)} (bound: 1,000/s)")


if __name__ == "__main__":
    main()
