"""How long from `forgeguard demo --once` to the first verdict, on a machine where it was installed before."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 5


def main() -> None:
    """Prints the seconds of each round until the first check run is shown."""
    took: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        demo = subprocess.Popen(
            [sys.executable, "-m", "forgeguard_app.cli.main", "demo", "--once"], stdout=subprocess.PIPE
        )
        assert demo.stdout is not None
        for line in demo.stdout:
            if b"ForgeGuard /" in line:
                took.append(time.perf_counter() - began)
                break
        demo.communicate()
    print(f"first verdict: median {statistics.median(took):.2f} s, worst {max(took):.2f} s of {ROUNDS} (bound: 10 s)")


if __name__ == "__main__":
    main()
