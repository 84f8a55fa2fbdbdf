"""When a job that failed is tried again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from procrastinate.jobs import Job

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.worker_context import Timings
from forgeguard_app.jobs.tasks import MAX_OWN_FAULTS, MAX_TRANSIENT_FAULTS, Retry

TIMINGS = Timings(retry_s=1.0, longest_retry_s=60.0)


def wait_s(error: BaseException, attempts: int) -> float | None:
    job = Job(id=1, status="doing", queue="q", lock=None, queueing_lock=None, task_name="t", attempts=attempts)
    found = Retry(TIMINGS).get_retry_decision(exception=error, job=job)
    if found is None:
        return None
    return (cast("datetime", found.retry_at) - datetime.now(UTC)) / timedelta(seconds=1)


@pytest.mark.parametrize(
    ("error", "attempts", "wanted"),
    [
        (RetryLater("x"), 0, 1),
        (RetryLater("x"), 3, 8),
        (RetryLater("x"), 40, 60),  # the longest wait
        (RetryLater("x", delay_s=30), 0, 30),  # as long as it says
        (RetryLater("x", delay_s=0.5), 10, 2),  # where a moment is known, the waits do not grow past it
        (OSError("the database is away"), 1, 2),
        (ValueError("a fault of ours"), 1, 2),
    ],
)
def test_waits_grow_up_to_a_bound(error: BaseException, attempts: int, wanted: float) -> None:
    assert wait_s(error, attempts) == pytest.approx(wanted, abs=0.5)


def test_transient_faults_are_tried_for_long_and_our_own_a_few_times() -> None:
    assert wait_s(RetryLater("x"), MAX_TRANSIENT_FAULTS - 1) is not None
    assert wait_s(RetryLater("x"), MAX_TRANSIENT_FAULTS) is None
    assert wait_s(ValueError(), MAX_OWN_FAULTS - 1) is not None
    assert wait_s(ValueError(), MAX_OWN_FAULTS) is None


def test_another_worker_takes_up_at_once_what_a_stopping_one_leaves() -> None:
    waited = wait_s(asyncio.CancelledError(), MAX_TRANSIENT_FAULTS)
    assert waited is not None
    assert waited < 0
