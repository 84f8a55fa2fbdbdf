"""A worker whose event loop stands still ends, so that others can take over what it holds."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

from structlog.testing import capture_logs

from forgeguard_app.app.watchdog import stopped_when_threads_are_left
from forgeguard_app.threads import LeftThreads

BUSY = """
import asyncio, re
from forgeguard_app.app.watchdog import ended_when_silent

async def main():
    async with ended_when_silent(1.0):
        await asyncio.to_thread(try_every_way)

def try_every_way():
    re.match(r"(a+)+$", "a" * 60 + "b")

asyncio.run(main())
"""
ALIVE = """
import asyncio
from forgeguard_app.app.watchdog import ended_when_silent

async def main():
    async with ended_when_silent(1.0):
        for _ in range(30):
            await asyncio.sleep(0.1)

asyncio.run(main())
print("done")
"""


def ran(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)


def test_a_process_that_one_call_holds_up_ends_and_names_the_call() -> None:
    done = ran(BUSY)
    assert done.returncode == 1
    assert "Timeout" in done.stderr and "try_every_way" in done.stderr


def test_a_process_whose_loop_turns_lives_on() -> None:
    done = ran(ALIVE)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


async def test_a_worker_in_which_too_many_threads_are_left_stops_and_says_so() -> None:
    release, stop, left = threading.Event(), asyncio.Event(), LeftThreads(grace_s=0.0)
    threads = [threading.Thread(target=release.wait, name=name) for name in ("audit", "learn")]
    for thread in threads:
        thread.start()
    try:
        left.add(threads[0])
        async with stopped_when_threads_are_left(stop, 2, left, look_s=0.001) as found:
            await asyncio.sleep(0)
            assert not stop.is_set()
            with capture_logs() as logs:
                left.add(threads[1])
                await asyncio.wait_for(stop.wait(), 60)
        assert found.is_set()
        assert [(line["event"], line["functions"]) for line in logs] == [("worker.threads_left", ["audit", "learn"])]
    finally:
        release.set()
        for thread in threads:
            thread.join()
