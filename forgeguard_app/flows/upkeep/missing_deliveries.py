"""The deliveries of GitHub's log that the inbox lacks, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

from forgeguard_app.github.deliveries import Attempt

MAX_KEPT = 100_000


class MissingDeliveries:
    """The newest attempt of each missing delivery, added newest first.

    Of each installation at most `most_each` are kept, the oldest ones, and fewer where all together pass `most_kept`;
    `number` counts those that were left out too.
    """

    def __init__(self, most_each: int, most_kept: int = MAX_KEPT) -> None:
        self.number = 0
        self._most_each, self._most_kept = most_each, most_kept
        self._kept = 0
        self._by_installation: dict[int | None, dict[str, Attempt]] = {}

    def add(self, attempt: Attempt) -> None:
        """Add an attempt; one whose delivery has a newer attempt here changes nothing."""
        kept = self._by_installation.setdefault(attempt.installation_id, {})
        if attempt.guid in kept:
            return
        kept[attempt.guid] = attempt
        self.number += 1
        self._kept += 1
        self._trim(kept)
        while self._kept > self._most_kept and self._most_each > 1:
            self._most_each //= 2
            for others in self._by_installation.values():
                self._trim(others)

    def _trim(self, kept: dict[str, Attempt]) -> None:
        while len(kept) > self._most_each:
            del kept[next(iter(kept))]
            self._kept -= 1

    def __iter__(self) -> Iterator[Attempt]:
        return (attempt for kept in self._by_installation.values() for attempt in kept.values())

    def share_turns(self, most: int) -> list[Attempt]:
        """Return the attempts of one pass.

        The installations take turns, each with its oldest one first: none takes the room of another, and pushes are
        evaluated in their order.
        """
        numbered = [
            (turn, attempt.id, attempt)
            for kept in self._by_installation.values()
            for turn, attempt in enumerate(reversed(kept.values()))
        ]
        return [attempt for *_, attempt in sorted(numbered, key=lambda item: item[:2])][:most]
