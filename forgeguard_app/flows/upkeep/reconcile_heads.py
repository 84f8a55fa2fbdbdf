"""A repository's heads are compared with our verdicts: what no event told of is audited all the same.

That covers pushes whose delivery GitHub never made (past 25 MB, more than 5,000 branches at once) or that was lost
past the window of its log.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import structlog

from forgeguard_app.flows.context.jobs import Job, Priority, Task, enqueue_job
from forgeguard_app.flows.context.rate_budget import reserve
from forgeguard_app.flows.context.repo_records import stored_pull
from forgeguard_app.flows.context.visibility_lag import retry_until_visible
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.intake.follow_pull import close_lost_pull, follow_listed_pull, start_missing_targets
from forgeguard_app.flows.intake.wanted_runs import Heads, runs_of_heads
from forgeguard_app.git.mirror import DefaultHead, RepositoryGone, read_default_head
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.events import PullRequest, good_ref
from forgeguard_app.github.installations import MAX_PULLS, get_pull, list_pulls
from forgeguard_app.github.limits import Cost
from forgeguard_app.github.repo_access import RepoAccess
from forgeguard_app.github.tokens import LOOK
from forgeguard_app.store.audits import insert_run
from forgeguard_app.store.commit_targets import MERGE_QUEUE_PREFIX, AuditTarget, list_evaluated_targets
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.pulls import list_left_out
from forgeguard_app.store.repos import claim_unchecked, get_database_time, get_repo, lock_repo, set_default_branch
from forgeguard_app.store.run_order import find_branch_start
from forgeguard_app.store.states import InstallationStatus

AT_ONCE = 500
PULLS_AT_ONCE = 50
MAX_ASKED = 20  # pull requests of one look that are asked for by their numbers
log = structlog.get_logger()


async def enqueue_due_heads(context: WorkerContext) -> None:
    """Enqueue the repositories whose heads were not looked at for long."""
    async with context.pool.acquire() as connection, connection.transaction():
        for repo_id in await claim_unchecked(connection, context.timings.heads_s, AT_ONCE):
            await enqueue_job(connection, Job(Task.RECONCILE_HEADS, repo_id, Priority.LOOK))


async def reconcile_heads(context: WorkerContext, repo_id: UUID, most_pulls: int = MAX_PULLS) -> None:
    """Start the audits that the repository's heads lack.

    An open pull request that GitHub's list leaves out is asked for by its number before it counts as closed; where the
    list was cut, none is.

    Raises:
        RetryLater: a transient fault, or no room in the installation's limits.
    """
    async with context.pool.acquire() as connection:
        repo = await get_repo(connection, repo_id)
        installation = await find_installation(connection, repo.installation_id)
    if installation is None or installation.status != InstallationStatus.ACTIVE:
        return
    access = context.access(installation, repo, LOOK)
    try:
        groups = f"{MERGE_QUEUE_PREFIX}*"
        default = await retry_until_visible(context, access, lambda remote: read_default_head(remote, groups))
    except (RequestRejected, RepositoryGone) as error:
        log.info("heads.refused", reason=str(error))
        return
    if default is None or not good_ref(default.branch):
        return
    # What git tells waits for no answer about pull requests, which GitHub may owe for long.
    await _start_missing(context, Heads(repo.id, repo.github_repo_id, *_parts(default, [])))
    try:
        async with reserve(context, access, Cost(2, 0, final=False)):
            async with context.pool.acquire() as connection:
                listed_at = await get_database_time(connection)
            listed = await list_pulls(access, most_pulls)
    except RequestRejected as error:
        log.info("heads.no_pulls", reason=str(error))
        return
    if listed.is_cut:
        log.warning("heads.cut", pulls=len(listed.items))
        context.counts.add("cut_lists", "pull requests of a repository")
    pulls = [pull for pull in listed.items if good_ref(pull.head.ref) and good_ref(pull.base.ref)]
    # Pushes to the repository wait for its row: it is held for a few pull requests at a time. Those of one head are
    # together as a rule; where they are not, the later ones start what is missing then.
    pulls.sort(key=lambda pull: pull.head.sha)
    for first in range(0, len(pulls), PULLS_AT_ONCE):
        batch = pulls[first : first + PULLS_AT_ONCE]
        await _start_missing(context, Heads(repo.id, repo.github_repo_id, *_parts(default, batch)))
    if not listed.is_cut:
        await _ask_about_left_out(context, access, repo_id, [pull.number for pull in listed.items], listed_at)


async def _ask_about_left_out(
    context: WorkerContext, access: RepoAccess, repo_id: UUID, listed: list[int], listed_at: datetime
) -> None:
    """Take in what GitHub says of each of them; of more than `MAX_ASKED`, others are asked about at the next look.

    Raises:
        RetryLater: a transient fault, or no room in the installation's limits.
    """
    async with context.pool.acquire() as connection:
        left_out = await list_left_out(connection, repo_id, listed, listed_at)
    for number in random.sample(left_out, min(len(left_out), MAX_ASKED)):
        try:
            async with reserve(context, access, Cost(1, 0, final=False)):
                async with context.pool.acquire() as connection:
                    asked_at = await get_database_time(connection)
                pull = await get_pull(access, number)
        except RequestRejected as error:
            log.info("heads.no_pull", number=number, reason=str(error))
            return
        async with context.pool.acquire() as connection, connection.transaction():
            await lock_repo(connection, repo_id)
            if pull is None:
                await close_lost_pull(connection, repo_id, number, asked_at)
            else:
                await follow_listed_pull(connection, repo_id, stored_pull(pull))


def _parts(default: DefaultHead, pulls: list[PullRequest]) -> tuple[tuple[str, str], list[PullRequest], dict[str, str]]:
    return (default.branch, default.sha), pulls, default.branches


def _aims_known(pull: PullRequest, heads: Heads, known: Mapping[str, frozenset[AuditTarget]]) -> bool:
    """Return whether the pull request's head has a run for its base; one without any run gets its first here."""
    fork = pull.head.repo is None or pull.head.repo.id != heads.github_repo_id
    targets = known.get(pull.head.sha)
    return targets is None or AuditTarget(pull.base.ref, fork) in targets


async def _start_missing(context: WorkerContext, heads: Heads) -> None:
    shas = [
        *(pull.head.sha for pull in heads.pulls),
        *heads.groups.values(),
        *(heads.default[1:] if heads.default else ()),
    ]
    async with context.pool.acquire() as connection, connection.transaction():
        await lock_repo(connection, heads.repo_id)
        if heads.default is not None:
            await set_default_branch(connection, heads.repo_id, heads.default[0])
        for pull in heads.pulls:
            await follow_listed_pull(connection, heads.repo_id, stored_pull(pull))
        start = await find_branch_start(connection, heads.repo_id, heads.default[0]) if heads.default else None
        fresh = start is not None and not start.drawn and start.first_push_id is None
        known = await list_evaluated_targets(connection, heads.repo_id, shas)
        wanted = runs_of_heads(heads, known, fresh=fresh)
        for run in wanted:
            run_id = await insert_run(connection, run)
            await enqueue_job(connection, Job(Task.AUDIT_COMMIT, run_id, Priority.FOUND_HEAD))
        for sha in {pull.head.sha for pull in heads.pulls if not _aims_known(pull, heads, known)}:
            await start_missing_targets(connection, heads.repo_id, sha)
    if wanted:
        log.warning("heads.found", number=len(wanted))
