"""Webhook deliveries as typed values: only the fields we use are decoded, the rest is passed over."""

from __future__ import annotations

import re
from datetime import UTC, datetime
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
    updated_at: str | int | None = None
    permissions: dict[str, str] = {}


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
    updated_at: str | int | None = None


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
    before: str | None = None


class CheckSuiteEvent(msgspec.Struct):
    """requested: GitHub opened a suite for us, beside a push. rerequested: run all again."""

    action: str
    check_suite: CheckSuite
    repository: Repository
    installation: InstallationRef | None = None


class CheckRun(msgspec.Struct):
    """One of our check runs."""

    head_sha: str


class RequestedAction(msgspec.Struct):
    """The button that somebody pressed on a check run."""

    identifier: str = ""


class CheckRunEvent(msgspec.Struct):
    """rerequested, requested_action, among others."""

    action: str
    check_run: CheckRun
    repository: Repository
    installation: InstallationRef | None = None
    requested_action: RequestedAction | None = None


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


class InstallationTargetEvent(msgspec.Struct):
    """renamed: the account has another name."""

    action: str
    installation: InstallationRef
    account: Account | None = None


class AuthorizationEvent(msgspec.Struct):
    """revoked: a person took back what they let us do in their name."""

    action: str
    sender: Account


Event = (
    Push
    | InstallationEvent
    | InstallationRepositoriesEvent
    | PullRequestEvent
    | CheckSuiteEvent
    | CheckRunEvent
    | MergeGroupEvent
    | RepositoryEvent
    | InstallationTargetEvent
    | AuthorizationEvent
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
    "installation_target": InstallationTargetEvent,
    "github_app_authorization": AuthorizationEvent,
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
    commits, refs = _names(event)
    if not all(_SHA.match(commit) for commit in commits):
        raise BadPayload("a commit id is none: " + _WHERE.get(type(event), ""))
    if not all(good_ref(ref) for ref in refs) or (isinstance(event, Push) and not event.ref.startswith("refs/")):
        raise BadPayload("a name is none of git's: " + _WHERE.get(type(event), ""))


_WHERE: dict[type[Any], str] = {
    Push: "ref, before and after",
    PullRequestEvent: "head and base",
    MergeGroupEvent: "head and base",
    CheckSuiteEvent: "head_sha and head_branch",
    CheckRunEvent: "head_sha",
}


def _names(event: Event) -> tuple[list[str], list[str]]:
    """The commit ids and references that the event names."""
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


def good_ref(name: str) -> bool:
    """Whether git would take the name for a reference (git-check-ref-format)."""
    return 0 < len(name) <= MAX_REF_CHARS and not name.startswith("-") and _BAD_REF.search(name) is None


def moment(value: str | int | None) -> datetime | None:
    """A time as GitHub writes it, in text or in seconds; None where it is none."""
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value, UTC)
        return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC) if value else None
    except (ValueError, OverflowError, OSError):
        return None


def clean_text(text: str | None, limit: int) -> str | None:
    """Text from outside as the database takes it: valid UTF-8, no NUL, bounded."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "�")[:limit]
