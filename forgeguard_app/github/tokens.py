"""Installation tokens, narrowed to one repository and to what the work needs; minted once while they hold."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from weakref import WeakValueDictionary

from forgeguard_app.github.app_access import AppAccess, NotTheApp
from forgeguard_app.github.client import GitHubUnavailable, NothingDone, RateLimited, RequestRejected
from forgeguard_app.github.names import Names, name_in

EARLY_S = 300.0
_NO_ACCESS = (403, 404, 422)
# https://docs.github.com/en/apps/maintaining-github-apps/suspending-a-github-app-installation
_SUSPENDED = "installation has been suspended"
MAX_TOKENS = 2_000
LAG_WAIT_S = 0.3  # after the first refusal of a fresh token
PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0  # after the first failure to get a token, and at most
FRESH_S = 5.0  # a token so young may be refused, since not all of GitHub knows it yet
AUDIT = {"checks": "write", "contents": "read", "metadata": "read"}
LIST = {"metadata": "read"}
LOOK = {"contents": "read", "metadata": "read", "pull_requests": "read"}
BUILD = {"contents": "write", "metadata": "read", "pull_requests": "write"}
PROPOSE = {"contents": "write", "metadata": "read", "pull_requests": "write"}


class InstallationUnavailable(RequestRejected):
    """The installation is suspended or gone, or the repository no longer belongs to it."""


class InstallationSuspended(InstallationUnavailable):
    """The installation is suspended: what was asked for is as it was, once it is active again."""


class TokenUnavailable(NothingDone):
    """GitHub gave no token, for a limit, a fault of its own, or a failure of a moment ago."""


@dataclass(slots=True, eq=False)
class Token:
    """A token; `expires_at` is by GitHub's clock.

    Until an answer has proven it, requests with it leave one at a time: where GitHub does not know it yet, one caller
    finds that out for all of them. Each refusal doubles the pause before the next try.
    """

    value: str
    expires_at: float
    minted: float = field(default_factory=time.monotonic)
    proven: bool = False
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _refusals: int = 0
    _next_try: float = 0.0

    @property
    def fresh(self) -> bool:
        """Return whether a refusal may be GitHub's own lag."""
        return time.monotonic() - self.minted < FRESH_S

    def refused(self) -> None:
        """Note that GitHub did not take it, or not everywhere: the next try waits longer."""
        now = time.monotonic()
        if now >= self._next_try:  # requests that were under way together count as one refusal
            self._refusals += 1
            self._next_try = now + LAG_WAIT_S * 2 ** (self._refusals - 1)
        self.proven = False

    async def pause(self) -> None:
        """Wait until the next try is due."""
        while (wait := self._next_try - time.monotonic()) > 0:
            await asyncio.sleep(wait)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Inside, a request may leave: alone while the token is unproven."""
        if not self.proven:
            async with self._turn:
                if not self._is_proven():  # by the caller before us
                    await self.pause()
                    yield
                    return
        yield

    def _is_proven(self) -> bool:
        return self.proven


@dataclass(frozen=True, slots=True)
class _Pause:
    """No token is asked for until then; each failure in a row doubles the wait."""

    until: float
    failures: int


_Key = tuple[int, int | None, tuple[tuple[str, str], ...]]


class SharedPauses(Protocol):
    """Pauses of all processes, by installation."""

    async def left_s(self, installation_id: int) -> float:
        """Return the seconds until a token may be asked for; 0 or less where it may be now."""

    async def begin(self, installation_id: int, seconds: float) -> None:
        """Tell the others that GitHub gave no token."""


class TokenCache:
    """Tokens by installation, repository (None: all of the installation's) and permissions.

    Concurrent callers share a single request. After a failure, nobody asks for a token of that installation until a
    growing pause is over. A token's answer tells the repository's present name, which `names` keeps.
    """

    def __init__(self, app: AppAccess) -> None:
        self._app = app
        self.names = Names()
        self.shared: SharedPauses | None = None
        self._kept: OrderedDict[_Key, Token] = OrderedDict()
        # A lock lives as long as somebody holds or awaits it: keys that never get a token leave nothing behind.
        self._locks: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()
        self._pauses: dict[int, _Pause] = {}

    async def get(
        self, installation_id: int, repository_id: int | None, permissions: Mapping[str, str] = AUDIT
    ) -> Token:
        """Return a cached token, or create one; it holds for at least five minutes.

        Raises:
            InstallationSuspended, InstallationUnavailable: the installation is suspended or gone, or the repository no
                longer belongs to it.
            NotTheApp: GitHub does not take us for the App.
            RequestRejected: GitHub refused the request for another reason.
            TokenUnavailable: GitHub gives no token now; nothing else was asked.
        """
        key = (installation_id, repository_id, tuple(sorted(permissions.items())))
        lock = self._locks.get(key) or asyncio.Lock()
        self._locks[key] = lock
        async with lock:
            kept = self._kept.get(key)
            if kept is None or kept.expires_at - EARLY_S < self._app.client.clock.now():
                await self._respect_pause(installation_id)
                kept = self._kept[key] = await self._mint(installation_id, repository_id, permissions)
                while len(self._kept) > MAX_TOKENS:
                    self._kept.popitem(last=False)
            return kept

    def holds(self, token: Token) -> bool:
        """Return whether the token was not dropped."""
        return any(kept is token for kept in self._kept.values())

    def drop(self, token: Token) -> None:
        """Forget a token that GitHub refused."""
        for key in [key for key, kept in self._kept.items() if kept is token]:
            del self._kept[key]

    def forget(self, installation_id: int, repository_id: int) -> None:
        """Forget the tokens of a repository: the next one says whether the installation still holds it."""
        for key in [key for key in self._kept if key[:2] == (installation_id, repository_id)]:
            del self._kept[key]

    async def _respect_pause(self, installation_id: int) -> None:
        pause = self._pauses.get(installation_id)
        wait = pause.until - time.monotonic() if pause is not None else 0.0
        if wait <= 0 and self.shared is not None:
            wait = await self.shared.left_s(installation_id)
        if wait > 0:
            raise TokenUnavailable("GitHub gave no token a moment ago", delay_s=wait)

    async def _failed(self, installation_id: int, delay_s: float | None) -> float:
        former = self._pauses.pop(installation_id, _Pause(0.0, 0))
        wait = max(min(PAUSE_S * 2.0**former.failures, LONGEST_PAUSE_S), delay_s or 0.0)
        self._pauses[installation_id] = _Pause(time.monotonic() + wait, min(former.failures + 1, 10))
        while len(self._pauses) > MAX_TOKENS:
            del self._pauses[next(iter(self._pauses))]
        if self.shared is not None:
            await self.shared.begin(installation_id, wait)
        return wait

    async def _mint(self, installation_id: int, repository_id: int | None, permissions: Mapping[str, str]) -> Token:
        wanted: dict[str, object] = {"permissions": dict(permissions)}
        if repository_id is not None:
            wanted["repository_ids"] = [repository_id]
        try:
            # https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
            answer = await self._app.ask("POST", f"/app/installations/{installation_id}/access_tokens", wanted)
            token = _read(answer)
        except RequestRejected as error:
            if error.status not in _NO_ACCESS:
                raise
            kind = InstallationSuspended if _SUSPENDED in str(error).lower() else InstallationUnavailable
            raise kind(error.status, str(error).removeprefix(f"GitHub answered {error.status}: ")) from error
        except NotTheApp:
            await self._failed(installation_id, None)
            raise
        except (GitHubUnavailable, RateLimited) as error:
            wait = await self._failed(installation_id, error.delay_s)
            raise TokenUnavailable(f"GitHub gave no token: {error}", delay_s=wait) from error
        self._pauses.pop(installation_id, None)
        if repository_id is not None:
            for described in _dicts(answer.get("repositories")):
                if (full_name := name_in(described, repository_id)) is not None:
                    self.names.confirm(repository_id, full_name)
        return token


def _dicts(found: object) -> list[dict[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _read(answer: Any) -> Token:
    """Return the token of GitHub's answer.

    Raises:
        GitHubUnavailable: the answer holds no token, or no time at which it expires.
    """
    try:
        value, expires_at = answer["token"], datetime.fromisoformat(answer["expires_at"].replace("Z", "+00:00"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise GitHubUnavailable("GitHub's answer holds no installation token", answered=True) from None
    if not isinstance(value, str) or not value:
        raise GitHubUnavailable("GitHub's answer holds no installation token", answered=True)
    return Token(value, expires_at.timestamp())
