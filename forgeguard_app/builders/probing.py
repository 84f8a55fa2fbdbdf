"""Probes this machine's abilities once, and again where a probe failed: a busy machine may be able later."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import ParamSpec

FIRST_UID = 710_000  # no account has such a number: nothing on the machine belongs to it
UIDS = 1_000
PROBE_UID = FIRST_UID + UIDS  # of no build, whose processes are all ended before its number is given out
_P = ParamSpec("_P")


def once_it_works(probe: Callable[_P, bool]) -> Callable[_P, bool]:
    """Remember that the probe succeeded, by its arguments; a failure is not remembered."""
    works: set[Hashable] = set()

    @wraps(probe)
    def tried(*args: _P.args, **kwargs: _P.kwargs) -> bool:
        key = (args, tuple(sorted(kwargs.items())))
        if key not in works and probe(*args, **kwargs):
            works.add(key)
        return key in works

    return tried
