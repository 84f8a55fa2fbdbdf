"""Signals and child processes of the long-running commands; children die with their parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from forgeguard_app.processes import die_with_parent

STOP_TIMEOUT_S = 7.0


def stop_on_signals() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def start_child(
    arguments: Sequence[str], env: dict[str, str] | None = None, out: int | None = None
) -> subprocess.Popen[bytes]:
    """Return a process of ours running another verb; it gets SIGTERM when we die, however we die (Linux)."""
    command = [sys.executable, "-m", "forgeguard_app.cli.main", *arguments]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=out,
        env={**os.environ, **(env or {})},
        start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGTERM),
    )


async def stop_children(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """SIGTERM to all, and SIGKILL to those that have not ended in time."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = asyncio.get_running_loop().time() + STOP_TIMEOUT_S
    for child in children:
        while child.poll() is None and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        if child.poll() is None:
            child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(2)
