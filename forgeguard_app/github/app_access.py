"""What is asked of GitHub as the App itself, with a JWT that says who we are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import jwt

from forgeguard_app.github.client import Client, Refused

JWT_LIFE_S = 540
JWT_SKEW_S = 60
SKEW_NOTED_S = 5.0
_UNAUTHORIZED = 401


class AppAccess:
    """Asks with the first private key that GitHub takes: during rotation there are two."""

    def __init__(self, client: Client, app_id: int, private_keys: tuple[str, ...]) -> None:
        self.client, self._app_id, self._keys = client, app_id, private_keys
        self._taken = private_keys[0] if private_keys else ""

    async def ask(self, method: str, path: str, data: Any = None) -> Any:
        """GitHub's answer.

        Raises:
            Refused, Limited, Broken: as Client.ask.
        """
        refused: Refused | None = None
        for key in self._keys:
            # A JWT made by a clock that is off is refused; the refusal carries GitHub's time, so the next one holds.
            for _ in range(2):
                skew = self.client.clock.skew_s
                try:
                    answer = await self.client.ask(method, path, app_jwt=self._jwt(key), data=data)
                    self._taken = key
                    return answer
                except Refused as error:
                    if error.status != _UNAUTHORIZED:
                        raise
                    refused = error
                if abs(self.client.clock.skew_s - skew) < SKEW_NOTED_S:
                    break
        raise refused or Refused(_UNAUTHORIZED, "no private key")

    async def list(self, path: str, *, most: int) -> AsyncIterator[Any]:
        """The items of a list, page after page, at most `most`.

        Raises:
            Refused, Limited, Broken: as Client.ask.
        """
        await self.ask("GET", "/app")  # finds the key and GitHub's time, before a list is begun
        async for item in self.client.list(path, app_jwt=self._jwt(self._taken), most=most):
            yield item

    def _jwt(self, key: str) -> str:
        return make_app_jwt(self._app_id, key, self.client.clock.now())


def make_app_jwt(app_id: int, private_key: str, now: float) -> str:
    """A JWT that says we are the App: back-dated against a fast clock of ours, within GitHub's ten minutes."""
    claims = {"iat": int(now) - JWT_SKEW_S, "exp": int(now) + JWT_LIFE_S - JWT_SKEW_S, "iss": str(app_id)}
    return jwt.encode(claims, private_key, algorithm="RS256")
