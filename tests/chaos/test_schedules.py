"""A few of the schedules that `make chaos` plays by the thousand; a failure prints its seed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARE = 6
NIGHTLY = [pytest.param(first, marks=pytest.mark.nightly) for first in range(SHARE, 20 * SHARE, SHARE)]


@pytest.mark.parametrize("first", [0, *NIGHTLY])
def test_every_head_gets_exactly_one_verdict_whatever_fails(first: int) -> None:
    command = [sys.executable, "-m", "tests.chaos", "--number", str(SHARE), "--seed", str(first), "--jobs", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2_000:]
    assert "all held" in done.stdout
