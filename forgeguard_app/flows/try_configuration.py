"""Somebody tries a changed configuration against the default branch's head, or asks for a first one, before anything is committed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from forgeguard_app.audit.boundaries.parse import DEFAULT_PATHS
from forgeguard_app.audit.policy import POLICY_PATHS
from forgeguard_app.errors import UserError
from forgeguard_app.flows.context import Context
from forgeguard_app.flows.fetched import fetched
from forgeguard_app.flows.know_access import Person
from forgeguard_app.flows.lag import with_lag
from forgeguard_app.flows.open_pull import NewFile, Wanted, open_pull
from forgeguard_app.flows.owner_policy import owner_settings
from forgeguard_app.git.command import EMPTY_TREE
from forgeguard_app.git.mirror import Remote, RepositoryGone, read_default_head
from forgeguard_app.github.client import Refused
from forgeguard_app.github.events import good_ref
from forgeguard_app.github.tokens import PROPOSE
from forgeguard_app.judging.dry_run import dry_run
from forgeguard_app.judging.first_rules import FirstRules, propose_first
from forgeguard_app.judging.mirror_source import MirrorSource
from forgeguard_app.judging.request import Request
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.installations import Installation, find_installation
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.queue import enqueue
from forgeguard_app.store.repos import Repo, find_configuration, get_repo
from forgeguard_app.store.trials import (
    NewTrial,
    Trial,
    count_lately,
    find_trial,
    insert_trial,
    set_trial_done,
    set_trial_failed,
)

MAX_CONTENT_CHARS = 150_000
MAX_AN_HOUR = 60
PRIORITY = 10  # somebody looks at the page
log = structlog.get_logger()


async def begin_trial(pool: Pool, person: Person, repo: Repo, path: str, content: str) -> UUID:
    """A changed configuration is to be tried.

    Raises:
        UserError: the file is none that configures us, is too large, or the person tries too often.
    """
    async with pool.acquire() as connection, connection.transaction():
        if path not in await _paths(connection, repo):
            raise UserError("Only forgeguard.yml and the boundaries files of this repository can be tried here.")
        if len(content) > MAX_CONTENT_CHARS:
            raise UserError(f"The file has more than {MAX_CONTENT_CHARS:,} characters.")
        return await begin(
            connection, NewTrial(repo.id, person.user_id, "configuration", path, content.replace("\r\n", "\n"))
        )


async def begin_first_rules(pool: Pool, person: Person, repo: Repo) -> UUID:
    """A first configuration is to be drawn from the code.

    Raises:
        UserError: the person asks too often.
    """
    async with pool.acquire() as connection, connection.transaction():
        return await begin(connection, NewTrial(repo.id, person.user_id, "first_rules"))


async def list_paths(pool: Pool, repo: Repo) -> list[str]:
    """The files that can be tried: the usual ones, and the boundaries files that are named elsewhere."""
    async with pool.acquire() as connection:
        return await _paths(connection, repo)


async def _paths(connection: Connection, repo: Repo) -> list[str]:
    known = await find_configuration(connection, repo.id)
    named = [file["path"] for file in known[1]["boundaries"]] if known else []
    return list(dict.fromkeys(("boundaries.json", *POLICY_PATHS, *DEFAULT_PATHS, *named)))


async def begin(connection: Connection, new: NewTrial) -> UUID:
    """The trial and its job.

    Raises:
        UserError: the person asks too often.
    """
    if await count_lately(connection, new.user_id) >= MAX_AN_HOUR:
        raise UserError(f"You tried {MAX_AN_HOUR} times within an hour; wait a little.")
    trial_id = await insert_trial(connection, new)
    await enqueue(connection, "try_configuration", {"trial_id": str(trial_id)}, priority=PRIORITY)
    return trial_id


async def try_configuration(context: Context, trial_id: UUID) -> None:
    """Does what the trial asks for, and keeps what came of it.

    Raises:
        Temporary: a passing fault; it is tried again.
    """
    async with context.pool.acquire() as connection:
        trial = await find_trial(connection, trial_id)
        if trial is None or trial.status != "pending":
            return
        repo = await get_repo(connection, trial.repo_id)
        installation = await find_installation(connection, repo.installation_id) if repo.installation_id else None
    try:
        sha, result = await _tried(context, trial, repo, installation)
    except (UserError, Refused) as error:
        said = str(error) if isinstance(error, UserError) else "GitHub refused: " + str(error)[:300]
        async with context.pool.acquire() as connection, connection.transaction():
            await set_trial_failed(connection, trial_id, said)
            await notify_change(connection, repo.id)
        log.info("trial.failed", reason=said[:200])
        return
    async with context.pool.acquire() as connection, connection.transaction():
        await set_trial_done(connection, trial_id, sha, result)
        await notify_change(connection, repo.id)
    log.info("trial.done", kind=trial.kind)


@dataclass(frozen=True, slots=True)
class _Head:
    branch: str
    sha: str


async def _tried(
    context: Context, trial: Trial, repo: Repo, installation: Installation | None
) -> tuple[str, dict[str, Any]]:
    if installation is None or installation.status != "active":
        raise UserError("The App is not active on this repository, so it cannot be read.")
    head = await _head(context, repo, installation)
    async with fetched(context, installation, repo, head.sha) as mirror:
        request = Request(
            head.sha, EMPTY_TREE, owner=owner_settings(installation), owner_file=repo.full_name.endswith("/.github")
        )
        source = MirrorSource(mirror, request)
        if trial.kind == "configuration":
            overlay = {trial.path or "": (trial.content or "").encode("utf-8", "replace")}
            return head.sha, await dry_run(context.judge, source, request, overlay)
        first = await propose_first(context.judge, source, head.sha)
    pull = await _proposed(context, repo, installation, head, first)
    return head.sha, {
        "files": first.files, "there": list(first.there), "recorded": first.recorded, "undeclared": list(first.undeclared),
        "overall_result": str(first.report.overall_result), "branch": head.branch, "pull": pull,
    }  # fmt: skip


async def _head(context: Context, repo: Repo, installation: Installation) -> _Head:
    url = f"{context.github_url}/{repo.full_name}.git"
    try:
        head = await with_lag(context.access(installation, repo), lambda token: read_default_head(Remote(url, token)))
    except RepositoryGone as error:
        raise UserError("ForgeGuard may not read this repository's contents any more.") from error
    if head is None or not good_ref(head.branch):
        raise UserError("The repository has no commit on its default branch yet.")
    return _Head(head.branch, head.sha)


async def _proposed(
    context: Context, repo: Repo, installation: Installation, head: _Head, first: FirstRules
) -> str | None:
    """The pull request with the files, where we may open one; None where the person is to add them."""
    granted = installation.permissions
    if not first.files or granted.get("contents") != "write" or granted.get("pull_requests") != "write":
        return None
    said = (
        "Drawn by ForgeGuard from the imports as they are, so that it is true of this tree and fails no push by itself. "
        f"{first.recorded} place(s) that go against the order are recorded as known violations. Rename, merge and reorder until it says what you mean."
    )
    files = [NewFile(path, text, f"Add {path}") for path, text in first.files.items()]
    wanted = Wanted(
        f"forgeguard/first-rules-{head.sha[:10]}", head.sha, head.branch, "Add ForgeGuard's first rules", said, files
    )
    there = f"{context.github_url}/{repo.full_name}/pulls"
    return await open_pull(context, context.access(installation, repo, PROPOSE), wanted) or there
