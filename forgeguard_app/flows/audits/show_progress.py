"""Shows the check runs of an audit that takes longer than most as in progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import structlog

from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.publishing.publish_verdict import announce_progress
from forgeguard_app.store.audits import AuditRun, Verdict
from forgeguard_app.store.commit_targets import find_commit_targets
from forgeguard_app.store.installations import Installation
from forgeguard_app.store.repos import Repo
from forgeguard_app.store.states import Trigger

END_S = 15.0  # for cancelled work: git is killed, and reaped within a part of it
log = structlog.get_logger()


async def show_progress(
    context: WorkerContext, run: AuditRun, repo: Repo, installation: Installation, work: Awaitable[Verdict]
) -> Verdict:
    """Return the work's verdict. A quick audit costs no extra write; a longer one is shown as in progress.

    One that a pull request brought to a commit with a verdict is shown at once, however quick it is: what GitHub shows
    of the commit until then is for other targets, and lets nobody merge into this one.

    However this ends, the work has ended too, because the mirror's lock is released after it.
    """
    task = asyncio.ensure_future(work)
    try:
        quick_s = 0.0 if await _has_other_verdict(context, run) else context.timings.quick_s
        await asyncio.wait({task}, timeout=quick_s)
        if not task.done():
            await announce_progress(context, run, repo, installation)
        return await task
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=END_S)
        if not task.done():
            log.error("audit.left_behind", run_id=str(run.id), end_s=END_S)


async def _has_other_verdict(context: WorkerContext, run: AuditRun) -> bool:
    """Return whether a pull request brought the run to a commit of which GitHub shows the verdict for other targets."""
    if run.trigger != Trigger.PULL_REQUEST:
        return False
    async with context.pool.acquire() as connection:
        targets = await find_commit_targets(connection, run.repo_id, run.commit_sha)
    return any(other.is_published and other.id != run.id for other in targets.runs)
