"""Asks GitHub about a person: identity, and the repositories of our installations that they may see and write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from forgeguard_app.github.client import Client, GitHubUnavailable, RequestRejected

MAX_INSTALLATIONS = 500
MAX_REPOSITORIES = 20_000
MAX_ETAG_CHARS = 300
_LISTS = ("installations", "repositories")
_KEPT = ("id", "suspended_at", "permissions")
_GONE = (403, 404)  # suspended or removed while we looked


@dataclass(frozen=True, slots=True)
class GitHubUser:
    """A GitHub user who signed in."""

    id: int
    login: str
    avatar_url: str | None


async def get_user(client: Client, token: str) -> GitHubUser:
    """Whose token it is.

    Raises:
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away, or its limit is reached.
    """
    answer = await client.ask("GET", "/user", token=token)
    if (
        not isinstance(answer, dict)
        or not isinstance(answer.get("id"), int)
        or not isinstance(answer.get("login"), str)
    ):
        raise GitHubUnavailable("GitHub's answer names nobody", answered=True)
    avatar = answer.get("avatar_url")
    return GitHubUser(answer["id"], answer["login"], avatar if isinstance(avatar, str) else None)


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """A cached page of a list: its ETag, who may do what, and the next page."""

    etag: str
    content: dict[str, Any]
    next_url: str | None


class KnownAnswers(MutableMapping[str, tuple[str | None, str | None, Any, str | None]]):
    """A person's earlier answers, as the client asks for them and puts new ones; `changed` are the new ones."""

    def __init__(self, stored: Mapping[str, KnownAnswer]) -> None:
        self.stored = dict(stored)
        self.changed: dict[str, KnownAnswer] = {}
        self.used: set[str] = set()
        self._lost = False

    @property
    def is_same(self) -> bool:
        """Return whether GitHub said of every page that nothing changed."""
        return not self._lost and not self.changed and self.used == self.stored.keys()

    def lose(self) -> None:
        """Note that a list could not be read, so that there is less than before."""
        self._lost = True

    def __getitem__(self, url: str) -> tuple[str | None, str | None, Any, str | None]:
        found = self.stored[url]
        self.used.add(url)
        return found.etag, None, found.content, found.next_url

    def __setitem__(self, url: str, value: tuple[str | None, str | None, Any, str | None]) -> None:
        etag, _, body, next_url = value
        self._lost = self._lost or etag is None
        if etag is None or len(etag) > MAX_ETAG_CHARS or not isinstance(body, dict):
            return
        self.used.add(url)
        self.changed[url] = KnownAnswer(etag, {key: _slim(body[key]) for key in _LISTS if key in body}, next_url)

    def __delitem__(self, url: str) -> None:
        del self.stored[url]

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)


def _slim(items: Any) -> list[dict[str, Any]]:
    """Return of each item what says who may do what."""
    return [
        {name: item[name] for name in _KEPT if item.get(name) is not None}
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, dict)
    ]


async def list_access(client: Client, token: str, known: KnownAnswers) -> dict[int, str]:
    """Return `read`, `write` or `admin` by the id of each repository that the App and the person both have.

    Raises:
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away, or its limit is reached.
    """
    found: dict[int, str] = {}
    numbers = [
        installation["id"]
        async for installation in client.list(
            "/user/installations?per_page=100", token=token, most=MAX_INSTALLATIONS, key="installations", known=known
        )
        if isinstance(installation, dict)
        and isinstance(installation.get("id"), int)
        and not installation.get("suspended_at")
    ]
    for number in numbers:
        path = f"/user/installations/{number}/repositories?per_page=100"
        try:
            async for repository in client.list(
                path, token=token, most=MAX_REPOSITORIES, key="repositories", known=known
            ):
                if isinstance(repository, dict) and isinstance(repository.get("id"), int):
                    found[repository["id"]] = _level(repository.get("permissions"))
        except RequestRejected as error:
            if error.status not in _GONE:
                raise
            known.lose()
    return found


def _level(permissions: Any) -> str:
    granted = permissions if isinstance(permissions, dict) else {}
    if granted.get("admin") is True:
        return "admin"
    return "write" if granted.get("push") is True or granted.get("maintain") is True else "read"
