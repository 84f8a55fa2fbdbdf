"""Files become a pull request; done twice it changes nothing, since the branch is named after what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from forgeguard_app.flows.context.rate_budget import reserve
from forgeguard_app.flows.context.visibility_lag import retry_until_visible
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.git.branches import BranchMoved, commit_files, push
from forgeguard_app.git.mirror import Mirror
from forgeguard_app.github.check_runs import cut
from forgeguard_app.github.client import AlreadyExists, NoCommitsBetween
from forgeguard_app.github.limits import Cost
from forgeguard_app.github.repo_access import RepoAccess
from forgeguard_app.github.tokens import PROPOSE
from forgeguard_app.store.installations import Installation
from forgeguard_app.store.repos import Repo

MAX_TITLE_BYTES, MAX_BODY_BYTES = 256, 65_536
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file as it is to be."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class WantedPullRequest:
    """The pull request: from a new branch `name`, which begins at commit `sha`, onto `base`."""

    name: str
    sha: str
    base: str
    title: str
    body: str
    files: Sequence[NewFile]


def may_open_pull_request(installation: Installation) -> bool:
    """Return whether the App was granted what a pull request takes."""
    granted = installation.permissions
    return granted.get("contents") == "write" and granted.get("pull_requests") == "write"


async def open_pull_request(
    context: WorkerContext, installation: Installation, repo: Repo, mirror: Mirror, wanted: WantedPullRequest
) -> str:
    """Commits the files in the mirror, pushes the branch and opens the pull request; gives its address.

    Raises:
        RetryLater: a transient fault, or no room in the installation's limits.
        RequestRejected: GitHub does not let us.
    """
    access = context.access(installation, repo, PROPOSE)
    data = {file.path: file.text.encode("utf-8", "replace") for file in wanted.files}
    commit = await commit_files(mirror.repository, wanted.sha, data, f"{wanted.title}\n")
    try:
        await retry_until_visible(
            context, access, lambda remote: push(mirror.repository, remote, commit, wanted.name, None)
        )
    except BranchMoved:
        log.info("pull.branch_is_there", branch=wanted.name)  # an earlier attempt pushed it
    return await ensure_pull_request(context, access, wanted)


async def ensure_pull_request(context: WorkerContext, access: RepoAccess, wanted: WantedPullRequest) -> str:
    """Open the pull request of a pushed branch, and return its page; where one exists, return the page that lists it.

    Raises:
        RetryLater, RequestRejected: as `open_pull_request`.
    """
    title, body = cut(wanted.title, MAX_TITLE_BYTES), cut(wanted.body, MAX_BODY_BYTES)
    request = {"title": title, "head": wanted.name, "base": wanted.base, "body": body}
    made: Any = None
    async with reserve(context, access, Cost(1, 1, final=False)):
        try:
            made = await access.ask("POST", "/pulls", request)
        except (AlreadyExists, NoCommitsBetween) as error:
            log.info("pull.is_there", reason=str(error))
    listing = f"{context.github_url}/{access.full_name}/pulls"
    return str(made["html_url"]) if made and made.get("html_url") else listing
