"""No bytes of a stranger take a reader's time or memory, or make it fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]
FEW, MANY = 60, 600


@pytest.mark.parametrize(
    ("seed", "number"), [(0, FEW), pytest.param(1_000_000, MANY, marks=pytest.mark.nightly)], ids=["few", "many"]
)
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_strange_bytes_are_answered_within_bounds(target: str, seed: int, number: int) -> None:
    _fuzz(target, "--number", str(number), "--seed", str(seed))


@pytest.mark.nightly
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_runs_of_one_piece_are_answered_within_bounds(target: str) -> None:
    _fuzz(target, "--runs")


def _fuzz(*arguments: str) -> None:
    command = [sys.executable, "-m", "tests.fuzz", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2_000:]
