"""No hour holds more re-runs than a budget, whoever asks when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.flows.rerun_budget import WINDOW, start_of
from forgeguard_app.store.reruns import Spent

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_re_run_starts_at_once_where_there_is_room_and_else_an_hour_after_the_one_a_budget_back() -> None:
    now = BEGIN + timedelta(minutes=90)
    early, late, later = BEGIN, BEGIN + timedelta(minutes=40), BEGIN + timedelta(minutes=50)
    assert start_of(Spent(now, None, None)) == now
    assert start_of(Spent(now, early, early)) == now
    assert start_of(Spent(now, late, None)) == late + WINDOW
    assert start_of(Spent(now, late, later)) == later + WINDOW


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 2), st.integers(0, 1)), max_size=60),
    st.integers(1, 4), st.integers(1, 6),
)  # fmt: skip
def test_no_hour_holds_more_starts_than_the_budgets(
    asked: list[tuple[int, int, int]], of_person: int, of_installation: int
) -> None:
    now, starts = BEGIN, list[tuple[datetime, int, int]]()
    for wait_s, person, installation in asked:
        now += timedelta(seconds=wait_s)
        persons = sorted((at for at, who, _ in starts if who == person), reverse=True)
        installations = sorted((at for at, _, where in starts if where == installation), reverse=True)
        spent = Spent(
            now,
            persons[of_person - 1] if len(persons) >= of_person else None,
            installations[of_installation - 1] if len(installations) >= of_installation else None,
        )
        starts.append((start_of(spent), person, installation))
    for begin, _, _ in starts:
        within = [one for one in starts if begin <= one[0] < begin + WINDOW]
        for key, most in ((1, of_person), (2, of_installation)):
            assert all(sum(one[key] == name for one in within) <= most for name in {one[key] for one in within})
