"""GitHub's faults by seed: which answer goes wrong, and how, follows from the seed, from what is asked and how often.

Nothing else enters into it, no clock and no order among different requests, so that a schedule meets the same faults
again when it is replayed.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

REST = (
    "500",
    "500-after",
    "502-html",
    "reset",
    "reset-after",
    "slow",
    "403-secondary",
    "429",
    "403-primary",
    "401",
    "expire",
)
GIT = ("500", "502-html", "reset", "slow", "401", "404")
DELIVERY = ("drop", "lost", "double", "delay")
Observer = Callable[[str, str], None]


class Faults:
    """Decides; while `active` is off nothing goes wrong."""

    of_pushes = False  # whether pushes meet faults too

    def __init__(self, seed: int, shares: Mapping[str, float], most: int = 40) -> None:
        self.seed, self.shares, self.most = seed, shares, most
        self.active = True
        self.met: list[tuple[str, str, str]] = []
        self.observer: Observer | None = None
        self._asked: Counter[tuple[str, str]] = Counter()

    def choose(self, where: str, identity: str, kinds: Sequence[str]) -> str | None:
        """Return the fault that this request meets, if any."""
        self._asked[where, identity] += 1
        if not self.active or len(self.met) >= self.most:
            return None
        first, second = self._draw(where, identity, self._asked[where, identity])
        if first >= self.shares.get(where, 0.0):
            return None
        kind = kinds[int(second * len(kinds))]
        self.met.append((where, identity, kind))
        return kind

    def delay_s(self, identity: str, most_s: float) -> float:
        """Return how long a delayed delivery takes, in seconds."""
        return self._draw("delay", identity, 0)[0] * most_s

    def observe(self, moment: str, identity: str) -> None:
        """Tell the watchers that a request came (`before`) or was answered (`after`)."""
        if self.observer is not None:
            self.observer(moment, identity)

    def _draw(self, *parts: object) -> tuple[float, float]:
        digest = hashlib.sha256("|".join(map(str, (self.seed, *parts))).encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64, int.from_bytes(digest[8:16], "big") / 2**64
