"""Deletes the oldest data beyond a quota, and measures usage for the operator's page."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Mapping, Sequence

import structlog

from forgeguard_app.flows.context.quotas import QUOTAS, Quotas
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.upkeep.keep_findings import keep_findings
from forgeguard_app.git.mirror import MirrorOnDisk
from forgeguard_app.store.kept_findings import count_findings, find_uncounted, list_repos_over
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.purge import Holder
from forgeguard_app.store.repos import lock_repo
from forgeguard_app.store.storage import (
    MOST_HOLDERS,
    StorageUse,
    delete_excerpts_over,
    delete_logs_over,
    delete_old_uses_of_machines,
    measure,
    set_uses,
)
from forgeguard_app.store.trials import delete_contents_over, hold_trials, list_people_over

MAX_BATCHES = 100
MAX_COUNTED = 2_000  # batches of audits from before findings were counted; the next hour goes on
log = structlog.get_logger()


async def enforce_quotas(pool: Pool, quotas: Quotas = QUOTAS) -> None:
    """Delete logs, findings and source lines beyond the quotas, in batches, and measure what is left."""
    await _delete_findings(pool, quotas)
    await _delete_trials(pool, quotas)
    async with pool.acquire() as connection:
        logs = await _delete_logs(connection, quotas)
        excerpts = await _delete_excerpts(connection, quotas)
        await _measure(connection, quotas)
        await delete_old_uses_of_machines(connection)
    if logs or excerpts:
        log.warning("quotas.kept", logs=logs, excerpts=excerpts)


async def _delete_findings(pool: Pool, quotas: Quotas) -> None:
    async with pool.acquire() as connection:
        for _ in range(MAX_COUNTED):
            repo_id = await find_uncounted(connection)
            if repo_id is None:
                break
            async with connection.transaction():
                await lock_repo(connection, repo_id)
                await count_findings(connection, repo_id)
        over = await list_repos_over(connection, quotas.findings_of_repository, quotas.findings_of_installation)
    for repo_id in over:
        await keep_findings(pool, repo_id, quotas)


async def _delete_trials(pool: Pool, quotas: Quotas) -> None:
    async with pool.acquire() as connection:
        for user_id in await list_people_over(connection, quotas.trials_of_person):
            async with connection.transaction():
                await hold_trials(connection, user_id)
                await delete_contents_over(connection, user_id, quotas.trials_of_person)


async def _delete_logs(connection: Connection, quotas: Quotas) -> int:
    number = 0
    for _ in range(MAX_BATCHES):
        async with connection.transaction():
            gone = await delete_logs_over(
                connection, of_project=quotas.logs_of_project, of_person=quotas.logs_of_person
            )
        number += len(gone)
        if not gone:
            break
    return number


async def _delete_excerpts(connection: Connection, quotas: Quotas) -> int:
    number = 0
    for _ in range(MAX_BATCHES):
        async with connection.transaction():
            gone = await delete_excerpts_over(
                connection, quotas.excerpts_of_repository, quotas.excerpts_of_installation
            )
        number += len(gone)
        if not gone:
            break
    return number


async def _measure(connection: Connection, quotas: Quotas) -> None:
    bounds: dict[str, dict[str, int | None]] = {
        "contract_versions": {"person": quotas.versions_of_person, "project": None},
        "build_logs": {"person": quotas.logs_of_person, "project": quotas.logs_of_project},
        "excerpts": {"installation": quotas.excerpts_of_installation, "repository": quotas.excerpts_of_repository},
        "trials": {"person": quotas.trials_of_person},
        "findings": {"installation": quotas.findings_of_installation, "repository": quotas.findings_of_repository},
    }
    for kind, holders in bounds.items():
        found = [use for holder, quota in holders.items() for use in await measure(connection, kind, holder, quota)]
        whole = [use for use in found if use.holder_kind == "all"]
        async with connection.transaction():
            await set_uses(connection, kind, "", [*whole[:1], *(use for use in found if use.holder_kind != "all")])


def chosen_mirrors(
    mirrors: Sequence[MirrorOnDisk], holders: Mapping[int, Holder], oldest: float, most_bytes: int, most_of_account: int
) -> tuple[list[MirrorOnDisk], list[MirrorOnDisk]]:
    """Return the mirrors that stay and those that go.

    Those go of repositories that left, those unused since `oldest`, and of the others the least recently used until an
    account's take no more than `most_of_account`, and all together no more than `most_bytes`.
    """
    stay, go, room = [], [], most_bytes
    of_account: dict[str, int] = defaultdict(int)
    for mirror in sorted(mirrors, key=lambda item: item.used_at, reverse=True):
        holder = holders.get(mirror.github_repo_id)
        account = holder.account_login if holder else ""
        fits = mirror.size_bytes <= min(room, most_of_account - of_account[account])
        if holder is None or mirror.used_at < oldest or not fits:
            go.append(mirror)
            continue
        room -= mirror.size_bytes
        of_account[account] += mirror.size_bytes
        stay.append(mirror)
    return stay, go


async def measure_mirrors(
    context: WorkerContext, mirrors: Sequence[MirrorOnDisk], holders: Mapping[int, Holder], quotas: Quotas = QUOTAS
) -> None:
    """Store what the mirrors of this machine take."""
    accounts: dict[str, int] = defaultdict(int)
    for mirror in mirrors:
        accounts[holders[mirror.github_repo_id].account_login] += mirror.size_bytes
    largest = sorted(mirrors, key=lambda item: item.size_bytes, reverse=True)[:MOST_HOLDERS]
    uses = [
        StorageUse("mirrors", "all", "", sum(accounts.values()), context.mirrors_max_bytes),
        *(
            StorageUse("mirrors", "installation", name, size, quotas.mirrors_of_installation)
            for name, size in sorted(accounts.items(), key=lambda item: -item[1])[:MOST_HOLDERS]
        ),
        *(
            StorageUse(
                "mirrors",
                "repository",
                holders[mirror.github_repo_id].full_name,
                mirror.size_bytes,
                context.mirror_max_bytes,
            )
            for mirror in largest
        ),
    ]
    async with context.pool.acquire() as connection, connection.transaction():
        await set_uses(connection, "mirrors", f"{socket.gethostname()} {context.home}"[:300], uses)
