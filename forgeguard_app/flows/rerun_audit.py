"""A person asks for an audit once more: the same head under today's rules. Requests within five seconds are one."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.flows.rank_heads import rank_of
from forgeguard_app.flows.receive_delivery import SAME_REQUEST_S
from forgeguard_app.flows.wanted_runs import run_again
from forgeguard_app.store.audits import Run, asked_again_lately, find_newest_run, insert_run
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.queue import enqueue
from forgeguard_app.store.repos import lock_repo


async def rerun_audit(pool: Pool, former: Run) -> UUID:
    """The run that answers the request: a new one, or the one that was just asked for."""
    async with pool.acquire() as connection, connection.transaction():
        await lock_repo(connection, former.repo_id)
        if await asked_again_lately(connection, former.repo_id, former.commit_sha, SAME_REQUEST_S):
            newest = await find_newest_run(connection, former.repo_id, former.commit_sha)
            return newest.id if newest else former.id
        run = run_again(former)
        run_id = await insert_run(connection, run)
        await enqueue(connection, "audit_commit", {"run_id": str(run_id)}, priority=await rank_of(connection, run))
        await notify_change(connection, former.repo_id)
        return run_id
