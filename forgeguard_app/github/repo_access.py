"""Requests to GitHub about one repository, with a valid token, under the repository's present name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from forgeguard_app.errors import RetryLater
from forgeguard_app.github.client import Client, GitHubUnavailable, Heard, RequestRejected
from forgeguard_app.github.names import name_in
from forgeguard_app.github.tokens import AUDIT, InstallationUnavailable, Token, TokenCache

LOOK_UP_S = 10.0
_UNAUTHORIZED = 401
_LAGGING = (401, 403, 404)
_GONE = (403, 404)
Moved = Callable[[str], Awaitable[None]]
Left = Callable[[], Awaitable[bool]]


async def _nobody(full_name: str) -> None:
    """Tell nobody of a new name."""


async def nowhere() -> bool:
    """Look for the repository in no other installation."""
    return False


class RepoAccess:
    """One repository as an installation sees it; `moved` is told of a name that is not the one we knew.

    `left` is asked where the installation gives no token for the repository; it returns whether another one holds it.
    """

    def __init__(
        self,
        client: Client,
        tokens: TokenCache,
        installation_id: int,
        repository_id: int,
        full_name: str,
        permissions: Mapping[str, str] = AUDIT,
    ) -> None:
        self.client, self._tokens, self.full_name = client, tokens, full_name
        self.installation_id, self._repository_id, self._permissions = installation_id, repository_id, permissions
        self.moved: Moved = _nobody
        self.left: Left = nowhere
        self.heard: Heard | None = None

    async def token(self) -> Token:
        """Return a token that holds.

        Raises:
            InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
            RequestRejected: GitHub refuses the request.
            RetryLater: GitHub is away, its limit is reached, or the repository belongs to another installation now,
                which is stored.
        """
        try:
            return await self._tokens.get(self.installation_id, self._repository_id, self._permissions)
        except InstallationUnavailable as error:
            if not await self.left():
                raise
            raise RetryLater("the repository belongs to another installation now", delay_s=0.1) from error

    def drop(self, token: Token) -> None:
        """Forget a token that was refused."""
        self._tokens.drop(token)

    async def name(self) -> str:
        """Return the repository's present name, as GitHub confirmed it within the last seconds.

        A name may belong to another repository by now; the numeric id cannot. So no request by name leaves before
        GitHub said whose name it is: with the token, or asked by id. Concurrent callers share a single request.

        Raises:
            InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
            RequestRejected: GitHub refuses the request.
            RetryLater: GitHub is away, or its limit is reached.
        """
        await self.token()
        names = self._tokens.names
        async with names.turn(self._repository_id):
            full_name = names.recent(self._repository_id)
            # Another name than the one that is stored may be older: its event came since GitHub confirmed the other.
            if full_name is None or full_name != self.full_name:
                full_name = await self._look_up()
                names.confirm(self._repository_id, full_name)
        if full_name != self.full_name:
            await self.moved(full_name)
            self.full_name = full_name
        return full_name

    async def has_moved(self) -> bool:
        """Return whether GitHub, asked by id, gives another name than the one that was used.

        Raises:
            InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
            RequestRejected: GitHub refuses the request.
            RetryLater: GitHub is away, or its limit is reached.
        """
        used = self.full_name
        self._tokens.names.doubt(self._repository_id)
        return await self.name() != used

    async def _look_up(self) -> str:
        """Ask by id; where GitHub does not answer that, a new token's answer tells the name as well."""
        token = await self.token()
        try:
            async with asyncio.timeout(LOOK_UP_S), token.turn():
                found = await self.client.ask(
                    "GET", f"/repositories/{self._repository_id}", token=token.value, heard=self.heard
                )
            token.proven = True
        except (RequestRejected, GitHubUnavailable, TimeoutError):
            found = None
            if token.fresh:
                token.refused()
        full_name = name_in(found, self._repository_id)
        if full_name is None and not token.fresh:
            self.drop(token)
            await self.token()  # refused where the repository is not ours any more
            full_name = self._tokens.names.recent(self._repository_id)
        return full_name or self.full_name

    async def ask(self, method: str, path: str, data: Any = None) -> Any:
        """GitHub's answer to a request below the repository.

        A token that is refused right after it was minted is tried for five seconds more, with growing pauses; an older
        one that is refused is replaced once. A repository that is not found is looked up by its id, and followed.

        Raises:
            InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
            RequestRejected: GitHub refuses the request.
            RetryLater: GitHub is away, or its limit is reached.
        """
        replaced = looked_up = False
        while True:
            full_name, token = await self.name(), await self.token()
            async with token.turn():
                if not self._tokens.holds(token):
                    continue  # refused meanwhile
                try:
                    answer = await self.client.ask(
                        method, f"/repos/{full_name}{path}", token=token.value, data=data, heard=self.heard
                    )
                    token.proven = True
                    return answer
                except RequestRejected as error:
                    refusal = error
                    if token.fresh and error.status in _LAGGING:
                        token.refused()
                        continue
                    if error.status == _UNAUTHORIZED:
                        self.drop(token)
            if refusal.status == _UNAUTHORIZED:
                if replaced:
                    raise GitHubUnavailable("GitHub refuses the tokens that it gives", answered=True) from refusal
                replaced = True
            elif refusal.status in _GONE and not looked_up:
                looked_up = True
                if not await self.has_moved():
                    raise refusal
            else:
                raise refusal
