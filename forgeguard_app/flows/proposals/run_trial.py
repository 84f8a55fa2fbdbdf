"""A trial is done: a changed configuration against the default branch's head, first rules, or contracts proposed to the
repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never
from uuid import UUID

import structlog

from forgeguard_app.audit.masked_text import shown
from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.evaluation.dry_run import dry_run
from forgeguard_app.evaluation.first_rules import FirstRules, propose_first
from forgeguard_app.evaluation.mirror_source import MirrorSource
from forgeguard_app.evaluation.request import Request
from forgeguard_app.flows.context.owner_policy import owner_settings
from forgeguard_app.flows.context.quotas import QUOTAS
from forgeguard_app.flows.context.repository import mirror_at
from forgeguard_app.flows.context.visibility_lag import retry_until_visible
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.proposals.export_contracts import export_contracts
from forgeguard_app.flows.proposals.open_pull_request import (
    NewFile,
    WantedPullRequest,
    may_open_pull_request,
    open_pull_request,
)
from forgeguard_app.git.command import EMPTY_TREE, GitTooLarge
from forgeguard_app.git.mirror import Mirror, RepositoryGone, read_default_head
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.events import good_ref
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.contracts import list_contracts
from forgeguard_app.store.installations import Installation, find_installation
from forgeguard_app.store.projects import find_project
from forgeguard_app.store.repos import Repo, get_repo
from forgeguard_app.store.states import InstallationStatus, TrialKind, TrialStatus
from forgeguard_app.store.trials import (
    Trial,
    delete_contents_over,
    find_trial,
    hold_trials,
    set_trial_done,
    set_trial_failed,
)

PATIENCE = timedelta(minutes=15)  # somebody looks at the page
log = structlog.get_logger()


async def run_trial(context: WorkerContext, trial_id: UUID) -> None:
    """Do what the trial asks for, and store its result.

    Raises:
        RetryLater: a transient fault; it is tried again.
    """
    async with context.pool.acquire() as connection:
        trial = await find_trial(connection, trial_id)
        if trial is None or trial.status != TrialStatus.PENDING:
            return
        repo = await get_repo(connection, trial.repo_id)
        installation = await find_installation(connection, repo.installation_id)
    try:
        sha, result = await _tried(context, trial, repo, installation)
    except (UserError, RequestRejected, RetryLater, GitTooLarge) as error:
        if isinstance(error, RetryLater) and datetime.now(UTC) - trial.created_at < PATIENCE:
            raise
        reason = _reason(error)
        async with context.pool.acquire() as connection, connection.transaction():
            await set_trial_failed(connection, trial_id, reason)
            await notify_change(connection, repo.id)
        log.info("trial.failed", reason=reason)
        return
    async with context.pool.acquire() as connection, connection.transaction():
        await hold_trials(connection, trial.user_id)
        await set_trial_done(connection, trial_id, sha, result)
        await delete_contents_over(connection, trial.user_id, QUOTAS.trials_of_person)
        await notify_change(connection, repo.id)
    log.info("trial.done", kind=trial.kind)


def _reason(error: Exception) -> str:
    match error:
        case UserError():
            return str(error)
        case GitTooLarge():
            return error.reason
        case _:
            return f"It could not be done: {error}"


@dataclass(frozen=True, slots=True)
class _Head:
    branch: str
    sha: str


async def _tried(
    context: WorkerContext, trial: Trial, repo: Repo, installation: Installation | None
) -> tuple[str, dict[str, Any]]:
    if installation is None or installation.status != InstallationStatus.ACTIVE:
        raise UserError("The App is not active on this repository, so it cannot be read.")
    head = await _head(context, repo, installation)
    async with mirror_at(context, installation, repo, head.sha, trial.id) as mirror:
        match trial.kind:
            case TrialKind.CONFIGURATION:
                return head.sha, await _dry_run(context, trial, repo, installation, mirror, head)
            case TrialKind.FIRST_RULES:
                return head.sha, await _first_rules(context, repo, installation, mirror, head)
            case TrialKind.CONTRACTS:
                return head.sha, await _export(context, trial, repo, installation, mirror, head)
            case _:
                assert_never(trial.kind)


def _request(repo: Repo, installation: Installation, head: _Head) -> Request:
    owner = owner_settings(installation)
    return Request(head.sha, EMPTY_TREE, owner=owner, owner_file=repo.full_name.endswith("/.github"))


async def _dry_run(
    context: WorkerContext, trial: Trial, repo: Repo, installation: Installation, mirror: Mirror, head: _Head
) -> dict[str, Any]:
    request = _request(repo, installation, head)
    overlay = {trial.path or "": (trial.content or "").encode("utf-8", "replace")}
    return await dry_run(context.evaluator, MirrorSource(mirror, request), request, overlay)


async def _first_rules(
    context: WorkerContext, repo: Repo, installation: Installation, mirror: Mirror, head: _Head
) -> dict[str, Any]:
    source = MirrorSource(mirror, _request(repo, installation, head))
    first = await propose_first(context.evaluator, source, head.sha)
    pull = None
    if first.files and may_open_pull_request(installation):
        pull = await open_pull_request(context, installation, repo, mirror, _wanted(head, first))
    return {
        "files": first.files,
        "there": list(first.existing),
        "recorded": first.recorded,
        "undeclared": [shown(module) for module in first.undeclared],
        "overall_result": str(first.report.overall_result),
        "branch": head.branch,
        "pull": pull,
    }


async def _export(
    context: WorkerContext, trial: Trial, repo: Repo, installation: Installation, mirror: Mirror, head: _Head
) -> dict[str, Any]:
    if not may_open_pull_request(installation):
        raise UserError(
            "ForgeGuard was not granted to write contents and pull requests here. Download the contracts as "
            "a zip and add them."
        )
    async with context.pool.acquire() as connection:
        project = await find_project(connection, trial.project_id) if trial.project_id else None
        contracts = await list_contracts(connection, project.id) if project else []
    if project is None or not contracts:
        raise UserError("There are no contracts any more.")
    wanted = export_contracts(
        project, sorted(contracts, key=lambda contract: contract.contract_type), head.sha, head.branch
    )
    pull = await open_pull_request(context, installation, repo, mirror, wanted)
    return {"files": {}, "there": [], "recorded": 0, "undeclared": [], "branch": head.branch, "pull": pull}


async def _head(context: WorkerContext, repo: Repo, installation: Installation) -> _Head:
    try:
        head = await retry_until_visible(context, context.access(installation, repo), read_default_head)
    except RepositoryGone as error:
        raise UserError("ForgeGuard may not read this repository's contents any more.") from error
    if head is None or not good_ref(head.branch):
        raise UserError("The repository has no commit on its default branch yet.")
    return _Head(head.branch, head.sha)


def _wanted(head: _Head, first: FirstRules) -> WantedPullRequest:
    body = (
        "Drawn by ForgeGuard from the imports as they are, so that it is true of this tree and fails no push "
        "by itself. "
        f"{first.recorded} place(s) that go against the order are recorded as known violations. Rename, merge "
        f"and reorder until it says what you mean."
    )
    files = [NewFile(path, text) for path, text in first.files.items()]
    return WantedPullRequest(
        f"forgeguard/first-rules-{head.sha[:10]}", head.sha, head.branch, "Add ForgeGuard's first rules", body, files
    )
