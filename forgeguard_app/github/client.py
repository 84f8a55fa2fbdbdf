"""One place that talks HTTP to GitHub's REST API: gidgethub over aiohttp, with what it lacks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import gidgethub
import gidgethub.abc
from yarl import URL

from forgeguard_app.errors import RetryLater
from forgeguard_app.github.clock import Clock

USER_AGENT = "ForgeGuard"
API_VERSION = "2022-11-28"
REQUEST_TIMEOUT_S = 20.0
MAX_ANSWER_BYTES = 20 << 20
MAX_REDIRECTS = 3
_CREDENTIAL = re.compile(r"[\x21-\x7e]+\Z")
_MOVED = (301, 302, 307, 308)
_BACK_OFF_S = 60.0
# Earlier answers by URL: ETag, Last-Modified, body, next page. A 304 costs nothing of the primary rate limit.
# https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests
Known = MutableMapping[str, tuple[str | None, str | None, Any, str | None]]
Heard = Callable[[int, float], None]  # requests that remain of the primary limit, seconds until it is renewed


class RequestRejected(Exception):
    """GitHub answered 4xx: asking again at once changes nothing. `status` is its status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"GitHub answered {status}: {message}")
        self.status = status


class Archived(RequestRejected):
    """The repository is archived: GitHub takes no write there."""


class CommitNotFound(RequestRejected):
    """The repository holds no such commit, or GitHub does not know it everywhere yet."""


class AlreadyExists(RequestRejected):
    """The thing that was to be made exists."""


class NoCommitsBetween(RequestRejected):
    """A pull request was wanted of a branch that holds nothing beyond its base."""


class NothingDone(RetryLater):
    """GitHub did nothing of the request, and is not to be asked for `delay_s`."""


class RateLimited(NothingDone):
    """A rate limit's answer."""


class GitHubUnavailable(RetryLater):
    """GitHub's own fault. `answered` says whether it answered at all: what it did is settled then, if unknown."""

    def __init__(self, message: str, *, answered: bool) -> None:
        super().__init__(message)
        self.answered = answered


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; `next_path` asks for the next one, None for the last."""

    items: list[Any]
    next_path: str | None


class _GitHub(gidgethub.abc.GitHubAPI):
    """gidgethub on our session: no redirect followed blindly, every request bounded in time and size.

    `next_url` is the page that the last answer names as the next one.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        clock: Clock,
        known: Known | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        super().__init__(USER_AGENT, base_url=base_url, cache=known)
        self._session, self._clock, self._max_bytes = session, clock, max_bytes
        self.next_url: str | None = None

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        sent = {**headers, "X-GitHub-Api-Version": API_VERSION}
        for _ in range(MAX_REDIRECTS + 1):
            self._refuse_foreign(url)
            async with self._session.request(
                method,
                url,
                headers=sent,
                data=body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(REQUEST_TIMEOUT_S),
            ) as answer:
                self._clock.heard(answer.headers.get("Date"))
                following = answer.links.get("next")
                self.next_url = None if following is None else str(following["url"])
                if answer.status in _MOVED and "Location" in answer.headers:
                    # GitHub moves a renamed repository; the method stays, or a write would become a read.
                    # https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
                    url = str(answer.url.join(URL(answer.headers["Location"])))
                    continue
                return answer.status, answer.headers, await _bounded(answer, self._max_bytes)
        raise GitHubUnavailable("GitHub redirects in a circle", answered=True)

    def _refuse_foreign(self, url: str) -> None:
        """Refuse every host but the API's own: the token goes to no other."""
        if urlsplit(url)[:2] != urlsplit(self.base_url)[:2]:
            raise RequestRejected(400, "it pointed to another host")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _bounded(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    data = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > max_bytes:
            raise GitHubUnavailable("GitHub's answer is larger than we read", answered=True)
    return bytes(data)


class Client:
    """Asks GitHub as an installation (`token`) or as the App (`app_jwt`); keeps GitHub's time."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        clock: Clock | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.session, self.base_url = session, base_url.rstrip("/")
        self.clock = clock or Clock()
        self._max_bytes = max_bytes

    def elsewhere(self, base_url: str) -> Client:
        """Return a client of another GitHub, over the same connections."""
        return Client(self.session, base_url)

    def reading(self, max_bytes: int) -> Client:
        """Return a client of the same GitHub that reads answers of up to `max_bytes`."""
        return Client(self.session, self.base_url, self.clock, max_bytes)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        app_jwt: str | None = None,
        data: Any = None,
        heard: Heard | None = None,
    ) -> Any:
        """Return GitHub's decoded answer; `heard` is told of the primary limit.

        Without `token` and `app_jwt` the request carries no Authorization header.

        Raises:
            RequestRejected: a 4xx that asking again does not change, or a credential that is not one.
            RateLimited: a limit, with the wait that GitHub asks for.
            GitHubUnavailable: the network, GitHub's own fault, or an answer that is too large.
        """
        github = _GitHub(self.session, self.base_url, self.clock, max_bytes=self._max_bytes)
        credentials = _credentials(token, app_jwt)
        try:
            if method == "GET":
                return await github.getitem(f"{self.base_url}{path}", **credentials)
            verbs: dict[str, Any] = {"POST": github.post, "PATCH": github.patch, "PUT": github.put}
            return await verbs[method](f"{self.base_url}{path}", data=data if data is not None else {}, **credentials)
        except _FAILURES as error:
            raise self._meaning(error) from error
        finally:
            if heard is not None and github.rate_limit is not None:
                reset = github.rate_limit.reset_datetime.timestamp()
                heard(github.rate_limit.remaining, max(reset - self.clock.now(), 0.0))

    async def ask_page(self, path: str, *, app_jwt: str) -> Page:
        """Return the page of a list that the path asks for.

        Raises:
            RequestRejected: GitHub refuses the request.
            RetryLater: GitHub is away, its limit is reached, or its answer is no list or names a page of another host.
        """
        github = _GitHub(self.session, self.base_url, self.clock, max_bytes=self._max_bytes)
        try:
            items = await github.getitem(f"{self.base_url}{path}", **_credentials(None, app_jwt))
        except _FAILURES as error:
            raise self._meaning(error) from error
        following = github.next_url
        if not isinstance(items, list) or not (following is None or following.startswith(f"{self.base_url}/")):
            raise GitHubUnavailable("GitHub's answer was not a page of a list", answered=True)
        return Page(items, None if following is None else following.removeprefix(self.base_url))

    async def list(
        self,
        path: str,
        *,
        token: str | None = None,
        app_jwt: str | None = None,
        most: int,
        key: str | None = None,
        known: Known | None = None,
    ) -> AsyncIterator[Any]:
        """Yield the items of a list, page after page, at most `most`; `key` is where an answer keeps them.

        What is in `known` is asked with its ETag, and what comes is put there.

        Raises:
            RequestRejected: GitHub refuses the request.
            RetryLater: GitHub is away, or its limit is reached.
        """
        github = _GitHub(self.session, self.base_url, self.clock, known, self._max_bytes)
        credentials = _credentials(token, app_jwt)
        number = 0
        try:
            async for item in github.getiter(
                f"{self.base_url}{path}", iterable_key=key or gidgethub.abc.ITERABLE_KEY, **credentials
            ):
                yield item
                number += 1
                if number >= most:
                    return
        except _FAILURES as error:
            raise self._meaning(error) from error

    def _meaning(self, error: Exception) -> Exception:
        if isinstance(error, RetryLater | RequestRejected):
            return error
        if isinstance(error, ValueError | KeyError):  # an answer that is not JSON, or not in its promised encoding
            return GitHubUnavailable("GitHub's answer was not JSON", answered=True)
        if not isinstance(error, gidgethub.HTTPException):
            return GitHubUnavailable(f"GitHub was not reached: {type(error).__name__}", answered=False)
        status = int(error.status_code)
        headers = error.headers or {}
        if status >= 500 or isinstance(error, gidgethub.GitHubBroken):
            return GitHubUnavailable(f"GitHub answered {status}", answered=True)
        wait = _limited(status, headers, str(error), self.clock.now())
        if wait is not None:
            return RateLimited(f"GitHub's rate limit ({status})", delay_s=wait)
        text = str(error)
        kinds = (kind for of, phrase, kind in _REJECTIONS if of == status and phrase in text.lower())
        return next(kinds, RequestRejected)(status, text)


def _credentials(token: str | None, app_jwt: str | None) -> dict[str, Any]:
    """Return what gidgethub makes the Authorization header of; nothing where there is no credential.

    GitHub answers 401 to an Authorization header that is empty or malformed, also where it wants none.

    Raises:
        RequestRejected: the credential is empty or could not stand in a header; GitHub is not asked.
    """
    given = {name: value for name, value in (("oauth_token", token), ("jwt", app_jwt)) if value is not None}
    if len(given) > 1:
        raise ValueError("a request carries one credential")
    if not all(_CREDENTIAL.match(value) for value in given.values()):
        raise RequestRejected(401, "the credential for this request is empty or malformed")
    return given


# GitHub's answers have no codes: a status and the words of its message. https://docs.github.com/en/rest/checks/runs
_REJECTIONS: tuple[tuple[int, str, type[RequestRejected]], ...] = (
    (403, "archived so is read-only", Archived),
    (422, "no commit found", CommitNotFound),
    (422, "already exists", AlreadyExists),
    (422, "no commits between", NoCommitsBetween),
)
_FAILURES = (gidgethub.HTTPException, aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError)


def _limited(status: int, headers: Mapping[str, str], message: str, now: float) -> float | None:
    """Return seconds to wait where the answer is a rate limit's, by GitHub's own order of precedence; else None."""
    if status not in (403, 429):
        return None
    if (after := headers.get("Retry-After", headers.get("retry-after", ""))).isdigit():
        return float(after)
    if headers.get("X-RateLimit-Remaining", headers.get("x-ratelimit-remaining")) == "0":
        reset = headers.get("X-RateLimit-Reset", headers.get("x-ratelimit-reset", ""))
        return max(float(reset) - now, 1.0) if reset.isdigit() else _BACK_OFF_S
    if status == 429 or "rate limit" in message.lower():
        return _BACK_OFF_S
    return None
