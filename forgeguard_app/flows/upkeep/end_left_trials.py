"""Trials whose job failed for good or was lost say so on their page, so that nobody waits for them."""

from __future__ import annotations

import structlog

from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.trials import fail_left_trials

REASON = "ForgeGuard failed at it, and its log says why. Try again, and tell the operator if it fails once more."
log = structlog.get_logger()


async def end_left_trials(context: WorkerContext, after_s: float | None = None) -> None:
    """End the trials that have waited for `after_s` seconds although no job is left for them."""
    after_s = context.timings.stranded_s if after_s is None else after_s
    async with context.pool.acquire() as connection, connection.transaction():
        repo_ids = await fail_left_trials(connection, after_s, REASON)
        for repo_id in repo_ids:
            await notify_change(connection, repo_id)
    if repo_ids:
        log.warning("trials.ended", repositories=len(repo_ids))
