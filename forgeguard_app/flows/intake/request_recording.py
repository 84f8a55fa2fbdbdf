"""A press of "Record as known" gets its job, within the budget of re-runs, because it costs as much as one.

Presses on one run while its job waits, or within five seconds, are one. One that could not be answered within MAX_WAIT
is refused, as the page of the run says.
"""

from __future__ import annotations

from forgeguard_app.flows.context.jobs import Job, Task, enqueue_job
from forgeguard_app.flows.intake.rank_heads import rank_of
from forgeguard_app.flows.intake.rerun_audit import SAME_REQUEST_S
from forgeguard_app.flows.intake.rerun_budget import BUDGET, is_beyond, window_start
from forgeguard_app.flows.intake.wanted_runs import run_again
from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.reruns import NewRequest, insert_request, is_recording, lock_spent, set_request_refused


async def request_recording(
    connection: Connection, run: AuditRun, asked_by: int | None, github_delivery_id: str
) -> None:
    """Enqueue the pull request that records the run's findings, at once or when the budget has room for it.

    Wants a transaction that holds the repository. `asked_by` is a GitHub id.
    """
    if await is_recording(connection, run.id, Task.RECORD_VIOLATIONS, SAME_REQUEST_S):
        return
    spent = await lock_spent(connection, run.repo_id, asked_by, BUDGET)
    due_at = window_start(spent)
    if is_beyond(due_at, spent):
        await set_request_refused(connection, run.id)
        return
    await insert_request(connection, NewRequest(run.repo_id, run.commit_sha, asked_by, due_at, run.id))
    job = Job(Task.RECORD_VIOLATIONS, run.id, await rank_of(connection, run_again(run)), github_delivery_id)
    await enqueue_job(connection, job, delay=due_at - spent.now)
