"""When a re-run may start: a person and an installation have so many an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from forgeguard_app.store.reruns import RerunBudget, Spent

BUDGET = RerunBudget(of_person=200, of_installation=600, reserved=150, few=20)
WINDOW = timedelta(hours=1)
MAX_WAIT = 2 * WINDOW  # a request of a person that could not be answered within it is refused


def window_start(spent: Spent) -> datetime:
    """Return when the next re-run may start, so that no hour holds more starts than a budget.

    Deferred re-runs leave gaps in the installation's budget: what one person may not start yet, others may.
    """
    earliest = spent.now if spent.of_person is None else max(spent.now, spent.of_person + WINDOW)
    found = _first_gap(earliest, spent.starts, spent.room)
    if spent.is_whole or found + WINDOW <= spent.starts[-1]:
        return found
    return earliest if spent.of_installation is None else max(earliest, spent.of_installation + WINDOW)


def is_beyond(due_at: datetime, spent: Spent) -> bool:
    """Return whether a start lies so far ahead that a person's request for it is refused.

    So nobody has more than twice the budget of an hour deferred, and no account either.
    """
    return due_at - spent.now > MAX_WAIT


def _first_gap(earliest: datetime, starts: tuple[datetime, ...], most: int) -> datetime:
    """Return the first time from `earliest` on at which one more start leaves at most `most` in every hour."""
    found = earliest
    for first, last in zip(starts, starts[most - 1 :], strict=False):
        if last - first < WINDOW and last - WINDOW < found < first + WINDOW:
            found = first + WINDOW
    return found
