"""The rank of a head's audit among the jobs of its installation; a re-run ranks as the push of its branch did."""

from __future__ import annotations

from forgeguard_app.flows.context.jobs import Priority
from forgeguard_app.store.audits import AuditRun, NewRun
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.queue import find_rank
from forgeguard_app.store.states import Trigger

RANKS = (Priority.DEFAULT_BRANCH, Priority.PULL_REQUEST, Priority.OTHER)


async def rank_of(connection: Connection, run: NewRun | AuditRun) -> int:
    """Return the rank of the run's audit."""
    if run.trigger == Trigger.MERGE_GROUP:
        return Priority.MERGE_GROUP
    return await find_rank(connection, run.repo_id, run.branch, RANKS)
