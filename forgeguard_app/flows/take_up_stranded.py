"""Runs whose work was lost, whatever lost it, get their job again: nothing waits for ever."""

from __future__ import annotations

import structlog

from forgeguard_app.flows.context import Context
from forgeguard_app.store.audits import list_stranded
from forgeguard_app.store.queue import enqueue

STRANDED_AFTER_S = 300
AT_ONCE = 500
log = structlog.get_logger()


async def take_up_stranded(context: Context, after_s: int = STRANDED_AFTER_S) -> int:
    """Enqueues what stranded runs want, and gives their number."""
    async with context.pool.acquire() as connection, connection.transaction():
        stranded = await list_stranded(connection, after_s, AT_ONCE)
        for one in stranded:
            await enqueue(connection, one.task, {"run_id": str(one.run_id)})
    if stranded:
        log.warning("runs.taken_up", number=len(stranded))
    return len(stranded)
