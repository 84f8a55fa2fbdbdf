"""Which requests the REST API lets through: headers, who asks, what the token reaches, and GitHub's limits."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from forgeguard_app.simulator.credentials import (
    AsApp,
    AsDeveloper,
    AsInstallation,
    AsUser,
    Credential,
    Nobody,
    RequestCredentials,
    verify_jwt,
)
from forgeguard_app.simulator.people import People
from forgeguard_app.simulator.rules import Denied, Moved, RefusalRule
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import PRIMARY_LIMIT, Account, Installation, Repository, Token, World

VERSIONS = ("2022-11-28", "2026-03-10")
INSTALLATION: web.RequestKey[Installation] = web.RequestKey("INSTALLATION")
_LEVELS = ("read", "write", "admin")


class RequestGate:
    """Lets a request through as the App, as an installation, as a person or as nobody."""

    def __init__(self, world: World, shapes: Shapes, people: People) -> None:
        self.world, self.shapes = world, shapes
        self.credentials = RequestCredentials(world, people)

    def enter(self, request: web.Request) -> None:
        """Check the headers that every request has."""
        if not request.headers.get("User-Agent", "").strip():
            raise Denied(RefusalRule.NO_USER_AGENT)
        version = request.headers.get("X-GitHub-Api-Version")
        if version is not None and version not in VERSIONS:
            raise Denied(RefusalRule.UNKNOWN_VERSION, given=version)
        accept = request.headers.get("Accept", "*/*")
        if not any(_is_accepted(part.partition(";")[0].strip()) for part in accept.split(",")):
            raise Denied(RefusalRule.WRONG_ACCEPT, given=accept)

    def who(self, request: web.Request) -> Credential:
        """Return who asks."""
        return self.credentials.read(request.headers.get("Authorization"))

    def nobody(self, request: web.Request, rule: RefusalRule = RefusalRule.CREDENTIAL_WHERE_NONE_BELONGS) -> None:
        """Let a request through that carries no credential."""
        if not isinstance(self.who(request), Nobody):
            raise Denied(rule)

    def app(self, request: web.Request) -> None:
        """Let the App through, with a JWT that holds."""
        match self.who(request):
            case AsApp(value):
                verify_jwt(value, self.world.app, self.world.now())
            case Nobody():
                raise Denied(RefusalRule.NO_JWT)
            case AsInstallation():
                raise Denied(RefusalRule.TOKEN_FOR_JWT)
            case AsUser() | AsDeveloper():
                raise Denied(RefusalRule.USER_TOKEN_FOR_JWT)

    def user(self, request: web.Request) -> Account:
        """Return the person in whose name the App asks."""
        match self.who(request):
            case AsUser(token):
                return token.user
            case Nobody():
                raise Denied(RefusalRule.NO_USER_TOKEN)
            case AsApp(value):
                verify_jwt(value, self.world.app, self.world.now())
                raise Denied(RefusalRule.JWT_FOR_USER_TOKEN)
            case AsInstallation() | AsDeveloper():
                raise Denied(RefusalRule.TOKEN_FOR_USER_TOKEN)

    def token(self, request: web.Request) -> tuple[Token, Installation]:
        """Return an installation token that holds, counted against its limit."""
        match self.who(request):
            case AsInstallation(token, installation):
                self._count(request, installation)
                return token, installation
            case Nobody():
                raise Denied(RefusalRule.NO_CREDENTIAL)
            case AsApp(value):
                verify_jwt(value, self.world.app, self.world.now())
                raise Denied(RefusalRule.JWT_FOR_TOKEN)
            case AsUser():
                raise Denied(RefusalRule.USER_TOKEN_FOR_TOKEN)
            case AsDeveloper():
                raise Denied(RefusalRule.PERSONAL_TOKEN_FOR_TOKEN)

    def _count(self, request: web.Request, installation: Installation) -> None:
        now = self.world.now()
        request[INSTALLATION] = installation
        installation.at_once += 1
        if installation.suspended_at is not None:
            raise Denied(RefusalRule.SUSPENDED_TOKEN)
        if now - installation.window_start >= 3_600:
            installation.window_start, installation.used = now, 0
        installation.used += 1
        if installation.used > PRIMARY_LIMIT:
            self.world.crossed.append("primary")
            raise Denied(RefusalRule.PRIMARY_LIMIT, headers={"Retry-After": "60"})

    def repository(self, request: web.Request, permission: str = "metadata", *, write: bool = False) -> Repository:
        """Return the repository that is asked for, where the token reaches it with the permission."""
        token, installation = self.token(request)
        repository = self.named(request)
        if repository is None:
            raise Denied(RefusalRule.UNKNOWN_REPOSITORY)
        if repository.id not in installation.repository_ids:
            raise Denied(RefusalRule.LEFT_INSTALLATION)
        if repository.id not in token.repository_ids:
            raise Denied(RefusalRule.OUTSIDE_NARROWING)
        level = token.permissions.get(permission)
        if level not in _LEVELS:
            raise Denied(RefusalRule.NO_PERMISSION)
        if write and level == "read":
            raise Denied(RefusalRule.READ_FOR_WRITE)
        if write and repository.archived:
            raise Denied(RefusalRule.ARCHIVED)
        if write:
            self._secondary(installation)
        return repository

    def named(self, request: web.Request) -> Repository | None:
        """Return the repository that the address names, if there is one; a former name redirects."""
        if "repo_id" in request.match_info:
            return self.world.repositories.get(int(request.match_info["repo_id"]))
        full_name = f"{request.match_info['owner']}/{request.match_info['repo']}"
        repository = self.world.find_repository(full_name)
        if repository is None and (moved := self.world.moved.get(full_name.lower())) is not None:
            tail = request.raw_path.split(f"/{request.match_info['repo']}", 1)[1]
            raise Moved(f"{self.shapes.api}/repositories/{moved}{tail}")
        return repository

    def _secondary(self, installation: Installation) -> None:
        """Apply the limits on writes and on requests at once; off where the world says so."""
        now, limits = self.world.now(), self.world.limits
        while installation.writes and installation.writes[0] < now - limits.hour_s:
            installation.writes.popleft()
        if limits.enforced:
            minute = sum(at > now - limits.minute_s for at in installation.writes)
            full = minute >= limits.writes_per_minute or len(installation.writes) >= limits.writes_per_hour
            if full or installation.at_once > limits.at_once:
                self.world.crossed.append("secondary")
                raise Denied(RefusalRule.SECONDARY_LIMIT, headers={"Retry-After": str(limits.retry_after_s)})
        installation.writes.append(now)


def _is_accepted(kind: str) -> bool:
    return kind in ("*/*", "application/*", "application/json") or (
        kind.startswith("application/vnd.github") and kind.endswith(("json", "raw"))
    )


def page_of(request: web.Request, items: list[Any]) -> list[Any]:
    """Return the asked page of a list."""
    size, page = asked_page(request)
    return items[(page - 1) * size : page * size]


def asked_page(request: web.Request) -> tuple[int, int]:
    """Return per_page, which GitHub cuts to 100, and page; what is no number counts as not given."""
    return min(_number(request, "per_page", 30), 100), _number(request, "page", 1)


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0 else default


def next_link(request: web.Request, api: str, number: int) -> dict[str, str]:
    """Return the header that leads to the next page of a list of `number` items, where there is one."""
    size, page = asked_page(request)
    if page * size >= number:
        return {}
    query = {**request.query, "page": str(page + 1)}
    path = request.path.removeprefix("/api/v3")
    return {"Link": f'<{api}{path}?{urlencode(query)}>; rel="next"'}


def rate_headers(installation: Installation) -> dict[str, str]:
    """Return GitHub's headers about the primary limit, which every answer has."""
    remaining = max(PRIMARY_LIMIT - installation.used, 0)
    return {
        "x-ratelimit-limit": str(PRIMARY_LIMIT),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-used": str(installation.used),
        "x-ratelimit-reset": str(int(installation.window_start + 3_600)),
        "x-ratelimit-resource": "core",
    }
