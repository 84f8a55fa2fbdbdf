"""Installation tokens, narrowed to one repository and to what the work needs; minted once while they hold."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Broken, Refused

EARLY_S = 300.0
_NO_ACCESS = (403, 404, 422)
MAX_TOKENS = 2_000
FRESH_S = 5.0  # a token so young may be refused, since not all of GitHub knows it yet
AUDIT = {"checks": "write", "contents": "read", "metadata": "read"}
LIST = {"metadata": "read"}
LOOK = {"contents": "read", "metadata": "read", "pull_requests": "read"}
BUILD = {"contents": "write", "metadata": "read", "pull_requests": "write"}
PROPOSE = {"contents": "write", "metadata": "read", "pull_requests": "write"}


class NoAccess(Refused):
    """The installation is suspended or gone, or the repository no longer belongs to it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `expires_at` is by GitHub's clock."""

    value: str
    expires_at: float
    minted: float = field(default_factory=time.monotonic)

    @property
    def fresh(self) -> bool:
        """Whether a refusal may be GitHub's own lag."""
        return time.monotonic() - self.minted < FRESH_S


_Key = tuple[int, int | None, tuple[tuple[str, str], ...]]


class Tokens:
    """Tokens by installation, repository (None: all of the installation's) and permissions; who asks at once shares one minting."""

    def __init__(self, app: AppAccess) -> None:
        self._app = app
        self._kept: OrderedDict[_Key, Token] = OrderedDict()
        self._locks: dict[_Key, asyncio.Lock] = {}

    async def get(
        self, installation_id: int, repository_id: int | None, permissions: Mapping[str, str] = AUDIT
    ) -> Token:
        """A token that holds for five minutes at the least.

        Raises:
            NoAccess: as its name says.
            Refused: GitHub does not take us for the App.
            Limited, Broken: see Client.ask.
        """
        key = (installation_id, repository_id, tuple(sorted(permissions.items())))
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            kept = self._kept.get(key)
            if kept is None or kept.expires_at - EARLY_S < self._app.client.clock.now():
                kept = self._kept[key] = await self._mint(installation_id, repository_id, permissions)
                while len(self._kept) > MAX_TOKENS:
                    old, _ = self._kept.popitem(last=False)
                    self._locks.pop(old, None)
            return kept

    def drop(self, token: Token) -> None:
        """Forgets a token that GitHub refused."""
        for key in [key for key, kept in self._kept.items() if kept is token]:
            del self._kept[key]

    async def _mint(self, installation_id: int, repository_id: int | None, permissions: Mapping[str, str]) -> Token:
        wanted: dict[str, object] = {"permissions": dict(permissions)}
        if repository_id is not None:
            wanted["repository_ids"] = [repository_id]
        try:
            answer = await self._app.ask("POST", f"/app/installations/{installation_id}/access_tokens", wanted)
        except Refused as error:
            if error.status in _NO_ACCESS:
                raise NoAccess(error.status, str(error)) from error
            raise
        return _read(answer)


def _read(answer: Any) -> Token:
    """Return the token of GitHub's answer.

    Raises:
        Broken: the answer holds no token, or no time at which it expires.
    """
    try:
        value, expires_at = answer["token"], datetime.fromisoformat(answer["expires_at"].replace("Z", "+00:00"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Broken("GitHub's answer holds no installation token", answered=True) from None
    if not isinstance(value, str) or not value:
        raise Broken("GitHub's answer holds no installation token", answered=True)
    return Token(value, expires_at.timestamp())
