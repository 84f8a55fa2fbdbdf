"""What GitHub says of a person: who it is, and which repositories of our installations they may see and write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from forgeguard_app.github.client import Broken, Client, Refused

MAX_INSTALLATIONS = 500
MAX_REPOSITORIES = 20_000
_GONE = (403, 404)  # suspended or removed while we looked


@dataclass(frozen=True, slots=True)
class GitHubUser:
    """Who signed in."""

    id: int
    login: str
    avatar_url: str | None


async def get_user(client: Client, token: str) -> GitHubUser:
    """Whose token it is.

    Raises:
        Refused, Limited, Broken: as Client.ask.
    """
    answer = await client.ask("GET", "/user", token=token)
    if (
        not isinstance(answer, dict)
        or not isinstance(answer.get("id"), int)
        or not isinstance(answer.get("login"), str)
    ):
        raise Broken("GitHub's answer names nobody", answered=True)
    avatar = answer.get("avatar_url")
    return GitHubUser(answer["id"], answer["login"], avatar if isinstance(avatar, str) else None)


async def list_access(client: Client, token: str) -> dict[int, str]:
    """`read`, `write` or `admin` by the id of each repository that the App and the person both have.

    Raises:
        Refused, Limited, Broken: as Client.ask.
    """
    found: dict[int, str] = {}
    numbers = [
        one["id"]
        async for one in client.list(
            "/user/installations?per_page=100", token=token, most=MAX_INSTALLATIONS, key="installations"
        )
        if isinstance(one, dict) and isinstance(one.get("id"), int) and not one.get("suspended_at")
    ]
    for number in numbers:
        path = f"/user/installations/{number}/repositories?per_page=100"
        try:
            async for one in client.list(path, token=token, most=MAX_REPOSITORIES, key="repositories"):
                if isinstance(one, dict) and isinstance(one.get("id"), int):
                    found[one["id"]] = _level(one.get("permissions"))
        except Refused as error:
            if error.status not in _GONE:
                raise
    return found


def _level(permissions: Any) -> str:
    granted = permissions if isinstance(permissions, dict) else {}
    if granted.get("admin") is True:
        return "admin"
    return "write" if granted.get("push") is True or granted.get("maintain") is True else "read"
