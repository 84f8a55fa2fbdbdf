"""A worker whose event loop stands still ends, so that others can take over what it holds."""

from __future__ import annotations

import subprocess
import sys

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
