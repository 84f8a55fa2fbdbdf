"""Limits the requests of one token to so many a minute, counted in this process."""

from __future__ import annotations

import math
import time
from collections import OrderedDict

MAX_KNOWN = 50_000


class Rates:
    """A bucket for everybody who asks; it fills up again as time goes by."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> int | None:
        """None where the request may go on, else the seconds to wait."""
        now = time.monotonic()
        left, at = self._left.pop(who, (float(self._per_minute), now))
        left = min(self._per_minute, left + (now - at) * self._per_minute / 60)
        allowed = left >= 1
        self._left[who] = (left - 1 if allowed else left, now)
        if len(self._left) > MAX_KNOWN:
            self._left.popitem(last=False)
        return None if allowed else max(1, math.ceil((1 - left) * 60 / self._per_minute))
