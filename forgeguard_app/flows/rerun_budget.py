"""When a re-run may start: a person and an installation have so many an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from forgeguard_app.store.reruns import Budget, Spent

BUDGET = Budget(of_person=200, of_installation=600)
WINDOW = timedelta(hours=1)


def start_of(spent: Spent) -> datetime:
    """Return when the next re-run may start, so that no hour holds more starts than a budget."""
    limits = [start + WINDOW for start in (spent.of_person, spent.of_installation) if start is not None]
    return max([spent.now, *limits])
