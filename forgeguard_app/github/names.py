"""The present names of repositories: GitHub's numeric id stays, a name may be given to another repository."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

HOLDS_S = 5.0  # a name that GitHub confirmed so recently is used without asking again
MAX_NAMES = 10_000
_FULL_NAME = re.compile(r"(?!\.)[\w-][\w.-]{0,99}/(?!\.\.?\Z)[\w.-]{1,200}\Z", re.ASCII)


@dataclass(slots=True)
class _Name:
    full_name: str
    confirmed_at: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Names:
    """Recent names of repositories by numeric id, as GitHub gave them, for all jobs of a process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, _Name] = OrderedDict()

    def recent(self, repository_id: int) -> str | None:
        """Return the name if GitHub confirmed it within the last seconds."""
        kept = self._kept.get(repository_id)
        if kept is None or time.monotonic() - kept.confirmed_at > HOLDS_S:
            return None
        return kept.full_name

    def confirmed_at(self, repository_id: int) -> float | None:
        """Return when GitHub confirmed the name last, on the process's clock; None where it was not asked."""
        kept = self._kept.get(repository_id)
        return None if kept is None else kept.confirmed_at

    def confirm(self, repository_id: int, full_name: str) -> None:
        """Note that the repository has this name now."""
        self._of(repository_id).full_name = full_name
        self._of(repository_id).confirmed_at = time.monotonic()

    def doubt(self, repository_id: int) -> None:
        """Forget the confirmation: an answer suggests that the name changed."""
        self._of(repository_id).confirmed_at = -HOLDS_S - 1

    def turn(self, repository_id: int) -> asyncio.Lock:
        """Return the lock under which the repository is looked up, so that concurrent callers share one request."""
        return self._of(repository_id).turn

    def _of(self, repository_id: int) -> _Name:
        kept = self._kept.setdefault(repository_id, _Name("", -HOLDS_S - 1))
        self._kept.move_to_end(repository_id)
        while len(self._kept) > MAX_NAMES:
            self._kept.popitem(last=False)
        return kept


def name_in(answer: Any, repository_id: int) -> str | None:
    """Return the name in GitHub's description of a repository; None where it describes another or is malformed."""
    if not isinstance(answer, dict) or answer.get("id") != repository_id:
        return None
    full_name = answer.get("full_name")
    return full_name if isinstance(full_name, str) and _FULL_NAME.match(full_name) else None
