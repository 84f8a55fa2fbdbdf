"""Which checks GitHub requires is asked apart from everything else: no verdict and no look at heads waits for its
answer.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import structlog

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.rate_budget import reserve
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.limits import Cost
from forgeguard_app.github.required import REQUESTS, list_required
from forgeguard_app.github.tokens import LOOK
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.repos import claim_required, get_repo, set_required_checks
from forgeguard_app.store.states import InstallationStatus

ANSWER_S = 10.0  # a question beside the point is not worth more
AT_ONCE = 50
AGAIN_SHARE = 12  # what GitHub did not answer is asked so many times more often
log = structlog.get_logger()


async def read_all_required(context: WorkerContext) -> None:
    """Ask for the repositories whose required checks were not read for long, one after the other."""
    while True:
        async with context.pool.acquire() as connection:
            again_s = context.timings.heads_s / AGAIN_SHARE
            claimed = await claim_required(connection, context.timings.heads_s, again_s, AT_ONCE)
        for repo_id in claimed:
            await read_required_checks(context, repo_id)
        if len(claimed) < AT_ONCE:
            return


async def read_required_checks(context: WorkerContext, repo_id: UUID) -> None:
    """Store which checks GitHub requires on the repository's default branch; where it does not answer, nothing
    changes.
    """
    async with context.pool.acquire() as connection:
        repo = await get_repo(connection, repo_id)
        installation = await find_installation(connection, repo.installation_id)
    if installation is None or installation.status != InstallationStatus.ACTIVE:
        return
    access = context.access(installation, repo, LOOK)
    try:
        async with asyncio.timeout(ANSWER_S), reserve(context, access, Cost(1 + REQUESTS, 0, final=False)):
            names = await list_required(access, repo.default_branch)
    except (RetryLater, RequestRejected, TimeoutError) as error:
        log.info("required.unanswered", repo_id=str(repo_id), reason=str(error) or type(error).__name__)
        return
    async with context.pool.acquire() as connection:
        await set_required_checks(connection, repo_id, repo.default_branch, names)
