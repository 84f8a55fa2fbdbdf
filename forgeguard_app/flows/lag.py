"""What git refuses may be GitHub's own lag, or a token that was revoked: neither says that the repository is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from forgeguard_app.git.mirror import RepositoryGone
from forgeguard_app.github.repo_access import LAG_WAIT_S, RepoAccess

_T = TypeVar("_T")


async def with_lag(access: RepoAccess, work: Callable[[str], Awaitable[_T]]) -> _T:
    """The work's answer, given a token: a fresh one that opens nothing is tried for five seconds, an older one replaced once.

    Raises:
        RepositoryGone: no token opens it.
        NoAccess, Refused, Limited, Broken: as RepoAccess.token; and whatever the work raises.
    """
    replaced = False
    while True:
        token = await access.token()
        try:
            return await work(token.value)
        except RepositoryGone:
            if token.fresh:
                await asyncio.sleep(LAG_WAIT_S)
                continue
            access.drop(token)
            if replaced:
                raise
            replaced = True
