"""The time limit of an evaluation."""

from __future__ import annotations

import threading

import pytest

from forgeguard_app.evaluation.deadline import Deadline, EvaluationTimeout
from forgeguard_app.git.command import GitTimeout
from forgeguard_app.threads import in_thread


async def test_a_thread_that_never_looks_at_the_clock_is_left_behind_at_the_limit() -> None:
    deadline, released = Deadline(0.01, grace_s=0.01), threading.Event()
    with pytest.raises(EvaluationTimeout, match=r"longer than 0\.01 s"):
        async with deadline.limit():
            await in_thread(released.wait, 30)
    released.set()


async def test_a_pause_moves_the_limit_and_another_s_timeout_stays_what_it_is() -> None:
    deadline = Deadline(0.01, grace_s=0.01)
    async with deadline.limit():
        with deadline.paused():
            await in_thread(threading.Event().wait, 0.1)
        deadline.check()
    with pytest.raises(TimeoutError, match="another"):
        async with Deadline().limit():
            raise TimeoutError("another")
    with pytest.raises(EvaluationTimeout):
        async with Deadline().of_git():
            raise GitTimeout((), -1, "no end")
