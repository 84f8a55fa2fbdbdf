"""Which repositories a person may see and write: exactly what GitHub says, kept for half a minute.

The one home of access.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

import structlog

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.flows.people.repo_visibility import is_public
from forgeguard_app.flows.people.sign_in import sealed
from forgeguard_app.github import oauth as github_oauth
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.people import KnownAnswer, KnownAnswers, list_access
from forgeguard_app.store.access_answers import AccessAnswer, list_answers, set_answers
from forgeguard_app.store.repos import Repo
from forgeguard_app.store.states import TokenScope
from forgeguard_app.store.users import (
    User,
    begin_access,
    drop_access,
    end_access,
    find_level,
    get_user,
    set_access,
    set_tokens,
)

KEPT_S = 30.0  # with a stream's beat, access that was taken away shows within a minute
TRIES = 2
NO_REPO = 0  # GitHub gives no repository this id
STALE_S = 900.0  # how old it may be while GitHub cannot be asked
LONGEST_S = 60.0
EARLY_S = 120.0
_UNAUTHORIZED = 401
log = structlog.get_logger()


class SignedOut(Exception):
    """GitHub takes the person's token no more: they are to sign in again."""


class TooLong(RetryLater):
    """GitHub did not say within `LONGEST_S` what a person may see."""


class AccessLevel(IntEnum):
    """A person's access to a repository, each level including those before it."""

    NONE = 0
    PUBLIC = 1  # audits of public repositories, without the places of existing secrets
    READ = 2
    WRITE = 3
    ADMIN = 4


_LEVELS = {"read": AccessLevel.READ, "write": AccessLevel.WRITE, "admin": AccessLevel.ADMIN}


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person. `scope` is None in a browser, `read` or `write` for a personal API token."""

    user_id: UUID
    github_id: int
    login: str
    key: UUID
    scope: TokenScope | None


async def level_of(context: WebContext, person: Person | None, repo: Repo | None) -> AccessLevel:
    """Return the person's access to the repository; None stands for one that does not exist.

    The same is asked for both, so that neither the answer nor its time tells whether there is one.

    Raises:
        SignedOut: GitHub does not take the person's token any more.
        RetryLater: GitHub cannot be asked, and what it last said is too old.
    """
    if person is not None:
        await refresh_access(context, person.user_id)
        async with context.pool.acquire() as connection:
            found = await find_level(connection, person.user_id, NO_REPO if repo is None else repo.github_repo_id)
        if found:
            return _LEVELS[found]
    return AccessLevel.PUBLIC if repo is not None and await is_public(context, repo) else AccessLevel.NONE


async def refresh_access(context: WebContext, user_id: UUID) -> None:
    """Read from GitHub what the person may see, unless it was read within half a minute; concurrent callers share a
    reading.

    Raises:
        SignedOut, RetryLater: as `level_of`.
    """
    for _ in range(TRIES):
        async with context.pool.acquire() as connection:
            user = await get_user(connection, user_id)
        if _age(user) < KEPT_S:
            return
        await _share_reading(context, user)


async def _share_reading(context: WebContext, user: User) -> None:
    """Read once for all who ask now; a reading during which an event told of a change is repeated by the caller."""
    user_id = user.id
    reading = context.readings.get(user_id)
    if reading is None:
        reading = context.readings[user_id] = asyncio.create_task(_read(context, user_id))
        reading.add_done_callback(lambda done: _forget_reading(context, user_id, done))
    try:
        await asyncio.shield(reading)
    except RetryLater:
        if _age(user) > STALE_S:
            raise


def _forget_reading(context: WebContext, user_id: UUID, reading: asyncio.Task[None]) -> None:
    """Let the next caller read again; a reading that took too long fails for a while, so that others get their
    turns.
    """
    if not reading.cancelled() and isinstance(reading.exception(), TooLong):
        asyncio.get_running_loop().call_later(KEPT_S, context.readings.pop, user_id, None)
    else:
        context.readings.pop(user_id, None)


async def _read(context: WebContext, user_id: UUID) -> None:
    async with context.pool.acquire() as connection:
        begun = await begin_access(connection, user_id)
        stored = await list_answers(connection, user_id)
    known = KnownAnswers(
        {url: KnownAnswer(answer.etag, answer.content, answer.next_url) for url, answer in stored.items()}
    )
    try:
        async with asyncio.timeout(LONGEST_S), context.reading_at_once:
            async with context.renewing_at_once:
                token = await _token(context, user_id)
            levels = await list_access(context.client, token, known)
    except TimeoutError as error:
        raise TooLong("GitHub took too long") from error
    except RequestRejected as error:
        async with context.pool.acquire() as connection, connection.transaction():
            user = await get_user(connection, user_id)
            await drop_access(connection, user.github_id)
        log.info("access.lost", login=user.github_login, status=error.status)
        raise SignedOut from error
    async with context.pool.acquire() as connection, connection.transaction():
        if (await get_user(connection, user_id, lock=True)).access_token is None:
            raise SignedOut  # taken back while we read
        if not known.is_same:
            changed = {
                url: AccessAnswer(answer.etag, answer.content, answer.next_url) for url, answer in known.changed.items()
            }
            await set_access(connection, user_id, levels)
            await set_answers(connection, user_id, changed, known.used)
        await end_access(connection, user_id, begun)


def _age(user: User) -> float:
    return math.inf if user.checked_s is None else user.checked_s


async def _token(context: WebContext, user_id: UUID) -> str:
    """Return a token that holds, renewed where it is about to expire: a refresh token holds once, so the row is held
    meanwhile.
    """
    async with context.pool.acquire() as connection, connection.transaction():
        user = await get_user(connection, user_id, lock=True)
        token = context.keys.tokens.open(user.access_token) if user.access_token else None
        if token is not None and (user.expires_s is None or user.expires_s > EARLY_S):
            return token
        again = context.keys.tokens.open(user.refresh_token) if user.refresh_token else None
        if again is None or context.app.oauth is None:
            raise RequestRejected(_UNAUTHORIZED, "no token")
        fresh = await github_oauth.refresh(context.client, context.app.oauth, again)
        await set_tokens(connection, user.id, sealed(context, fresh))
        return fresh.access_token
