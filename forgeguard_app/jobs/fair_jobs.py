"""The choice of a worker's next job: fair among installations, whose jobs are a queue each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from procrastinate import BaseConnector
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from forgeguard_app.store.pool import Pool
from forgeguard_app.store.queue import JobLost, take_next_job

TRIES = 3  # another worker may take a queue's last job between the choice and the taking


class FairJobs(JobManager):
    """Procrastinate's manager, whose workers take the job whose turn it is.

    Jobs have no lock of Procrastinate's here: one that waits and is due may be taken.
    """

    def __init__(self, connector: BaseConnector, pool: Pool, most_slots: int) -> None:
        super().__init__(connector)
        self._pool = pool
        self._most_slots = most_slots

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take the first job of the queue whose turn it is; None where no job is due."""
        for _ in range(TRIES):
            with contextlib.suppress(JobLost):
                async with self._pool.acquire() as connection:
                    row = await take_next_job(connection, worker_id, self._most_slots)
                return None if row is None else Job.from_row(row)
        return None
