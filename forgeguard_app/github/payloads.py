"""A delivery's body becomes a typed event at the door, strictly: ids and names are what git would take."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from forgeguard_app.github.events import (
    AuthorizationEvent,
    CheckRunEvent,
    CheckSuiteEvent,
    Event,
    InstallationEvent,
    InstallationRepositoriesEvent,
    InstallationTargetEvent,
    MergeGroupEvent,
    PullRequestEvent,
    Push,
    Repository,
    RepositoryEvent,
    good_ref,
)

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_FULL_NAME = re.compile(r"(?!\.)[\w-][\w.-]{0,99}/(?!\.\.?\Z)[\w.-]{1,200}\Z", re.ASCII)


class BadPayload(Exception):
    """The body is not what its headers say; the text names the field, never a value."""


_TYPES: dict[str, type[Any]] = {
    "push": Push,
    "installation": InstallationEvent,
    "installation_repositories": InstallationRepositoriesEvent,
    "pull_request": PullRequestEvent,
    "check_suite": CheckSuiteEvent,
    "check_run": CheckRunEvent,
    "merge_group": MergeGroupEvent,
    "repository": RepositoryEvent,
    "installation_target": InstallationTargetEvent,
    "github_app_authorization": AuthorizationEvent,
}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in _TYPES.items()}


def read_event(name: str, body: bytes) -> Event | None:
    """Return the event; None for one that we do not act on, whose body must be JSON all the same.

    Raises:
        BadPayload: the body is not JSON, lacks a field or holds a name that git would not allow.
    """
    decoder = _DECODERS.get(name)
    try:
        if decoder is None:
            msgspec.json.decode(body, type=dict[str, msgspec.Raw])
            return None
        event: Event = decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadPayload(str(error)) from None
    _check(event)
    return event


def _check(event: Event) -> None:
    for repository in _repositories(event):
        if not _FULL_NAME.match(repository.full_name):
            raise BadPayload("full_name is not owner/name")
        if repository.default_branch and not good_ref(repository.default_branch):
            raise BadPayload("default_branch is not a valid branch name")
    commits, refs = _names(event)
    if not all(_SHA.match(commit) for commit in commits):
        raise BadPayload("a commit id is invalid: " + _WHERE.get(type(event), ""))
    if not all(good_ref(ref) for ref in refs) or (isinstance(event, Push) and not event.ref.startswith("refs/")):
        raise BadPayload("a branch name is invalid: " + _WHERE.get(type(event), ""))


_WHERE: dict[type[Any], str] = {
    Push: "ref, before and after",
    PullRequestEvent: "head and base",
    MergeGroupEvent: "head and base",
    CheckSuiteEvent: "head_sha and head_branch",
    CheckRunEvent: "head_sha",
}


def _names(event: Event) -> tuple[list[str], list[str]]:
    """Return the commit ids and references that the event names."""
    match event:
        case Push():
            return [event.before, event.after], [event.ref]
        case PullRequestEvent():
            sides = (event.pull_request.head, event.pull_request.base)
            return [side.sha for side in sides], [side.ref for side in sides]
        case MergeGroupEvent():
            group = event.merge_group
            return [group.head_sha, group.base_sha], [group.head_ref, group.base_ref]
        case CheckSuiteEvent():
            suite = event.check_suite
            before = [suite.before] if suite.before else []
            return [suite.head_sha, *before], [suite.head_branch] if suite.head_branch else []
        case CheckRunEvent():
            return [event.check_run.head_sha], []
        case _:
            return [], []


def _repositories(event: Event) -> list[Repository]:
    if isinstance(event, InstallationEvent):
        return event.repositories or []
    if isinstance(event, InstallationRepositoriesEvent):
        return [*event.repositories_added, *event.repositories_removed]
    if isinstance(event, InstallationTargetEvent | AuthorizationEvent):
        return []
    return [event.repository]
