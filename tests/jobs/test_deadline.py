"""A job that does not end gives its slot back."""

from __future__ import annotations

import asyncio

import pytest

from forgeguard_app.jobs.deadline import DeadlineExceeded, end_by

LONG_S = 3_600.0


async def test_what_a_job_raises_is_raised_and_what_it_does_is_done() -> None:
    done = []

    async def work(error: Exception | None) -> None:
        done.append(error)
        if error is not None:
            raise error

    await end_by(work(None), LONG_S)
    with pytest.raises(ValueError, match="mine"):
        await end_by(work(ValueError("mine")), LONG_S)
    assert len(done) == 2


async def test_a_job_past_its_deadline_is_cancelled_and_may_hand_its_work_back() -> None:
    handed_back = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            handed_back.append(True)
            raise

    with pytest.raises(DeadlineExceeded):
        await end_by(work(), 0.01)
    assert handed_back == [True]


async def test_a_job_that_will_not_end_is_left_behind() -> None:
    release = asyncio.Event()

    async def work() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    with pytest.raises(DeadlineExceeded):
        await end_by(work(), 0.01, leave_s=0.01)
    job = asyncio.create_task(end_by(work(), LONG_S, leave_s=0.01))
    await asyncio.sleep(0)
    job.cancel()  # the worker is told to stop
    with pytest.raises(asyncio.CancelledError):
        await job
    release.set()


async def test_a_worker_that_stops_waits_for_the_end_of_its_job() -> None:
    ended, begun = [], asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    job = asyncio.create_task(end_by(work(), LONG_S))
    await begun.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert ended == [True]
