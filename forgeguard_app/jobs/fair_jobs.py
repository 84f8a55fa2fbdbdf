"""The choice of a worker's next job: fair among installations, whose jobs are a queue each."""

from __future__ import annotations

from collections.abc import Iterable

from procrastinate import BaseConnector
from procrastinate.jobs import Job
from procrastinate.manager import JobManager

from forgeguard_app.store.pool import Pool
from forgeguard_app.store.queue import choose_queue

TRIES = 3  # another worker may take a queue's last job between the choice and its fetch


class FairJobs(JobManager):
    """Procrastinate's own fetch, told which queue's turn it is."""

    def __init__(self, connector: BaseConnector, pool: Pool, most_slots: int) -> None:
        super().__init__(connector)
        self._pool = pool
        self._most_slots = most_slots

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Return the first job of the queue whose turn it is; None where no job is due."""
        for _ in range(TRIES):
            async with self._pool.acquire() as connection:
                queue = await choose_queue(connection, worker_id, self._most_slots)
            if queue is None:
                return None
            job = await super().fetch_job([queue], worker_id)
            if job is not None:
                return job
        return None
