"""`make chaos N=10000 SEED=0`: many schedules, on every core, each in its own world."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.chaos.rehearsal import Failed, rehearse, stage

ROOM_BYTES = 4 << 30


def main() -> int:
    """0 where everything held."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule")
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) * 2)
    parser.add_argument("--shard", type=int, default=None)
    arguments = parser.parse_args()
    if arguments.shard is not None or arguments.number == 1:
        return asyncio.run(_shard(arguments))
    return _all(arguments)


def _all(arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.chaos", "--number", str(arguments.number), "--seed", str(arguments.seed)]
    command += ["--jobs", str(arguments.jobs)]
    shards = [subprocess.Popen([*command, "--shard", str(number)]) for number in range(arguments.jobs)]
    failed = sum(shard.wait() != 0 for shard in shards)
    took = time.monotonic() - began
    last = arguments.seed + arguments.number - 1
    print(f"seeds {arguments.seed} to {last}: {'all held' if not failed else 'FAILED'}, {took:.0f} s")
    return 1 if failed else 0


async def _shard(arguments: argparse.Namespace) -> int:
    seeds = range(
        arguments.seed + (arguments.shard or 0),
        arguments.seed + arguments.number,
        arguments.jobs if arguments.shard is not None else 1,
    )
    met: Counter[str] = Counter()
    failures = 0
    memory = _memory()
    with tempfile.TemporaryDirectory(prefix="forgeguard-chaos-", ignore_cleanup_errors=True, dir=memory) as folder:
        os.chmod(folder, 0o711)
        async with stage(Path(folder)) as shared:
            for number, seed in enumerate(seeds):
                try:
                    for where, _, kind in await rehearse(shared, seed):
                        met[f"{where} {kind}"] += 1
                except Failed as error:
                    failures += 1
                    print(f"FAILED {error}\n", flush=True)
                if number % 50 == 49:
                    print(f"shard {arguments.shard}: {number + 1} of {len(seeds)}, {failures} failed", flush=True)
    print(
        f"shard {arguments.shard}: {len(seeds)} schedules, {failures} failed, faults met: {dict(sorted(met.items()))}",
        flush=True,
    )
    return 1 if failures else 0


def _memory() -> str | None:
    """A folder in memory where there is room, which is a fifth faster than a disk; None for the usual place."""
    shared = Path("/dev/shm")
    roomy = os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ROOM_BYTES
    return str(shared) if roomy else None


if __name__ == "__main__":
    sys.exit(main())
