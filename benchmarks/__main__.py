"""`make bench`: every figure that we claim. `make bench ARGS=engine` runs one."""

from __future__ import annotations

import sys

from benchmarks import engine, first_verdict, intake, push_latency

ALL = {
    "first_verdict": first_verdict.main,
    "push_latency": push_latency.main,
    "engine": engine.main,
    "intake": intake.main,
}


def main() -> None:
    for name in sys.argv[1:] or list(ALL):
        print(f"== {name}", flush=True)
        ALL[name]()


if __name__ == "__main__":
    main()
