"""Installations and what lies in them, as GitHub itself lists them."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Broken, Client, Refused
from forgeguard_app.github.events import Installation, PullRequest, Repository
from forgeguard_app.github.repo_access import RepoAccess
from forgeguard_app.github.tokens import LIST, Tokens

MAX_INSTALLATIONS = 20_000
MAX_REPOSITORIES = 20_000
MAX_PULLS = 1_000
_NOT_FOUND = 404
_T = TypeVar("_T")


async def list_installations(app: AppAccess) -> list[Installation]:
    """Every installation of the App.

    Raises:
        Refused, Limited, Broken: as Client.ask.
    """
    found = [item async for item in app.list("/app/installations?per_page=100", most=MAX_INSTALLATIONS)]
    return _read(found, list[Installation])


async def find_installation_of(app: AppAccess, full_name: str) -> Installation | None:
    """The installation that holds the repository of that name; None where the App is not installed on it.

    GitHub redirects a former name: https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app

    Raises:
        Refused, Limited, Broken: as Client.ask.
    """
    try:
        found = await app.ask("GET", f"/repos/{full_name}/installation")
    except Refused as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    return _read(found, Installation)


async def list_repositories(client: Client, tokens: Tokens, installation_id: int) -> list[Repository]:
    """Every repository of an installation.

    Raises:
        NoAccess, Refused, Limited, Broken: as Client.ask and Tokens.get.
    """
    token = await tokens.get(installation_id, None, LIST)
    path = "/installation/repositories?per_page=100"
    tokens.drop(token)  # it opens what was there when it was minted
    while True:
        listed = client.list(path, token=token.value, most=MAX_REPOSITORIES, key="repositories")
        try:
            return _read([item async for item in listed], list[Repository])
        except Refused:
            if not token.fresh:
                raise
            token.refused()
            await token.pause()


async def list_pulls(access: RepoAccess) -> list[PullRequest]:
    """The repository's open pull requests.

    Raises:
        NoAccess, Refused, Limited, Broken: as RepoAccess.ask.
    """
    found: list[object] = []
    for page in range(1, MAX_PULLS // 100 + 1):
        some = await access.ask("GET", f"/pulls?state=open&per_page=100&page={page}")
        found.extend(some)
        if len(some) < 100:
            break
    return _read(found, list[PullRequest])


def _read(found: object, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError:
        raise Broken("GitHub's list is not what it promises", answered=True) from None
