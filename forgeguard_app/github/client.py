"""One place that talks HTTP to GitHub's REST API: gidgethub over aiohttp, with what it lacks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import gidgethub
import gidgethub.abc
import jwt
from yarl import URL

from forgeguard_app.errors import Temporary

API_VERSION = "2022-11-28"
REQUEST_TIMEOUT_S = 20.0
MAX_ANSWER_BYTES = 20 << 20
MAX_REDIRECTS = 3
_MOVED = (301, 302, 307, 308)
_BACK_OFF_S = 60.0
JWT_LIFE_S = 540
JWT_SKEW_S = 60


class Refused(Exception):
    """GitHub answered 4xx: asking again changes nothing. `status` is its status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"GitHub answered {status}: {message[:300]}")
        self.status = status


class _GitHub(gidgethub.abc.GitHubAPI):
    """gidgethub on our session: no redirect followed blindly, every request bounded in time and size."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str | None = None) -> None:
        super().__init__("ForgeGuard", oauth_token=token, base_url=base_url)
        self._session = session

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
                if answer.status in _MOVED and "Location" in answer.headers:
                    # GitHub moves a renamed repository; the method stays, or a write would become a read.
                    url = str(answer.url.join(URL(answer.headers["Location"])))
                    continue
                return answer.status, answer.headers, await _bounded(answer)
        raise Temporary("GitHub redirects in a circle")

    def _refuse_foreign(self, url: str) -> None:
        """The token goes to the API's own host and to no other."""
        if urlsplit(url)[:2] != urlsplit(self.base_url)[:2]:
            raise Refused(400, "it pointed to another host")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > MAX_ANSWER_BYTES:
            raise Temporary("GitHub's answer is larger than we read")
    return bytes(data)


class Client:
    """Asks GitHub as an installation (`token`) or as the App (`app_jwt`)."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session, self.base_url = session, base_url.rstrip("/")

    async def ask(self, method: str, path: str, *, token: str = "", app_jwt: str = "", data: Any = None) -> Any:
        """GitHub's answer, decoded.

        Raises:
            Refused: a 4xx that asking again does not change.
            Temporary: the network, GitHub's fault, or a limit; with the wait that GitHub asks for.
        """
        github = _GitHub(self._session, self.base_url)
        credentials: dict[str, Any] = {"oauth_token": token} if token else {"jwt": app_jwt}
        try:
            if method == "GET":
                return await github.getitem(f"{self.base_url}{path}", **credentials)
            verb = github.post if method == "POST" else github.patch
            return await verb(f"{self.base_url}{path}", data=data if data is not None else {}, **credentials)
        except _FAILURES as error:
            raise _meaning(error) from error

    async def list(self, path: str, *, app_jwt: str, most: int) -> AsyncIterator[Any]:
        """The items of a list asked for as the App, page after page, at most `most`.

        Raises:
            Refused, Temporary: as `ask`.
        """
        github = _GitHub(self._session, self.base_url)
        number = 0
        try:
            async for item in github.getiter(f"{self.base_url}{path}", jwt=app_jwt):
                yield item
                number += 1
                if number >= most:
                    return
        except _FAILURES as error:
            raise _meaning(error) from error


_FAILURES = (gidgethub.HTTPException, aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError)


def _meaning(error: Exception) -> Exception:
    if isinstance(error, ValueError | KeyError):  # an answer that is not JSON, or not in its promised encoding
        return Temporary("GitHub's answer was not JSON")
    if not isinstance(error, gidgethub.HTTPException):
        return Temporary(f"GitHub was not reached: {type(error).__name__}")
    status = int(error.status_code)
    headers = error.headers or {}
    if status >= 500 or isinstance(error, gidgethub.GitHubBroken):
        return Temporary(f"GitHub answered {status}")
    wait = _limited(status, headers, str(error))
    if wait is not None:
        return Temporary(f"GitHub's rate limit ({status})", delay_s=wait)
    return Refused(status, str(error))


def _limited(status: int, headers: Mapping[str, str], message: str) -> float | None:
    """Seconds to wait where the answer is a rate limit's, by GitHub's own order of precedence; else None."""
    if status not in (403, 429):
        return None
    if (after := headers.get("Retry-After", headers.get("retry-after", ""))).isdigit():
        return float(after)
    if headers.get("X-RateLimit-Remaining", headers.get("x-ratelimit-remaining")) == "0":
        reset = headers.get("X-RateLimit-Reset", headers.get("x-ratelimit-reset", ""))
        return max(float(reset) - time.time(), 1.0) if reset.isdigit() else _BACK_OFF_S
    if status == 429 or "rate limit" in message.lower():
        return _BACK_OFF_S
    return None


def make_app_jwt(app_id: int, private_key: str, now: float) -> str:
    """A JWT that says we are the App: back-dated against a fast clock of ours, within GitHub's ten minutes."""
    claims = {"iat": int(now) - JWT_SKEW_S, "exp": int(now) + JWT_LIFE_S - JWT_SKEW_S, "iss": str(app_id)}
    return jwt.encode(claims, private_key, algorithm="RS256")
