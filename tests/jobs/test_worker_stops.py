"""A worker that is told to stop ends, whatever it does at that moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from forgeguard_app.jobs.worker import run_worker
from tests.support.running import running

MOMENTS = range(150)
END_S = 20.0


@pytest.mark.nightly
async def test_a_worker_ends_at_whatever_step_of_its_start_it_is_told_to_stop(dsn: str, tmp_path: Path) -> None:
    async with running(dsn, tmp_path / "product", worker=False) as product:
        for steps in MOMENTS:
            stop = asyncio.Event()
            worker = asyncio.create_task(run_worker(dsn, product.context, stop))
            for _ in range(steps):
                await asyncio.sleep(0)
            stop.set()
            done, _ = await asyncio.wait({worker}, timeout=END_S)
            assert done, f"still at work {END_S:.0f} s after it was told to stop at step {steps}"
            await worker
