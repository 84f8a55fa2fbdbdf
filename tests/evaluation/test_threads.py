"""Threads of an evaluation."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from forgeguard_app.threads import in_thread

LEFT_BEHIND = """
import asyncio, threading
from forgeguard_app.threads import in_thread

async def main():
    try:
        await asyncio.wait_for(in_thread(threading.Event().wait), 0.01)
    except TimeoutError:
        print("over")

asyncio.run(main())
"""


def test_a_thread_that_never_ends_does_not_keep_the_process_from_ending() -> None:
    done = subprocess.run([sys.executable, "-c", LEFT_BEHIND], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "over\n")


async def test_results_and_errors_of_a_thread_arrive_where_it_was_started() -> None:
    assert await in_thread(sorted, [2, 1], reverse=True) == [2, 1]
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(in_thread(next, iter(())), 10)
