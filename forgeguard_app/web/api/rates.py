"""Limits the requests of one token to so many a minute, counted in this process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict

MAX_KNOWN = 50_000


class Rates:
    """A bucket for everybody who asks; it fills up again as time goes by.

    A full one holds `at_once`, or what comes back within a minute.
    """

    def __init__(self, per_minute: int, at_once: int | None = None) -> None:
        self._per_minute, self._most = per_minute, per_minute if at_once is None else at_once
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> int | None:
        """None where the request may go on, else the seconds to wait."""
        now = time.monotonic()
        left, at = self._left.pop(who, (float(self._most), now))
        left = min(self._most, left + (now - at) * self._per_minute / 60)
        allowed = left >= 1
        self._left[who] = (left - 1 if allowed else left, now)
        if len(self._left) > MAX_KNOWN:
            self._left.popitem(last=False)
        return None if allowed else max(1, math.ceil((1 - left) * 60 / self._per_minute))
