"""Requests to GitHub as the App itself, signed with a JWT."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import jwt
from jwt.algorithms import RSAAlgorithm

from forgeguard_app.github.client import MAX_ANSWER_BYTES, Client, GitHubUnavailable, Page, RequestRejected

JWT_LIFE_S = 540
JWT_SKEW_S = 60
JWT_KEPT_S = 240.0
SKEW_NOTED_S = 5.0
_UNAUTHORIZED, _NOT_FOUND = 401, 404
_T = TypeVar("_T")


class NotTheApp(GitHubUnavailable):
    """GitHub refuses our JWT: our clock, our key or GitHub itself is wrong; it says nothing of any repository."""

    def __init__(self, message: str) -> None:
        super().__init__(message, answered=True)


class AppAccess:
    """Asks with the private key that GitHub took last: during rotation there are two."""

    def __init__(self, client: Client, app_id: int, private_keys: tuple[str, ...]) -> None:
        self.client, self._app_id, self._keys = client, app_id, private_keys
        self._made: dict[str, tuple[str, float]] = {}

    async def ask(self, method: str, path: str, data: Any = None, max_bytes: int = MAX_ANSWER_BYTES) -> Any:
        """Return GitHub's answer of at most `max_bytes`.

        Raises:
            RequestRejected: GitHub refuses the request.
            RetryLater: GitHub is away, or its limit is reached; NotTheApp where it takes none of the keys.
        """
        client = self.client.reading(max_bytes)
        return await self._with_key(lambda app_jwt: client.ask(method, path, app_jwt=app_jwt, data=data))

    async def ask_page(self, path: str) -> Page:
        """Return the page of a list that the path asks for.

        Raises:
            RequestRejected: GitHub refuses the request.
            RetryLater: GitHub is away, or its limit is reached; NotTheApp where it takes none of the keys.
        """
        return await self._with_key(lambda app_jwt: self.client.ask_page(path, app_jwt=app_jwt))

    async def list(self, path: str, *, most: int) -> AsyncIterator[Any]:
        """Yield the items of a list, page after page, at most `most`; each page is asked for with a JWT that holds.

        Raises:
            RequestRejected: GitHub refuses the request.
            RetryLater: GitHub is away, or its limit is reached.
        """
        number, following = 0, path
        while number < most:
            page = await self.ask_page(following)
            for item in page.items[: most - number]:
                yield item
            number += len(page.items)
            if page.next_path is None or not page.items:
                return
            following = page.next_path

    async def _with_key(self, request: Callable[[str], Awaitable[_T]]) -> _T:
        """Make the request with a JWT of each key, until GitHub takes one; that one comes first from then on."""
        refused: RequestRejected | None = None
        for key in self._keys:
            # A JWT made by a clock that is off is refused; the refusal carries GitHub's time, so the next one holds.
            for _ in range(2):
                skew = self.client.clock.skew_s
                try:
                    answer = await request(self._jwt(key))
                    self._keys = (key, *(other for other in self._keys if other != key))
                    return answer
                except RequestRejected as error:
                    if error.status != _UNAUTHORIZED and not _is_unknown(error):
                        raise
                    refused = error
                self._made.pop(key, None)
                if abs(self.client.clock.skew_s - skew) < SKEW_NOTED_S:
                    break
        raise NotTheApp("GitHub does not take us for the App") from refused

    def _jwt(self, key: str) -> str:
        """Return a JWT, made once while it holds."""
        now = self.client.clock.now()
        kept, made_at = self._made.get(key, ("", 0.0))
        if not 0 <= now - made_at < JWT_KEPT_S:
            kept = make_app_jwt(self._app_id, key, now)
            self._made[key] = kept, now
        return kept


def _is_unknown(error: RequestRejected) -> bool:
    """Return whether GitHub knows no App of our id: a 404 that says nothing of what was asked for."""
    # https://github.com/actions/create-github-app-token/issues/76
    return error.status == _NOT_FOUND and "integration not found" in str(error).lower()


def make_app_jwt(app_id: int, private_key: str, now: float) -> str:
    """Return a JWT that says we are the App: back-dated against a fast clock of ours, within GitHub's ten minutes."""
    claims = {"iat": int(now) - JWT_SKEW_S, "exp": int(now) + JWT_LIFE_S - JWT_SKEW_S, "iss": str(app_id)}
    # https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
    return jwt.encode(claims, _read_key(private_key), algorithm="RS256")


@functools.lru_cache(maxsize=8)
def _read_key(pem: str) -> Any:
    """Reading and checking a key takes a hundred times as long as signing with it."""
    return RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(pem)
