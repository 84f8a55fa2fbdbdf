"""No hour holds more re-runs than a budget, whoever asks when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.flows.intake.rerun_budget import WINDOW, window_start
from forgeguard_app.store.reruns import RerunBudget, Spent

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
Start = tuple[datetime, int, int]


def spent_at(
    now: datetime, starts: list[Start], person: int, installation: int, budget: RerunBudget, read: int
) -> Spent:
    """What the database answers, where it reads so many starts."""
    persons = sorted((at for at, who, _ in starts if who == person), reverse=True)
    places = sorted((at for at, _, where in starts if where == installation), reverse=True)
    of_person = persons[budget.of_person - 1] if len(persons) >= budget.of_person else None
    of_installation = places[budget.of_installation - 1] if len(places) >= budget.of_installation else None
    since = max(now - WINDOW, of_person or now - WINDOW)
    later = tuple(at for at in reversed(places) if at > since)
    return Spent(now, of_person, of_installation, later[:read], len(later) < read)


def test_a_re_run_starts_at_once_where_there_is_room_and_else_an_hour_after_the_one_a_budget_back() -> None:
    now, budget = BEGIN + timedelta(minutes=90), RerunBudget(of_person=1, of_installation=2)
    late, later = BEGIN + timedelta(minutes=40), BEGIN + timedelta(minutes=50)
    for of_person, starts, expected in (
        (None, (), now),
        (BEGIN, (), now),
        (late, (), late + WINDOW),
        (None, (late,), now),
        (None, (late, later), late + WINDOW),
        (later, (late, later), later + WINDOW),
    ):
        assert window_start(Spent(now, of_person, None, starts, is_whole=True), budget) == expected
    soon = now + timedelta(minutes=10)  # and another start ten minutes later, which was not read
    assert window_start(Spent(now, None, soon, (soon,), is_whole=False), budget) == soon + WINDOW


def test_what_one_person_has_deferred_keeps_no_colleague_waiting() -> None:
    budget, starts = RerunBudget(of_person=200, of_installation=600), list[Start]()
    for _ in range(1_000):
        at = window_start(spent_at(BEGIN, starts, 1, 0, budget, 2_000), budget)
        starts.append((at, 1, 0))
    assert max(starts)[0] == BEGIN + 4 * WINDOW
    assert window_start(spent_at(BEGIN, starts, 2, 0, budget, 2_000), budget) == BEGIN


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3), st.integers(0, 1)), max_size=60),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 60),
)
def test_no_hour_holds_more_starts_than_the_budgets(
    asked: list[tuple[int, int, int]], of_person: int, of_installation: int, read: int
) -> None:
    now, starts, budget = BEGIN, list[Start](), RerunBudget(of_person, of_installation)
    for wait_s, person, installation in asked:
        now += timedelta(seconds=wait_s)
        at = window_start(spent_at(now, starts, person, installation, budget, read), budget)
        assert at >= now
        starts.append((at, person, installation))
    for begin, _, _ in starts:
        within = [one for one in starts if begin <= one[0] < begin + WINDOW]
        for key, most in ((1, of_person), (2, of_installation)):
            assert all(sum(one[key] == name for one in within) <= most for name in {one[key] for one in within})
