"""GitHub's limits on one installation, as plain arithmetic over recent use.

Source: GitHub's "Rate limits for the REST API" and "Best practices": 100 requests at once, 900 points a minute (a read
is 1, a write 5), 80 content-creating requests a minute and 500 an hour. Check runs are taken to be content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

READ_POINTS, WRITE_POINTS = 1, 5
AT_ONCE_WAIT_S = 1.0  # requests end soon


@dataclass(frozen=True, slots=True)
class Limits:
    """GitHub's limits for an installation. `lasts_s` is how long a batch of requests may take."""

    writes_per_minute: int = 80
    writes_per_hour: int = 500
    points_per_minute: int = 900
    at_once: int = 100
    minute_s: float = 60.0
    # https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    hour_s: float = 3_600.0
    lasts_s: float = 120.0
    room_for_verdicts: float = 0.5  # what only final verdicts may use, of every limit


@dataclass(frozen=True, slots=True)
class LimitUse:
    """One batch of requests: seconds since it was begun, and since it ended (None: it may be under way)."""

    requests: int
    writes: int
    begun_s: float
    ended_s: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a batch of requests; `final` for verdicts, which may use all of a limit."""

    requests: int
    writes: int
    final: bool = True


def wait_for_room(need: Cost, uses: Sequence[LimitUse], limits: Limits) -> float:
    """Return seconds until there is room for the need; 0 where there is room now.

    A batch counts from its begin until a whole window after its end, so that however late GitHub counted its requests,
    no window of GitHub's holds more than the limit. A need that is larger than a limit is let through alone.
    """
    share = 1.0 if need.final else 1.0 - limits.room_for_verdicts
    writes = [(_ended(use, limits), use.writes) for use in uses if use.writes]
    points = [(_ended(use, limits), _points(use.requests, use.writes)) for use in uses]
    return max(
        _window(need.writes, limits.writes_per_minute * share, limits.minute_s, writes),
        _window(need.writes, limits.writes_per_hour * share, limits.hour_s, writes),
        _window(_points(need.requests, need.writes), limits.points_per_minute * share, limits.minute_s, points),
        _at_once(need.requests, limits.at_once * share, uses, limits),
    )


def _points(requests: int, writes: int) -> int:
    return READ_POINTS * (requests - writes) + WRITE_POINTS * writes


def _ended(use: LimitUse, limits: Limits) -> float:
    """Return seconds since GitHub last could have counted a request of the batch; negative where that is to come."""
    return use.begun_s - limits.lasts_s if use.ended_s is None else use.ended_s


def _window(wanted: int, limit: float, window_s: float, spent: Sequence[tuple[float, int]]) -> float:
    """Return seconds until enough of what was spent has left the window; `spent` holds (seconds since its end, how
    much).
    """
    if not wanted:
        return 0.0
    leaving = sorted((window_s - ended_s, cost) for ended_s, cost in spent if ended_s < window_s)
    used = sum(cost for _, cost in leaving)
    wait = 0.0
    for after_s, cost in leaving:
        if used + wanted <= limit:
            break
        used -= cost
        wait = after_s
    return wait


def _at_once(wanted: int, limit: float, uses: Sequence[LimitUse], limits: Limits) -> float:
    under_way = sum(use.requests for use in uses if use.ended_s is None and use.begun_s < limits.lasts_s)
    return 0.0 if not under_way or under_way + wanted <= limit else AT_ONCE_WAIT_S
