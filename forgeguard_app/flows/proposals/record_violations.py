"""Somebody pressed the button on a failed boundary check: a pull request that records its findings as known violations.

Done twice it changes nothing: the branch is named after the head, and what is there already is left alone.
"""

from __future__ import annotations

from uuid import UUID

import structlog

from forgeguard_app.audit.check_kinds import kind_with
from forgeguard_app.audit.check_settings import BOUNDARIES
from forgeguard_app.evaluation.known_violations import Proposal, propose_known
from forgeguard_app.evaluation.mirror_source import MirrorSource
from forgeguard_app.evaluation.request import Request
from forgeguard_app.flows.context.owner_policy import owner_settings
from forgeguard_app.flows.context.repository import mirror_at
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.proposals.open_pull_request import NewFile, WantedPullRequest, open_pull_request
from forgeguard_app.flows.publishing.check_run_writer import can_record
from forgeguard_app.git.command import EMPTY_TREE
from forgeguard_app.store.audit_findings import list_findings
from forgeguard_app.store.audits import AuditRun, find_run
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.repos import get_repo

MAX_RECORDED = 1_000
_RECORDED = kind_with(BOUNDARIES).code
log = structlog.get_logger()


async def record_violations(context: WorkerContext, run_id: UUID) -> None:
    """Open a pull request onto the run's branch that records what the run found as known.

    Raises:
        RetryLater: a transient fault, or no room in the installation's limits.
        RequestRejected: GitHub does not let us.
    """
    async with context.pool.acquire() as connection:
        run = await find_run(connection, run_id)
        if run is None:
            return
        repo = await get_repo(connection, run.repo_id)
        installation = await find_installation(connection, repo.installation_id)
        found = await list_findings(connection, run.id, _RECORDED, counted=True, limit=MAX_RECORDED)
    if installation is None or run.branch is None or not can_record(installation, run) or not found:
        log.info("record.nothing")
        return
    findings = [(finding.rule, finding.path) for finding in found]
    async with mirror_at(context, installation, repo, run.commit_sha, run.id) as mirror:
        source = MirrorSource(mirror, Request(run.commit_sha, EMPTY_TREE))
        proposals = await propose_known(source, run.commit_sha, owner_settings(installation), findings)
        if proposals:
            await open_pull_request(context, installation, repo, mirror, _wanted(run, run.branch, proposals))
            log.info("record.proposed", files=len(proposals))


def _wanted(run: AuditRun, branch: str, proposals: list[Proposal]) -> WantedPullRequest:
    files = [NewFile(proposal.path, proposal.text) for proposal in proposals]
    body = (
        f"Somebody asked for this on the check run of {run.commit_sha[:10]}. It records what {_RECORDED} found there "
        f"as known, so that "
        "it fails no push until it is fixed. Each entry can be removed again once its place is clean."
    )
    name = f"forgeguard/known-violations-{run.commit_sha[:10]}"
    return WantedPullRequest(name, run.commit_sha, branch, "Record known violations", body, files)
