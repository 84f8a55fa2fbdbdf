"""Somebody pressed the button on a failed A4: a pull request that records its findings as known violations.

Done twice it changes nothing: the branch is named after the head, and what is there already is left alone.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote
from uuid import UUID

import structlog

from forgeguard_app.flows.budget import spending
from forgeguard_app.flows.context import Context
from forgeguard_app.flows.outlet import can_record
from forgeguard_app.flows.owner_policy import owner_settings
from forgeguard_app.git.command import EMPTY_TREE
from forgeguard_app.git.mirror import Mirror, Remote
from forgeguard_app.github.client import Refused
from forgeguard_app.github.limits import Need
from forgeguard_app.github.repo_access import RepoAccess
from forgeguard_app.github.tokens import PROPOSE
from forgeguard_app.judging.judge import Request
from forgeguard_app.judging.known_violations import Proposal, propose_known
from forgeguard_app.judging.mirror_source import MirrorSource
from forgeguard_app.store.audits import Run, find_run, list_findings
from forgeguard_app.store.installations import Installation, find_installation
from forgeguard_app.store.repos import Repo, get_repo

MAX_RECORDED = 1_000
_CONFLICT, _UNPROCESSABLE = 409, 422
log = structlog.get_logger()


async def record_violations(context: Context, run_id: UUID) -> None:
    """Opens the pull request onto the run's branch.

    Raises:
        Temporary: a passing fault, or no room in the installation's limits.
        Refused: GitHub does not let us.
    """
    async with context.pool.acquire() as connection:
        run = await find_run(connection, run_id)
        if run is None:
            return
        repo = await get_repo(connection, run.repo_id)
        installation = await find_installation(connection, repo.installation_id) if repo.installation_id else None
        found = await list_findings(connection, run.id, "A4", counted=True, limit=MAX_RECORDED)
    if installation is None or run.branch is None or not can_record(installation, run) or not found:
        log.info("record.nothing")
        return
    proposals = await _proposals(context, run, repo, installation, [(one.rule, one.path) for one in found])
    if proposals:
        access = context.access(installation, repo, PROPOSE)
        async with spending(context, access, Need(2 + len(proposals), 2 + len(proposals), final=False)):
            await _open_pull(access, run, run.branch, proposals)
        log.info("record.proposed", files=len(proposals))


async def _proposals(
    context: Context, run: Run, repo: Repo, installation: Installation, findings: list[tuple[str, str]]
) -> list[Proposal]:
    token = await context.access(installation, repo).token()
    remote = Remote(f"{context.github_url}/{repo.full_name}.git", token.value)
    mirror = Mirror(context.home / "mirrors" / f"{repo.github_repo_id}.git", remote)
    async with mirror.locked():
        fresh = await mirror.prepare()
        await mirror.fetch([run.commit_sha], [], partial=fresh)
        source = MirrorSource(mirror, Request(run.commit_sha, EMPTY_TREE))
        return await propose_known(source, run.commit_sha, owner_settings(installation), findings)


async def _open_pull(access: RepoAccess, run: Run, branch: str, proposals: list[Proposal]) -> None:
    name = f"forgeguard/known-violations-{run.commit_sha[:10]}"
    await _unless_there(access, "POST", "/git/refs", {"ref": f"refs/heads/{name}", "sha": run.commit_sha})
    for proposal in proposals:
        body = {
            "message": f"Record known violations in {proposal.path}",
            "content": base64.b64encode(proposal.text.encode("utf-8", "replace")).decode(),
            "sha": proposal.blob,
            "branch": name,
        }
        await _unless_there(access, "PUT", f"/contents/{quote(proposal.path)}", body)
    said = (
        f"Somebody asked for this on the check run of {run.commit_sha[:10]}. It records what A4 found there as known, so that "
        "it fails no push until it is mended. Each entry can be removed again once its place is clean."
    )
    await _unless_there(
        access, "POST", "/pulls", {"title": "Record known violations", "head": name, "base": branch, "body": said}
    )


async def _unless_there(access: RepoAccess, method: str, path: str, body: dict[str, Any]) -> None:
    """One step; GitHub refuses what an earlier attempt did already."""
    try:
        await access.ask(method, path, body)
    except Refused as error:
        if error.status not in (_CONFLICT, _UNPROCESSABLE):
            raise
        log.info("record.step_refused", step=path, reason=str(error)[:200])
