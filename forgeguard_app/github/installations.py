"""Installations and what lies in them, as GitHub itself lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client, GitHubUnavailable, RequestRejected
from forgeguard_app.github.events import Installation, PullRequest, Repository
from forgeguard_app.github.repo_access import RepoAccess
from forgeguard_app.github.tokens import LIST, TokenCache

MAX_INSTALLATIONS = 20_000
MAX_REPOSITORIES = 20_000
MAX_PULLS = 1_000
_NOT_FOUND = 404
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Listed(Generic[_T]):
    """A list that GitHub gave. Items beyond the bound of a cut list may still exist."""

    items: list[_T]
    is_cut: bool


async def list_installations(app: AppAccess, most: int = MAX_INSTALLATIONS) -> Listed[Installation]:
    """Return the installations of the App, at most `most`.

    Raises:
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away, or its limit is reached.
    """
    found = [item async for item in app.list("/app/installations?per_page=100", most=most)]
    return Listed(_read(found, list[Installation]), len(found) >= most)


async def get_installation(app: AppAccess, installation_id: int) -> Installation | None:
    """Return the installation; None where GitHub, asked for it by its id, says that there is none.

    Raises:
        RequestRejected: GitHub refuses the request; a refusal other than 404 says nothing.
        RetryLater: GitHub is away, or its limit is reached.
    """
    try:
        found = await app.ask("GET", f"/app/installations/{installation_id}")
    except RequestRejected as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    return _read(found, Installation)


async def find_installation_of(app: AppAccess, full_name: str) -> Installation | None:
    """Return the installation that holds the repository of that name; None where the App is not installed on it.

    GitHub redirects a former name: https://docs.github.com/en/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app

    Raises:
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away, or its limit is reached.
    """
    try:
        found = await app.ask("GET", f"/repos/{full_name}/installation")
    except RequestRejected as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    return _read(found, Installation)


async def list_repositories(
    client: Client, tokens: TokenCache, installation_id: int, most: int = MAX_REPOSITORIES
) -> Listed[Repository]:
    """Return the repositories of an installation, at most `most`.

    Raises:
        InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away, or its limit is reached.
    """
    token = await tokens.get(installation_id, None, LIST)
    path = "/installation/repositories?per_page=100"
    tokens.drop(token)  # it opens what was there when it was minted
    while True:
        listed = client.list(path, token=token.value, most=most, key="repositories")
        try:
            found = [item async for item in listed]
            return Listed(_read(found, list[Repository]), len(found) >= most)
        except RequestRejected:
            if not token.fresh:
                raise
            token.refused()
            await token.pause()


async def list_pulls(access: RepoAccess, most: int = MAX_PULLS) -> Listed[PullRequest]:
    """Return the repository's open pull requests, at most about `most`, in whole pages.

    Raises:
        InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away, or its limit is reached.
    """
    found: list[object] = []
    is_cut = True
    for page in range(1, max(most // 100, 1) + 1):
        batch = await access.ask("GET", f"/pulls?state=open&per_page=100&page={page}")
        found.extend(batch)
        if len(batch) < min(most, 100):
            is_cut = False
            break
    return Listed(_read(found, list[PullRequest]), is_cut)


async def get_pull(access: RepoAccess, number: int) -> PullRequest | None:
    """Return the pull request; None where GitHub, asked for it by its number, says that there is none.

    Raises:
        InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
        RequestRejected: GitHub refuses the request; a refusal other than 404 says nothing.
        RetryLater: GitHub is away, or its limit is reached.
    """
    try:
        found = await access.ask("GET", f"/pulls/{number}")
    except RequestRejected as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    return _read(found, PullRequest)


def _read(found: object, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError:
        raise GitHubUnavailable("GitHub's list is not what it promises", answered=True) from None
