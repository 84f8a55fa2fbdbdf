"""Runs whose work was lost, whatever lost it, get their job again: nothing waits for ever."""

from __future__ import annotations

import structlog

from forgeguard_app.flows.context import Context
from forgeguard_app.store.queue import enqueue
from forgeguard_app.store.run_order import list_stranded

AT_ONCE = 500
log = structlog.get_logger()


async def take_up_stranded(context: Context, after_s: float | None = None) -> int:
    """Enqueues what stranded runs want, and gives their number."""
    async with context.pool.acquire() as connection, connection.transaction():
        stranded = await list_stranded(connection, context.pace.stranded_s if after_s is None else after_s, AT_ONCE)
        for one in stranded:
            await enqueue(connection, one.task, {"run_id": str(one.run_id)})
    if stranded:
        log.warning("runs.taken_up", number=len(stranded))
    return len(stranded)
