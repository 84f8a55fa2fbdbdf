"""Webhook deliveries as typed values: only the fields we use are decoded, the rest is passed over."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec

ZERO = re.compile(r"0{40,64}\Z")
_BAD_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(?:/|\Z)|/\Z")
MAX_REF_BYTES = 1_000  # as many as fit into an index beside other columns; GitHub takes some 250
MAX_MESSAGE_CHARS = 2_000  # every push of a commit keeps its message: one commit on 5,000 branches 5,000 times
MAX_NAME_CHARS = 500


# What PostgreSQL keeps (https://www.postgresql.org/docs/current/datatype-numeric.html); GitHub's own are far below.
Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Account(msgspec.Struct):
    """A user or an organisation."""

    id: Id
    login: str
    type: str = ""


class InstallationRef(msgspec.Struct):
    """The installation a delivery belongs to."""

    id: Id


class Repository(msgspec.Struct):
    """A repository as deliveries carry it; those of an installation are shorter."""

    id: Id
    full_name: str
    private: bool | None = None
    default_branch: str | None = None
    owner: Account | None = None
    updated_at: str | int | None = None


class Author(msgspec.Struct):
    """The author of a commit."""

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

    id: Id
    account: Account | None = None
    suspended_at: str | int | None = None
    updated_at: str | int | None = None
    permissions: dict[str, str] = {}


class InstallationEvent(msgspec.Struct):
    """created, deleted, suspend, unsuspend, new_permissions_accepted."""

    action: str
    installation: Installation
    repositories: list[Repository] | None = None
    sender: Account | None = None


class InstallationRepositoriesEvent(msgspec.Struct):
    """added, removed."""

    action: str
    installation: Installation
    repositories_added: list[Repository] = []
    repositories_removed: list[Repository] = []
    sender: Account | None = None


class PullSide(msgspec.Struct):
    """Head or base of a pull request; the repository of a deleted fork is gone."""

    ref: str
    sha: str
    repo: Repository | None = None


class PullRequest(msgspec.Struct):
    """A pull request."""

    number: Number
    state: str
    head: PullSide
    base: PullSide
    updated_at: str | int | None = None
    merged: bool | None = None


class PullRequestEdit(msgspec.Struct):
    """The edited fields of a pull request; `base` is there where it was retargeted."""

    base: dict[str, msgspec.Raw] | None = None


class PullRequestEvent(msgspec.Struct):
    """opened, reopened, synchronize, edited, closed, among others."""

    action: str
    pull_request: PullRequest
    repository: Repository
    installation: InstallationRef | None = None
    changes: PullRequestEdit | None = None


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
    sender: Account | None = None


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
    sender: Account | None = None
    requested_action: RequestedAction | None = None


class MergeGroup(msgspec.Struct):
    """A commit that the merge queue wants evaluated."""

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


def good_ref(name: str) -> bool:
    """Return whether git would take the name for a reference (git-check-ref-format).

    It may begin with a dash, as git takes refs/heads/-x; in an argument of git it stands in its full reference alone.
    """
    return 0 < len(name.encode("utf-8", "surrogatepass")) <= MAX_REF_BYTES and _BAD_REF.search(name) is None


def moment(value: str | int | None) -> datetime | None:
    """Parse a time as GitHub writes it, in text or in seconds; None where it is invalid."""
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
