"""Sign-in with the App's own OAuth: codes and refresh tokens are traded for tokens in a person's name.

Source: GitHub's "Generating a user access token for a GitHub App"; PKCE with S256 since July 2025.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from forgeguard_app.github.client import USER_AGENT, Client, GitHubUnavailable, RateLimited, RequestRejected

TIMEOUT_S = 15.0
MAX_BYTES = 100_000
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class OAuth:
    """The OAuth client: our credentials, and where GitHub's pages are."""

    github_url: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"OAuth({self.client_id}, …)"


@dataclass(frozen=True, slots=True)
class UserTokens:
    """GitHub's tokens for a person; `expires_in_s` is None for a token that does not expire."""

    access_token: str
    refresh_token: str | None
    expires_in_s: int | None

    def __repr__(self) -> str:
        return "UserTokens(…)"


def authorize_url(oauth: OAuth, redirect_uri: str, state: str, challenge: str) -> str:
    """Return the address that the person's browser is sent to."""
    query = {
        "client_id": oauth.client_id,
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{oauth.github_url}/login/oauth/authorize?{urlencode(query)}"


async def trade_code(client: Client, oauth: OAuth, code: str, verifier: str, redirect_uri: str) -> UserTokens:
    """Return the tokens for a code.

    Raises:
        RequestRejected: the code is wrong, used or expired, or GitHub does not know us.
        GitHubUnavailable, RateLimited: a transient fault.
    """
    return await _ask(client, oauth, {"code": code, "code_verifier": verifier, "redirect_uri": redirect_uri})


async def refresh(client: Client, oauth: OAuth, refresh_token: str) -> UserTokens:
    """New tokens for a refresh token, which holds once.

    Raises:
        RequestRejected: it is used, expired or taken back.
        GitHubUnavailable, RateLimited: a transient fault.
    """
    return await _ask(client, oauth, {"grant_type": "refresh_token", "refresh_token": refresh_token})


async def _ask(client: Client, oauth: OAuth, form: dict[str, str]) -> UserTokens:
    sent = {"client_id": oauth.client_id, "client_secret": oauth.client_secret, **form}
    try:
        async with client.session.post(
            f"{oauth.github_url}/login/oauth/access_token",
            data=sent,
            headers={"Accept": "application/json", "User-Agent": USER_AGENT},
            timeout=aiohttp.ClientTimeout(TIMEOUT_S),
            allow_redirects=False,
        ) as answer:
            status, text = answer.status, await _whole(answer)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise GitHubUnavailable("GitHub could not be reached", answered=False) from error
    if status == _TOO_MANY:
        raise RateLimited("GitHub's limit on sign-ins", delay_s=60.0)
    if status >= _SERVER_ERROR:
        raise GitHubUnavailable(f"GitHub answered {status}", answered=True)
    return _read(status, text)


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body to its end: a refresh token that is lost on the way is used up all the same.

    Raises:
        GitHubUnavailable: it is larger than `MAX_BYTES`.
    """
    text = bytearray()
    async for chunk in answer.content.iter_any():
        text += chunk
        if len(text) > MAX_BYTES:
            raise GitHubUnavailable("GitHub's answer is too large", answered=True)
    return bytes(text)


def _read(status: int, text: bytes) -> UserTokens:
    try:
        body: Any = json.loads(text)
    except ValueError:
        raise GitHubUnavailable("GitHub's answer is no JSON", answered=True) from None
    token = body.get("access_token") if isinstance(body, dict) else None
    if status >= _CLIENT_ERROR or not isinstance(token, str) or not token:
        reason = body.get("error") if isinstance(body, dict) else None
        raise RequestRejected(_CLIENT_ERROR, str(reason or "no token"))
    refresh_token, expires = body.get("refresh_token"), body.get("expires_in")
    return UserTokens(
        token,
        refresh_token if isinstance(refresh_token, str) and refresh_token else None,
        int(expires) if isinstance(expires, int | float) and expires > 0 else None,
    )
