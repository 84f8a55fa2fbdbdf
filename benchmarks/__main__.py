"""`make bench`: every figure that we claim. `make bench ARGS=engine` runs one."""

from __future__ import annotations

import sys

from benchmarks import (
    builds,
    burst,
    downtime,
    engine,
    fair_share,
    first_verdict,
    hostile,
    intake,
    pages,
    push_latency,
    sharing,
    start,
)

ALL = {
    "first_verdict": first_verdict.main,
    "push_latency": push_latency.main,
    "engine": engine.main,
    "intake": intake.main,
    "downtime": downtime.main,
    "burst": burst.main,
    "sharing": sharing.main,
    "fair_share": fair_share.main,
    "pages": pages.main,
    "builds": builds.main,
    "hostile": hostile.main,
    "start": start.main,
}


def main() -> None:
    """Runs the named measurements, or all."""
    for name in sys.argv[1:] or list(ALL):
        print(f"== {name}", flush=True)
        ALL[name]()


if __name__ == "__main__":
    main()
