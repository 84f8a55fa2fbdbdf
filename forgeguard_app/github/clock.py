"""GitHub's time: ours, corrected by what its answers say, since a clock that is off makes it refuse us."""

from __future__ import annotations

import email.utils
import time

NOTED_FROM_S = 3.0  # a Date header has whole seconds, and an answer takes its time


class Clock:
    """Now, as GitHub counts it."""

    def __init__(self) -> None:
        self.skew_s = 0.0

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time() + self.skew_s

    def heard(self, date: str | None) -> None:
        """Take in a Date header; one that is no date says nothing."""
        try:
            theirs = email.utils.parsedate_to_datetime(date or "").timestamp()
        except (ValueError, TypeError, OverflowError):
            return
        off = theirs - time.time()
        self.skew_s = off if abs(off) > NOTED_FROM_S else 0.0
