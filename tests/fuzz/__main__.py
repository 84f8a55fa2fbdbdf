"""`make fuzz TARGET=manifests N=10000 SEED=0`: a reader is given strange bytes, with bounds on its time and memory.

The process that reads has a bound on its address space; what takes longer than the bound is ended by a signal. The
first input that exceeds one, or on which the reader fails, is kept and named.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
from pathlib import Path

from tests.fuzz.mutations import mutate
from tests.fuzz.runs import runs
from tests.fuzz.targets import TARGETS

TIME_S = 10.0  # of the processor, for one input
MEMORY_BYTES = 512 << 20  # on top of what the program itself takes
_PAGE = resource.getpagesize()


class Exceeded(Exception):
    """One input took too long."""


def main() -> int:
    """0 where every input was answered within the bounds."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--number", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", action="store_true", help="runs of one piece instead of inputs made by seeds")
    arguments = parser.parse_args()
    target = TARGETS[arguments.target]
    for sample in target.samples:
        target.read(sample)  # what is loaded at the first reading counts for the program
    _bound()
    if arguments.runs:
        return _runs(arguments.target)
    for seed in range(arguments.seed, arguments.seed + arguments.number):
        data = mutate(seed, target.samples)
        if (problem := _problem(arguments.target, data)) is not None:
            kept = Path(tempfile.gettempdir()) / f"fuzz-{arguments.target}-{seed}"
            kept.write_bytes(data)
            print(f"{arguments.target}, seed {seed}, {len(data):,} bytes: {problem}; kept as {kept}")
            print(f"replay: make fuzz TARGET={arguments.target} SEED={seed} N=1")
            return 1
    print(f"{arguments.target}: {arguments.number:,} inputs from seed {arguments.seed}, all answered")
    return 0


def _runs(name: str) -> int:
    number = 0
    for number, data in enumerate(runs(TARGETS[name].samples), 1):
        if (problem := _problem(name, data)) is not None:
            print(f"{name}, run {number}, {data[:40]!r}…: {problem}")
            return 1
    print(f"{name}: {number:,} runs, all answered")
    return 0


def _bound() -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * _PAGE
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES, taken + MEMORY_BYTES))
    signal.signal(signal.SIGVTALRM, _end)


def _end(*_: object) -> None:
    raise Exceeded


def _problem(name: str, data: bytes) -> str | None:
    signal.setitimer(signal.ITIMER_VIRTUAL, TIME_S)
    try:
        TARGETS[name].read(data)
    except Exceeded:
        return f"takes more than {TIME_S:g} s"
    except MemoryError:
        return f"takes more than {MEMORY_BYTES >> 20} MiB"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return None


if __name__ == "__main__":
    sys.exit(main())
