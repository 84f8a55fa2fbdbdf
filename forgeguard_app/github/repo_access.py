"""What is asked of GitHub about one repository, with a token that holds whenever one can be had."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from forgeguard_app.github.client import Broken, Client, Heard, Refused
from forgeguard_app.github.tokens import AUDIT, Token, Tokens

LAG_WAIT_S = 0.3
_UNAUTHORIZED = 401
_LAGGING = (401, 403, 404)


class RepoAccess:
    """One repository as an installation sees it."""

    def __init__(
        self,
        client: Client,
        tokens: Tokens,
        installation_id: int,
        repository_id: int,
        full_name: str,
        permissions: Mapping[str, str] = AUDIT,
    ) -> None:
        self.client, self._tokens, self.full_name = client, tokens, full_name
        self.installation_id, self._repository_id, self._permissions = installation_id, repository_id, permissions
        self.heard: Heard | None = None

    async def token(self) -> Token:
        """A token that holds.

        Raises:
            NoAccess, Refused, Limited, Broken: as Tokens.get.
        """
        return await self._tokens.get(self.installation_id, self._repository_id, self._permissions)

    def drop(self, token: Token) -> None:
        """Forgets a token that was refused."""
        self._tokens.drop(token)

    async def ask(self, method: str, path: str, data: Any = None) -> Any:
        """GitHub's answer to a request below the repository.

        A token that is refused right after it was minted is tried for five seconds more; an older one that is
        refused is replaced once.

        Raises:
            NoAccess, Refused, Limited, Broken: as Client.ask and Tokens.get.
        """
        replaced = False
        while True:
            token = await self.token()
            try:
                return await self.client.ask(
                    method, f"/repos/{self.full_name}{path}", token=token.value, data=data, heard=self.heard
                )
            except Refused as error:
                if token.fresh and error.status in _LAGGING:
                    await asyncio.sleep(LAG_WAIT_S)
                    continue
                if error.status != _UNAUTHORIZED:
                    raise
                self.drop(token)
                if replaced:
                    raise Broken("GitHub refuses the tokens that it gives", answered=True) from error
                replaced = True
