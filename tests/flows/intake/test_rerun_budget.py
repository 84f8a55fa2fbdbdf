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
    room = budget.room_for(sum(at > now - WINDOW for at in persons))
    of_installation = places[room - 1] if len(places) >= room else None
    since = max(now - WINDOW, of_person or now - WINDOW)
    later = tuple(at for at in reversed(places) if at > since)
    return Spent(now, of_person, of_installation, later[:read], len(later) < read, room)


def test_a_re_run_starts_at_once_where_there_is_room_and_else_an_hour_after_the_one_a_budget_back() -> None:
    now = BEGIN + timedelta(minutes=90)
    late, later = BEGIN + timedelta(minutes=40), BEGIN + timedelta(minutes=50)
    for of_person, starts, expected in (
        (None, (), now),
        (BEGIN, (), now),
        (late, (), late + WINDOW),
        (None, (late,), now),
        (None, (late, later), late + WINDOW),
        (later, (late, later), later + WINDOW),
    ):
        assert window_start(Spent(now, of_person, None, starts, is_whole=True, room=2)) == expected
    soon = now + timedelta(minutes=10)  # and another start ten minutes later, which was not read
    assert window_start(Spent(now, None, soon, (soon,), is_whole=False, room=2)) == soon + WINDOW


def test_what_one_person_has_deferred_keeps_no_colleague_waiting() -> None:
    budget, starts = RerunBudget(of_person=200, of_installation=600), list[Start]()
    for _ in range(1_000):
        at = window_start(spent_at(BEGIN, starts, 1, 0, budget, 2_000))
        starts.append((at, 1, 0))
    assert max(starts)[0] == BEGIN + 4 * WINDOW
    assert window_start(spent_at(BEGIN, starts, 2, 0, budget, 2_000)) == BEGIN


def test_people_who_ask_for_much_leave_a_share_of_the_account_s_budget_to_those_who_ask_for_little() -> None:
    budget, starts = RerunBudget(of_person=200, of_installation=600, reserved=150, few=20), list[Start]()

    def ask(person: int, times: int) -> int:
        """Return how many of the re-runs start at once."""
        before = len(starts)
        for _ in range(times):
            starts.append((window_start(spent_at(BEGIN, starts, person, 0, budget, 2_000)), person, 0))
        return sum(at == BEGIN for at, _, _ in starts[before:])

    assert [ask(person, 300) for person in (1, 2, 3, 4)] == [200, 200, 50, 20]
    assert [ask(person, 30) for person in range(5, 13)] == [20] * 6 + [10, 0], "an hour holds no more than 600"


@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3), st.integers(0, 1)), max_size=60),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(0, 5),
    st.integers(0, 3),
    st.integers(1, 60),
)
def test_no_hour_holds_more_starts_than_the_budgets(
    asked: list[tuple[int, int, int]], of_person: int, of_installation: int, reserved: int, few: int, read: int
) -> None:
    now, starts = BEGIN, list[Start]()
    budget = RerunBudget(of_person, of_installation, min(reserved, of_installation - 1), few)
    for wait_s, person, installation in asked:
        now += timedelta(seconds=wait_s)
        at = window_start(spent_at(now, starts, person, installation, budget, read))
        assert at >= now
        starts.append((at, person, installation))
    for begin, _, _ in starts:
        within = [start for start in starts if begin <= start[0] < begin + WINDOW]
        for key, most in ((1, of_person), (2, of_installation)):
            assert all(sum(start[key] == name for start in within) <= most for name in {start[key] for start in within})
