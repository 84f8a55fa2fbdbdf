"""Who asks the REST API, and whether they may: JWTs, installation tokens, permissions and GitHub's limits."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import jwt
from aiohttp import web

from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import PRIMARY_LIMIT, Installation, Repository, Token, World

JWT_LIFE_S = 600
LEEWAY_S = 5
INSTALLATION: web.RequestKey[Installation] = web.RequestKey("INSTALLATION")


class Denied(Exception):
    """An error answer in GitHub's form."""

    def __init__(
        self, status: int, message: str, headers: dict[str, str] | None = None, errors: list[Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.headers, self.errors = status, message, headers or {}, errors


class Gate:
    """Lets a request through as the App or as an installation."""

    def __init__(self, world: World, shapes: Shapes) -> None:
        self.world, self.shapes = world, shapes

    def app(self, request: web.Request) -> None:
        """An App's JWT, verified as GitHub does."""
        value = request.headers.get("Authorization", "").removeprefix("Bearer ").removeprefix("bearer ")
        app = self.world.app
        for key in app.public_keys if app else ():
            try:
                claims = jwt.decode(
                    value,
                    key,
                    algorithms=["RS256"],
                    options={
                        "require": ["iat", "exp", "iss"],
                        "verify_iss": False,
                        "verify_exp": False,
                        "verify_iat": False,
                    },
                )
            except jwt.PyJWTError:
                continue
            if claims["iat"] > self.world.now() + LEEWAY_S or claims["exp"] < self.world.now() - LEEWAY_S:
                raise Denied(
                    401,
                    "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
                )
            if claims["exp"] - self.world.now() > JWT_LIFE_S:
                raise Denied(401, "'Expiration time' claim ('exp') is too far in the future")
            if app is not None and str(claims["iss"]) in (str(app.id), app.client_id):
                return
        raise Denied(401, "A JSON web token could not be decoded")

    def token(self, request: web.Request) -> tuple[Token, Installation]:
        """An installation token that holds, counted against its limit."""
        header = request.headers.get("Authorization", "")
        token = self.world.tokens.get(header.partition(" ")[2])
        now = self.world.now()
        if token is None or token.expires_at < now or now - token.minted_at < self.world.token_lag_s:
            raise Denied(401, "Bad credentials")
        installation = self.world.installations.get(token.installation_id)
        if installation is None:
            raise Denied(401, "Bad credentials")
        request[INSTALLATION] = installation
        installation.at_once += 1
        if installation.suspended_at is not None:
            raise Denied(403, "This installation has been suspended")
        if now - installation.window_start >= 3_600:
            installation.window_start, installation.used = now, 0
        installation.used += 1
        if installation.used > PRIMARY_LIMIT:
            self.world.crossed.append("primary")
            raise Denied(403, "API rate limit exceeded for installation.")
        return token, installation

    def repository(self, request: web.Request, permission: str = "metadata", *, write: bool = False) -> Repository:
        token, installation = self.token(request)
        if "repo_id" in request.match_info:
            repository = self.world.repositories.get(int(request.match_info["repo_id"]))
        else:
            full_name = f"{request.match_info['owner']}/{request.match_info['repo']}"
            repository = self.world.find_repository(full_name)
            if repository is None and (moved := self.world.moved.get(full_name.lower())) is not None:
                tail = request.path.split(f"/{request.match_info['repo']}", 1)[1]
                there = f"{self.shapes.api}/repositories/{moved}{tail}"
                raise Denied(301, "Moved Permanently", {"Location": there})
        if repository is None or repository.id not in token.repository_ids & installation.repository_ids:
            raise Denied(404, "Not Found")
        level = token.permissions.get(permission)
        if level is None or (write and level != "write"):
            raise Denied(403, "Resource not accessible by integration")
        if write:
            self._secondary(installation)
        return repository

    def _secondary(self, installation: Installation) -> None:
        """The limits on writes and on requests at once; off where the world says so."""
        now, limits = self.world.now(), self.world.limits
        while installation.writes and installation.writes[0] < now - limits.hour_s:
            installation.writes.popleft()
        if limits.enforced:
            minute = sum(at > now - limits.minute_s for at in installation.writes)
            full = minute >= limits.writes_per_minute or len(installation.writes) >= limits.writes_per_hour
            if full or installation.at_once > limits.at_once:
                self.world.crossed.append("secondary")
                raise Denied(
                    403,
                    "You have exceeded a secondary rate limit. Please wait a few minutes.",
                    {"Retry-After": str(limits.retry_after_s)},
                )
        installation.writes.append(now)


def page_of(request: web.Request, items: list[Any]) -> list[Any]:
    """The asked page of a list."""
    size = min(int(request.query.get("per_page", "30")), 100)
    start = (int(request.query.get("page", "1")) - 1) * size
    return items[start : start + size]


def next_link(request: web.Request, api: str, number: int) -> dict[str, str]:
    """The header that leads to the next page of a list of `number` items, where there is one."""
    size, page = min(int(request.query.get("per_page", "30")), 100), int(request.query.get("page", "1"))
    if page * size >= number:
        return {}
    query = {**request.query, "page": str(page + 1)}
    path = request.path.removeprefix("/api/v3")
    return {"Link": f'<{api}{path}?{urlencode(query)}>; rel="next"'}


def rate_headers(installation: Installation) -> dict[str, str]:
    """What GitHub says of the primary limit with every answer."""
    remaining = max(PRIMARY_LIMIT - installation.used, 0)
    return {
        "x-ratelimit-limit": str(PRIMARY_LIMIT), "x-ratelimit-remaining": str(remaining), "x-ratelimit-used": str(installation.used),
        "x-ratelimit-reset": str(int(installation.window_start + 3_600)), "x-ratelimit-resource": "core",
    }  # fmt: skip


async def json_body(request: web.Request) -> dict[str, Any]:
    """The request's JSON object."""
    try:
        body = json.loads(await request.read() or b"{}")
    except (ValueError, ConnectionError):  # whoever asked may be gone
        raise Denied(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise Denied(400, "Body should be a JSON object")
    return body
