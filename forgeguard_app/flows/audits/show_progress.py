"""Shows the check runs of an audit that takes longer than most as in progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import structlog

from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.publishing.publish_verdict import announce_progress
from forgeguard_app.store.audits import AuditRun, Verdict
from forgeguard_app.store.installations import Installation
from forgeguard_app.store.repos import Repo

END_S = 15.0  # for cancelled work: git is killed, and reaped within a part of it
log = structlog.get_logger()


async def show_progress(
    context: WorkerContext, run: AuditRun, repo: Repo, installation: Installation, work: Awaitable[Verdict]
) -> Verdict:
    """Return the work's verdict. A quick audit costs no extra write; a longer one is shown as in progress.

    However this ends, the work has ended too, because the mirror's lock is released after it.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=context.timings.quick_s)
        if not task.done():
            await announce_progress(context, run, repo, installation)
        return await task
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=END_S)
        if not task.done():
            log.error("audit.left_behind", run_id=str(run.id), end_s=END_S)
