"""Installation tokens, narrowed to one repository and to what an audit needs; minted once while they hold."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from forgeguard_app.github.client import Client, Refused, make_app_jwt

EARLY_S = 300.0
_NO_ACCESS = (403, 404, 422)
MAX_TOKENS = 2_000
PERMISSIONS = {"checks": "write", "contents": "read", "metadata": "read"}


class NoAccess(Refused):
    """The installation is suspended or gone, or the repository no longer belongs to it."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    expires_at: float


class Tokens:
    """Tokens by installation and repository. Callers that ask at once share one minting."""

    def __init__(self, client: Client, app_id: int, private_keys: tuple[str, ...]) -> None:
        self._client, self._app_id, self._keys = client, app_id, private_keys
        self._kept: OrderedDict[tuple[int, int], _Token] = OrderedDict()
        self._locks: dict[tuple[int, int], asyncio.Lock] = {}

    async def get(self, installation_id: int, repository_id: int) -> str:
        """A token that holds for five minutes at the least.

        Raises:
            NoAccess: as its name says.
            Refused: GitHub does not take us for the App.
            Temporary: see Client.ask.
        """
        key = (installation_id, repository_id)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            kept = self._kept.get(key)
            if kept is None or kept.expires_at - EARLY_S < time.time():
                kept = self._kept[key] = await self._mint(installation_id, repository_id)
                while len(self._kept) > MAX_TOKENS:
                    old, _ = self._kept.popitem(last=False)
                    self._locks.pop(old, None)
            return kept.value

    def app_jwt(self) -> str:
        """A JWT that says we are the App."""
        return make_app_jwt(self._app_id, self._keys[0], time.time())

    def drop(self, installation_id: int, repository_id: int) -> None:
        """Forgets a token that GitHub refused."""
        self._kept.pop((installation_id, repository_id), None)

    async def _mint(self, installation_id: int, repository_id: int) -> _Token:
        wanted = {"repository_ids": [repository_id], "permissions": PERMISSIONS}
        path = f"/app/installations/{installation_id}/access_tokens"
        for number, key in enumerate(self._keys):
            app_jwt = make_app_jwt(self._app_id, key, time.time())
            try:
                answer = await self._client.ask("POST", path, app_jwt=app_jwt, data=wanted)
            except Refused as error:
                if error.status == 401 and number + 1 < len(self._keys):
                    continue  # the first key was rotated away
                if error.status in _NO_ACCESS:
                    raise NoAccess(error.status, str(error)) from error
                raise
            expires = datetime.fromisoformat(answer["expires_at"].replace("Z", "+00:00")).timestamp()
            return _Token(answer["token"], expires)
        raise Refused(401, "no private key")
