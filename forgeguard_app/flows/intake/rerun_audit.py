"""A head is audited once more for each of its targets, under today's rules.

The budgets of who asks and of the installation bound it. A request beyond them is deferred, where nobody waits for an
answer, and a person's request that could not be answered within MAX_WAIT is refused.

Requests for a head within five seconds are one, and so are those that come while its re-run is deferred.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.intake.rerun_budget import BUDGET, is_beyond, window_start
from forgeguard_app.flows.intake.start_run import start_run
from forgeguard_app.flows.intake.wanted_runs import run_again
from forgeguard_app.store.audits import AuditRun, asked_again_lately, find_newest_run, find_run
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.commit_targets import find_commit_targets
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.repos import find_repo, lock_repo
from forgeguard_app.store.reruns import (
    NewRequest,
    RerunBudget,
    Spent,
    drop_deferred,
    drop_request,
    find_deferred,
    find_due,
    insert_request,
    lock_spent,
    set_request_refused,
    set_started,
)

SAME_REQUEST_S = 5


class TooManyReruns(UserError):
    """The person, or the account, has no re-run left; `again_s` is in how many seconds there is one."""

    def __init__(self, again_s: int) -> None:
        minutes = math.ceil(again_s / 60)
        super().__init__(
            f"You or this account asked for as many re-runs as an hour allows ({BUDGET.of_person} a person, "
            f"{BUDGET.of_installation} an account, of which the last {BUDGET.reserved} are for people who asked for "
            f"fewer than {BUDGET.few}). Ask again in {minutes} minute{'s' if minutes != 1 else ''}."
        )
        self.again_s = again_s


async def rerun_audit(pool: Pool, former: AuditRun, asked_by: int, budget: RerunBudget = BUDGET) -> UUID:
    """Return the run that answers a person's request: a new one, or the one that was just asked for.

    Raises:
        TooManyReruns: the budget is spent.
    """
    async with pool.acquire() as connection, connection.transaction():
        await lock_repo(connection, former.repo_id)
        if await asked_again_lately(connection, former.repo_id, former.commit_sha, SAME_REQUEST_S):
            newest = await find_newest_run(connection, former.repo_id, former.commit_sha)
            return newest.id if newest else former.id
        spent = await lock_spent(connection, former.repo_id, asked_by, budget)
        wait_s = (window_start(spent) - spent.now).total_seconds()
        if wait_s > 0:
            raise TooManyReruns(math.ceil(wait_s))
        await drop_deferred(connection, former.repo_id, former.commit_sha)  # this one answers it
        run_id = await _start(connection, former, None, None)
        await insert_request(connection, NewRequest(former.repo_id, former.commit_sha, asked_by, spent.now, run_id))
        return run_id


@dataclass(frozen=True, slots=True)
class RerunRequest:
    """The outcome of a request: its run, None where it is deferred or refused; `is_new` is False where the same one
    waits already, and where it is refused.
    """

    run_id: UUID | None
    is_new: bool


async def start_or_defer(
    connection: Connection,
    former: AuditRun,
    asked_by: int | None,
    delivery: tuple[UUID, str] | None = None,
    budget: RerunBudget = BUDGET,
) -> RerunRequest:
    """Start a re-run, or defer it until there is room for it; a delivery's is refused where that is too far ahead.

    Wants a transaction that holds the repository. `delivery` is the press of a button that asked, by our key and by
    GitHub's; without one the re-run follows from something else, of which nobody would know that it was refused.
    """
    spent = await lock_spent(connection, former.repo_id, asked_by, budget)
    due_at = window_start(spent)
    if due_at > spent.now:
        new = NewRequest(former.repo_id, former.commit_sha, asked_by, due_at, None)
        return RerunRequest(None, await _defer(connection, former, new, spent, may_refuse=delivery is not None))
    await drop_deferred(connection, former.repo_id, former.commit_sha)  # this one answers it
    run_id = await _start(connection, former, *(delivery or (None, None)))
    await insert_request(connection, NewRequest(former.repo_id, former.commit_sha, asked_by, spent.now, run_id))
    return RerunRequest(run_id, is_new=True)


async def _defer(connection: Connection, former: AuditRun, new: NewRequest, spent: Spent, *, may_refuse: bool) -> bool:
    """Return whether the re-run was deferred; False where it was before, or where the request is refused."""
    deferred_to = await find_due(connection, new.repo_id, new.commit_sha)
    if deferred_to is not None and deferred_to <= new.due_at:
        return False
    if deferred_to is None and may_refuse and is_beyond(new.due_at, spent):
        await set_request_refused(connection, former.id)
        return False
    await drop_deferred(connection, new.repo_id, new.commit_sha)  # this one comes earlier
    request_id = await insert_request(connection, new)
    job = Job(Task.START_RERUN, request_id, also=(("former_run_id", str(former.id)),))
    await enqueue_job(connection, job, delay=new.due_at - spent.now)
    return True


async def start_rerun(context: WorkerContext, request_id: UUID) -> None:
    """Start a re-run that was deferred, unless its repository was removed meanwhile."""
    async with context.pool.acquire() as connection, connection.transaction():
        deferred = await find_deferred(connection, request_id)
        if deferred is None:
            return
        repo_id, commit_sha = deferred
        await lock_repo(connection, repo_id)
        former = await find_newest_run(connection, repo_id, commit_sha)
        if former is None or await find_repo(connection, repo_id) is None:
            await drop_request(connection, request_id)
        elif await find_deferred(connection, request_id) is not None:
            await set_started(connection, request_id, await _start(connection, former, None, None))


async def _start(
    connection: Connection, former: AuditRun, delivery_key: UUID | None, github_delivery_id: str | None
) -> UUID:
    """Start a run for each target of the commit; return the one for the target of `former`, else the first."""
    present = (await find_commit_targets(connection, former.repo_id, former.commit_sha)).list_present()
    targets = {run.id: None if run.is_undecided else run.target for run in present} or {former.id: None}
    started: dict[UUID, UUID] = {}
    for run_id, target in targets.items():
        run = former if run_id == former.id else await find_run(connection, run_id)
        if run is not None:
            key = None if started else delivery_key  # a delivery is the cause of one run at most
            started[run_id] = await start_run(connection, run_again(run, key, target), github_delivery_id)
    await notify_change(connection, former.repo_id)
    return started.get(former.id, next(iter(started.values())))
