"""Webhook deliveries as typed values: only the fields we use are decoded, the rest is passed over."""

from __future__ import annotations

import re
from typing import Any

import msgspec

ZERO = re.compile(r"0{40,64}\Z")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(?:/|\Z)|/\Z")
_FULL_NAME = re.compile(r"(?!\.)[\w-][\w.-]{0,99}/(?!\.\.?\Z)[\w.-]{1,200}\Z", re.ASCII)
MAX_REF_CHARS = 1_000
MAX_MESSAGE_CHARS = 10_000
MAX_NAME_CHARS = 500


class BadPayload(Exception):
    """The body is not what its headers say; the text names the field, never a value."""


class Account(msgspec.Struct):
    """A user or an organisation."""

    id: int
    login: str
    type: str = ""


class InstallationRef(msgspec.Struct):
    """The installation a delivery belongs to."""

    id: int


class Repository(msgspec.Struct):
    """A repository as deliveries carry it; those of an installation are shorter."""

    id: int
    full_name: str
    private: bool | None = None
    default_branch: str | None = None
    owner: Account | None = None


class Author(msgspec.Struct):
    """Who wrote a commit."""

    name: str | None = None
    username: str | None = None


class HeadCommit(msgspec.Struct):
    """The commit a push ends with."""

    message: str | None = None
    author: Author | None = None


class Push(msgspec.Struct):
    """A branch or tag moved, was made or went away."""

    ref: str
    before: str
    after: str
    deleted: bool
    repository: Repository
    installation: InstallationRef | None = None
    head_commit: HeadCommit | None = None


class Installation(msgspec.Struct):
    """The App's presence on one account."""

    id: int
    account: Account | None = None
    suspended_at: str | int | None = None


class InstallationEvent(msgspec.Struct):
    """created, deleted, suspend, unsuspend, new_permissions_accepted."""

    action: str
    installation: Installation
    repositories: list[Repository] | None = None


class InstallationRepositoriesEvent(msgspec.Struct):
    """added, removed."""

    action: str
    installation: Installation
    repositories_added: list[Repository] = []
    repositories_removed: list[Repository] = []


class PullSide(msgspec.Struct):
    """Head or base of a pull request; the repository of a deleted fork is gone."""

    ref: str
    sha: str
    repo: Repository | None = None


class PullRequest(msgspec.Struct):
    """A pull request."""

    number: int
    state: str
    head: PullSide
    base: PullSide


class Changes(msgspec.Struct):
    """What an edit changed; `base` is there where the pull request was retargeted."""

    base: dict[str, msgspec.Raw] | None = None


class PullRequestEvent(msgspec.Struct):
    """opened, reopened, synchronize, edited, closed, among others."""

    action: str
    pull_request: PullRequest
    repository: Repository
    installation: InstallationRef | None = None
    changes: Changes | None = None


class CheckSuite(msgspec.Struct):
    """The suite of our check runs on one commit."""

    head_sha: str
    head_branch: str | None = None


class CheckSuiteEvent(msgspec.Struct):
    """rerequested: run all again. requested comes beside every push and says nothing more."""

    action: str
    check_suite: CheckSuite
    repository: Repository
    installation: InstallationRef | None = None


class CheckRun(msgspec.Struct):
    """One of our check runs."""

    head_sha: str
    check_suite: CheckSuite | None = None


class CheckRunEvent(msgspec.Struct):
    """rerequested, requested_action, among others."""

    action: str
    check_run: CheckRun
    repository: Repository
    installation: InstallationRef | None = None


class MergeGroup(msgspec.Struct):
    """A commit that the merge queue wants judged."""

    head_sha: str
    head_ref: str
    base_sha: str
    base_ref: str


class MergeGroupEvent(msgspec.Struct):
    """checks_requested, destroyed."""

    action: str
    merge_group: MergeGroup
    repository: Repository
    installation: InstallationRef | None = None


class RepositoryEvent(msgspec.Struct):
    """renamed, transferred, privatized, publicized, archived, unarchived, deleted, edited."""

    action: str
    repository: Repository
    installation: InstallationRef | None = None


Event = (
    Push
    | InstallationEvent
    | InstallationRepositoriesEvent
    | PullRequestEvent
    | CheckSuiteEvent
    | CheckRunEvent
    | MergeGroupEvent
    | RepositoryEvent
)
_TYPES: dict[str, type[Any]] = {
    "push": Push,
    "installation": InstallationEvent,
    "installation_repositories": InstallationRepositoriesEvent,
    "pull_request": PullRequestEvent,
    "check_suite": CheckSuiteEvent,
    "check_run": CheckRunEvent,
    "merge_group": MergeGroupEvent,
    "repository": RepositoryEvent,
}
_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in _TYPES.items()}


def read_event(name: str, body: bytes) -> Event | None:
    """The event; None for one that we do not act on, whose body must be JSON all the same.

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
        raise BadPayload(str(error)[:200]) from None
    _check(event)
    return event


def _check(event: Event) -> None:
    for repository in _repositories(event):
        if not _FULL_NAME.match(repository.full_name):
            raise BadPayload("full_name is not owner/name")
    if isinstance(event, Push):
        if not event.ref.startswith("refs/") or not good_ref(event.ref):
            raise BadPayload("ref is not a name of git's")
        for sha in (event.before, event.after):
            if not _SHA.match(sha):
                raise BadPayload("before and after must be commit ids")
    if isinstance(event, PullRequestEvent):
        sides = (event.pull_request.head, event.pull_request.base)
        if not all(_SHA.match(side.sha) and good_ref(side.ref) for side in sides):
            raise BadPayload("head and base must be branches with commit ids")
    if isinstance(event, MergeGroupEvent):
        group = event.merge_group
        refs_hold = good_ref(group.head_ref) and good_ref(group.base_ref)
        if not (_SHA.match(group.head_sha) and _SHA.match(group.base_sha) and refs_hold):
            raise BadPayload("head and base must be references with commit ids")
    if isinstance(event, CheckSuiteEvent | CheckRunEvent):
        suite = event.check_suite if isinstance(event, CheckSuiteEvent) else event.check_run
        if not _SHA.match(suite.head_sha):
            raise BadPayload("head_sha must be a commit id")


def _repositories(event: Event) -> list[Repository]:
    if isinstance(event, InstallationEvent):
        return event.repositories or []
    if isinstance(event, InstallationRepositoriesEvent):
        return [*event.repositories_added, *event.repositories_removed]
    return [event.repository]


def good_ref(name: str) -> bool:
    """Whether git would take the name for a reference (git-check-ref-format)."""
    return 0 < len(name) <= MAX_REF_CHARS and not name.startswith("-") and _BAD_REF.search(name) is None


def clean_text(text: str | None, limit: int) -> str | None:
    """Text from outside as the database takes it: valid UTF-8, no NUL, bounded."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "�")[:limit]
