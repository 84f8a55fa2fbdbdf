"""Compares GitHub's delivery log with the inbox, in parts where the log is long."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.upkeep.missing_deliveries import MissingDeliveries
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.deliveries import NEWEST, Attempt, read_page
from forgeguard_app.store.deliveries import list_known

RECENT = timedelta(minutes=30)
COMPARED_AT_ONCE = 5_000
MAX_FAILING = 10_000


@dataclass(frozen=True, slots=True)
class PartBounds:
    """The bounds of one part of the log: a number of attempts, and seconds."""

    attempts: int = 100_000
    time_s: float = 900.0


@dataclass(frozen=True, slots=True)
class ComparedPart:
    """A part of the log: the number of its deliveries, and the page at which the next one begins, None for the last."""

    listed: int
    next_path: str | None


@dataclass(slots=True)
class LogComparison:
    """How far one process has compared the log of the last `whole` with the inbox, from pass to pass.

    The log is read from its newest attempt backwards; a part that its pass could not finish is read again. Once all
    of it was compared, only what came since is read, and what is half an hour older than that.
    `failing` are the deliveries that GitHub could not give or send: each is tried in every pass, without a reading of
    the log that held it. Where they are more than can be kept, the whole log is read again.
    """

    whole: timedelta
    bounds: PartBounds = field(default_factory=PartBounds)
    failing: dict[str, Attempt] = field(default_factory=dict)
    _next_path: str | None = None
    _began: datetime | None = None
    _compared_until: datetime | None = None
    _is_overfull: bool = False

    async def read_part(self, context: WorkerContext, now: datetime, missing: MissingDeliveries) -> ComparedPart:
        """Add to `missing` what the inbox lacks of the next part, and of what is recent.

        Raises:
            RequestRejected, RetryLater: GitHub does not list its log; where it no longer knows the place at which this
                pass should have gone on, the next one begins at the newest attempt.
        """
        reader = _LogReader(context, self.failing, now - timedelta(seconds=context.timings.patience_s), missing)
        if self._next_path is None:
            self._began, self._is_overfull = now, False
            return await reader.read(NEWEST, self._oldest(now), self.bounds)
        await reader.read(NEWEST, now - RECENT, self.bounds)
        try:
            return await reader.read(self._next_path, self._oldest(self._began or now), self.bounds)
        except RequestRejected:
            self._next_path = None
            raise

    def finish_part(self, part: ComparedPart) -> None:
        """Let the next pass go on behind the part: nothing of it is missing any more, or it is among the failing."""
        self._next_path = part.next_path
        if part.next_path is None and not self._is_overfull:
            self._compared_until = self._began

    def add_failing(self, attempt: Attempt) -> bool:
        """Return whether the delivery failed for the first time; it is the last one to be tried again."""
        is_first = self.failing.pop(attempt.guid, None) is None
        if len(self.failing) < MAX_FAILING:
            self.failing[attempt.guid] = attempt
        else:
            self._is_overfull = True
        return is_first

    async def list_failing(self, context: WorkerContext, now: datetime) -> list[Attempt]:
        """Return the failing deliveries that the inbox still lacks and GitHub still keeps, and forget the others."""
        async with context.pool.acquire() as connection:
            known = await list_known(connection, list(self.failing))
        for guid, attempt in list(self.failing.items()):
            if guid in known or attempt.delivered_at < now - self.whole:
                del self.failing[guid]
        return list(self.failing.values())

    def _oldest(self, now: datetime) -> datetime:
        oldest = now - self.whole
        return oldest if self._compared_until is None else max(oldest, self._compared_until - RECENT)


@dataclass(slots=True)
class _LogReader:
    """Reads the log page by page; a delivery with an attempt after `before` may still arrive."""

    context: WorkerContext
    failing: dict[str, Attempt]
    before: datetime
    missing: MissingDeliveries
    young: set[str] = field(default_factory=set)

    async def read(self, path: str, oldest: datetime, bounds: PartBounds) -> ComparedPart:
        newest: dict[str, Attempt] = {}
        listed = attempts = 0
        following: str | None = path
        ends_at = time.monotonic() + bounds.time_s
        while following is not None and attempts < bounds.attempts and time.monotonic() < ends_at:
            page = await read_page(self.context.app, following)
            following = page.next_path
            for attempt in page.attempts:
                if attempt.delivered_at < oldest:
                    following = None
                    break
                attempts += 1
                newest.setdefault(attempt.guid, attempt)
            if len(newest) >= COMPARED_AT_ONCE:
                listed += await self._compare(newest)
        return ComparedPart(listed + await self._compare(newest), following)

    async def _compare(self, newest: dict[str, Attempt]) -> int:
        async with self.context.pool.acquire() as connection:
            known = await list_known(connection, list(newest))
        for guid, attempt in newest.items():
            if guid in known:
                continue
            if guid in self.failing:
                self.failing[guid] = max(attempt, self.failing[guid], key=lambda other: other.id)
            elif attempt.delivered_at >= self.before:
                self.young.add(guid)
            elif guid not in self.young:
                self.missing.add(attempt)
        number = len(newest)
        newest.clear()
        return number
