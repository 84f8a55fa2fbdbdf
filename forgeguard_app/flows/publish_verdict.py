"""A stored verdict is published: GitHub comes to hold the three check runs, each annotation once.

What is sent was stored before. Each write is announced in the outbox, so that one whose answer was lost is looked
up and adopted instead of repeated.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from forgeguard_app.audit.model import CHECK_NAMES, CheckCode
from forgeguard_app.errors import Temporary
from forgeguard_app.flows.context import Context
from forgeguard_app.github import check_runs
from forgeguard_app.github.check_runs import MAX_ANNOTATIONS, Annotation, CheckRun, Held
from forgeguard_app.github.client import Refused
from forgeguard_app.github.tokens import NoAccess
from forgeguard_app.store.audits import (
    Run,
    StoredCheck,
    StoredFinding,
    find_newest_run,
    find_run,
    list_checks,
    list_findings,
    set_published,
)
from forgeguard_app.store.check_runs import Outbox, set_sending, set_sent, want_check_runs
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.repos import Repo, get_repo

_UNAUTHORIZED, _UNPROCESSABLE = 401, 422
_GONE = (403, 404, 410)
_ROOM_FOR_MORE = 60_000  # bytes of a summary that gets a sentence added
log = structlog.get_logger()


def check_run_name(code: str) -> str:
    """The name under which the check is required and re-run."""
    return f"ForgeGuard / {code} {CHECK_NAMES[CheckCode(code)]}"


async def publish_verdict(context: Context, run_id: UUID) -> None:
    """Brings GitHub to hold the run's verdict; done twice it changes nothing.

    Raises:
        Temporary: a passing fault; what was sent is known, the rest is to be tried later.
    """
    async with context.pool.acquire() as connection:
        run = await find_run(connection, run_id)
        if run is None or run.overall_result is None or run.published_at is not None:
            return
        repo = await get_repo(connection, run.repo_id)
        installation = await find_installation(connection, repo.installation_id) if repo.installation_id else None
        checks = await list_checks(connection, run_id)
        outbox = {
            row.check_code: row for row in await want_check_runs(connection, run_id, [c.check_code for c in checks])
        }
        newest = await find_newest_run(connection, run.repo_id, run.commit_sha)
        sent = any(row.github_id is not None or row.sending_at is not None for row in outbox.values())
        if newest is not None and newest.id != run.id and not sent:
            # GitHub lets the newest check run hold: an older verdict must not come after a newer one.
            await set_published(connection, run_id)
            log.info("publish.superseded", by=str(newest.id))
            return
    if installation is None:
        log.warning("publish.no_installation")
        return
    try:
        token = await context.tokens.get(installation.github_installation_id, repo.github_repo_id)
        outlet = _Outlet(context, token, run, repo)
        results = await asyncio.gather(
            *(_publish(outlet, check, outbox[check.check_code]) for check in checks),
            return_exceptions=True,
        )
        for problem in results:
            if isinstance(problem, BaseException):
                raise problem
    except NoAccess as error:
        log.warning("publish.no_access", status=error.status)
        return
    except Refused as error:
        if error.status == _UNAUTHORIZED:
            context.tokens.drop(installation.github_installation_id, repo.github_repo_id)
            raise Temporary("the installation token was refused") from error
        if error.status in _GONE:
            log.warning("publish.refused", status=error.status)
            return
        raise
    async with context.pool.acquire() as connection:
        await set_published(connection, run_id)
    log.info("publish.done")


async def announce_progress(context: Context, run: Run, repo: Repo, token: str) -> None:
    """Shows the three check runs as in progress; a fault here costs nothing but that."""
    async with context.pool.acquire() as connection:
        rows = await want_check_runs(connection, run.id, list(CheckCode))
    for row in rows:
        if row.github_id is not None or row.sending_at is not None:
            continue
        wanted = _wanted(context, run, row.check_code)
        await _note_sending(context, run.id, row.check_code)
        try:
            held = await check_runs.create(context.client, token, repo.full_name, check_runs.progress(wanted))
        except (Temporary, Refused) as error:
            log.warning("publish.no_progress", reason=str(error)[:200])
            return
        await _note_sent(context, run.id, row.check_code, held, final=False)


@dataclass(frozen=True)
class _Outlet:
    """Where one run's verdict goes."""

    context: Context
    token: str
    run: Run
    repo: Repo

    async def send(self, code: str, wanted: CheckRun, held: Held | None) -> None:
        """One write where there are at most fifty annotations, one more for each further fifty."""
        client, name = self.context.client, self.repo.full_name
        unfinished = True
        while unfinished:
            await _note_sending(self.context, self.run.id, code)
            if held is None:
                held = await check_runs.create(client, self.token, name, check_runs.creation(wanted))
            else:
                body = check_runs.continuation(wanted, held.annotations)
                held = await check_runs.update(client, self.token, name, held.github_id, body)
            unfinished = held.annotations < len(wanted.annotations)
            await _note_sent(self.context, self.run.id, code, held, final=not unfinished)

    async def held(self, wanted: CheckRun, row: Outbox) -> Held | None:
        """What GitHub holds already; where a write's fate is unknown, GitHub is asked."""
        client, name = self.context.client, self.repo.full_name
        if row.sending_at is None:
            return None if row.github_id is None else Held(row.github_id, row.annotations_sent)
        if row.github_id is not None:
            return await check_runs.get(client, self.token, name, row.github_id)
        return await check_runs.find(client, self.token, name, wanted)


async def _publish(outlet: _Outlet, check: StoredCheck, row: Outbox) -> None:
    if row.published_at is not None:
        return
    wanted = await _final(outlet.context, outlet.run, check)
    try:
        await outlet.send(check.check_code, wanted, await outlet.held(wanted, row))
    except Refused as error:
        if error.status != _UNPROCESSABLE or not wanted.annotations:
            raise
        # GitHub takes no part of a request with one bad annotation; the verdict matters more than its places.
        log.warning("publish.annotations_refused", check=check.check_code, reason=str(error)[:300])
        said = "\n\nGitHub refused the annotations; every finding stands behind the link."
        bare = replace(wanted, annotations=(), summary=check_runs.cut(wanted.summary, _ROOM_FOR_MORE) + said)
        async with outlet.context.pool.acquire() as connection:
            rows = await want_check_runs(connection, outlet.run.id, [check.check_code])
        now = next(one for one in rows if one.check_code == check.check_code)
        await outlet.send(check.check_code, bare, await outlet.held(bare, now))


async def _note_sending(context: Context, run_id: UUID, code: str) -> None:
    async with context.pool.acquire() as connection:
        await set_sending(connection, run_id, code)


async def _note_sent(context: Context, run_id: UUID, code: str, held: Held, *, final: bool) -> None:
    async with context.pool.acquire() as connection:
        await set_sent(connection, run_id, code, held.github_id, held.annotations, final=final)


def _wanted(context: Context, run: Run, code: str) -> CheckRun:
    return CheckRun(
        name=check_run_name(code),
        head_sha=run.commit_sha,
        external_id=str(run.id),
        details_url=context.audit_link(run.id),
        conclusion="",
        title="",
        summary="",
    )


async def _final(context: Context, run: Run, check: StoredCheck) -> CheckRun:
    async with context.pool.acquire() as connection:
        findings = await list_findings(connection, run.id, check.check_code, counted=True, limit=MAX_ANNOTATIONS * 4)
    # Existing secrets are shown to those who may write to the repository, never on the commit.
    shown = [finding for finding in findings if finding.is_new or check.check_code != "W1"]
    summary = check.summary
    if len(shown) > MAX_ANNOTATIONS:
        summary += f"\n\nThe first {MAX_ANNOTATIONS} findings are annotated; all of them stand behind the link."
    return replace(
        _wanted(context, run, check.check_code),
        conclusion=check.conclusion,
        title=check.title,
        summary=summary or check.title,
        annotations=tuple(_annotation(check.check_code, finding) for finding in shown[:MAX_ANNOTATIONS]),
    )


def _annotation(code: str, finding: StoredFinding) -> Annotation:
    return Annotation(
        path=finding.path,
        start_line=finding.line,
        end_line=finding.end_line,
        level=finding.level,
        message=finding.message,
        title=f"{code} {finding.rule}",
    )
