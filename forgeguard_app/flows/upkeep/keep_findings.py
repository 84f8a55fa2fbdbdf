"""Deletes the findings of the audits that go first, as soon as a repository or its installation passes its quota."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from uuid import UUID

import structlog

from forgeguard_app.flows.context.quotas import QUOTAS, Quotas
from forgeguard_app.store.kept_findings import (
    KeptRun,
    delete_findings,
    find_use,
    list_first_to_go,
    list_repos_of,
    set_finding_bytes,
)
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.repos import lock_repo

FREED_SHARE = 8  # of a quota an eighth is freed at once, so that not every verdict looks for what goes
BYTES_AT_ONCE = 8 << 20  # deleted while the repository is held
MAX_BATCHES = 200
log = structlog.get_logger()


async def keep_findings(pool: Pool, repo_id: UUID, quotas: Quotas = QUOTAS) -> None:
    """Delete findings of the repository, or of all repositories of its installation, beyond their quotas."""
    number = 0
    async with pool.acquire() as connection:
        use = await find_use(connection, repo_id)
        if use is not None and use.of_repository > quotas.findings_of_repository:
            number += await _delete_beyond(connection, [repo_id], quotas.findings_of_repository)
            use = await find_use(connection, repo_id)
        if use is not None and use.installation_id and use.of_installation > quotas.findings_of_installation:
            repo_ids = await list_repos_of(connection, use.installation_id)
            number += await _delete_beyond(connection, repo_ids, quotas.findings_of_installation)
    if number:
        log.warning("findings.deleted", audits=number)


async def _delete_beyond(connection: Connection, repo_ids: Collection[UUID], quota_bytes: int) -> int:
    """Delete until seven eighths of the quota are taken, and return the number of audits."""
    number = 0
    for _ in range(MAX_BATCHES):
        runs = await list_first_to_go(connection, repo_ids, quota_bytes - quota_bytes // FREED_SHARE)
        for batch in _batches(runs):
            async with connection.transaction():
                await lock_repo(connection, batch[0].repo_id)
                await delete_findings(connection, batch[0].repo_id, [run.id for run in batch])
        number += len(runs)
        if not runs:
            break
    if not number:  # audits were deleted beside, with their repository's installation
        for repo_id in repo_ids:
            async with connection.transaction():
                await lock_repo(connection, repo_id)
                await set_finding_bytes(connection, repo_id)
    return number


def _batches(runs: Sequence[KeptRun]) -> Iterator[list[KeptRun]]:
    """Return the runs by repository, each time so many that their deletion is short."""
    for _, of_repo in groupby(sorted(runs, key=lambda run: run.repo_id), key=lambda run: run.repo_id):
        batch: list[KeptRun] = []
        for run in of_repo:
            if batch and sum(item.finding_bytes for item in batch) + run.finding_bytes > BYTES_AT_ONCE:
                yield batch
                batch = []
            batch.append(run)
        yield batch
