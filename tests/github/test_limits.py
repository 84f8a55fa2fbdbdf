"""No window of GitHub's ever holds more than its limit, however long requests take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.github.limits import Cost, Limits, LimitUse, wait_for_room

LIMITS = Limits(
    writes_per_minute=10, writes_per_hour=30, points_per_minute=100, at_once=20, minute_s=60, hour_s=600, lasts_s=20
)


def test_room_is_given_until_a_limit_is_reached() -> None:
    uses = [LimitUse(3, 3, 5.0, 4.0)] * 3
    assert wait_for_room(Cost(1, 1), uses, LIMITS) == 0
    assert wait_for_room(Cost(3, 3), uses, LIMITS) == 56.0  # until the first three have left the minute


def test_only_verdicts_may_use_all_of_it() -> None:
    uses = [LimitUse(5, 5, 5.0, 4.0)]
    assert wait_for_room(Cost(3, 3), uses, LIMITS) == 0
    assert wait_for_room(Cost(3, 3, final=False), uses, LIMITS) > 0


def test_what_never_ended_counts_for_as_long_as_it_may_last() -> None:
    dead = [LimitUse(10, 10, 70.0, None)]
    assert wait_for_room(Cost(1, 1), dead, LIMITS) == 10.0
    assert wait_for_room(Cost(1, 1), [LimitUse(10, 10, 80.0, None)], LIMITS) == 0


def test_a_need_that_is_larger_than_a_limit_goes_alone() -> None:
    assert wait_for_room(Cost(15, 15), [], LIMITS) == 0
    assert wait_for_room(Cost(15, 15), [LimitUse(1, 1, 2.0, 1.0)], LIMITS) == 59.0


@given(
    st.lists(st.tuples(st.integers(1, 6), st.floats(0, 15), st.floats(0, 15), st.floats(0, 1)), min_size=1, max_size=60)
)
def test_no_window_is_crossed(batches: list[tuple[int, float, float, float]]) -> None:
    """Batches leave one after another, each as soon as it may; GitHub counts each write somewhere while it lasted."""
    now = 0.0
    begun: list[tuple[float, float, int]] = []
    counted: list[tuple[float, int]] = []
    for writes, pause, lasted, share in batches:
        now += pause
        uses = [LimitUse(n, n, now - b, now - e if e <= now else None) for b, e, n in begun]
        now += wait_for_room(Cost(writes, writes), uses, LIMITS)
        while True:
            uses = [LimitUse(n, n, now - b, now - e if e <= now else None) for b, e, n in begun]
            wait = wait_for_room(Cost(writes, writes), uses, LIMITS)
            if wait == 0:
                break
            now += wait + 1e-6
        begun.append((now, now + lasted, writes))
        counted.append((now + lasted * share, writes))
    for window_s, limit in ((LIMITS.minute_s, LIMITS.writes_per_minute), (LIMITS.hour_s, LIMITS.writes_per_hour)):
        for at, _ in counted:
            assert sum(writes for then, writes in counted if at - window_s + 1e-6 < then <= at) <= limit
