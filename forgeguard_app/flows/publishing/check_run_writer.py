"""Writes one run's verdict to GitHub: the wanted state of each check run, and each write with its fate recorded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from forgeguard_app.audit.check_kinds import kind_of
from forgeguard_app.audit.model import Result
from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.github import check_runs
from forgeguard_app.github.check_runs import MAX_ANNOTATIONS, Annotation, CheckRun, CheckRunAction, RemoteCheckRun
from forgeguard_app.github.client import CommitNotFound, GitHubUnavailable, NothingDone, RequestRejected
from forgeguard_app.github.repo_access import RepoAccess
from forgeguard_app.store.audit_findings import StoredCheck, StoredFinding, list_annotations
from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.check_runs import OutboxRow, list_outbox, set_not_sent, set_sending, set_sent, set_settled
from forgeguard_app.store.installations import Installation
from forgeguard_app.store.repos import Repo
from forgeguard_app.store.states import Trigger

UNPROCESSABLE = 422
_ROOM_FOR_MORE = 60_000  # bytes of a summary that gets a sentence added
RECORD_KNOWN = CheckRunAction("Record as known", "Open a pull request that allows these", "record_known")
_Note = Callable[..., Awaitable[None]]
log = structlog.get_logger()


def check_run_name(code: str) -> str:
    """Return the name under which the check is required and re-run."""
    return f"ForgeGuard / {code} {kind_of(code).name}"


def may_be_on_github(row: OutboxRow) -> bool:
    """Return whether GitHub holds the check run, or may hold it."""
    return row.github_id is not None or row.sending_s is not None


@dataclass(frozen=True)
class CheckRunWriter:
    """A writer of the check runs of one audit run."""

    context: WorkerContext
    access: RepoAccess
    audit_run: AuditRun
    repo: Repo
    installation: Installation

    async def send(self, code: str, wanted: CheckRun, remote: RemoteCheckRun | None) -> None:
        """Write once where there are at most fifty annotations, once more for each further fifty."""
        unfinished = remote is None or not remote.completed or remote.annotations < len(wanted.annotations)
        if remote is not None and not unfinished:
            await self._note(set_sent, code, remote.github_id, remote.annotations, final=True)
        while unfinished:
            body = (
                check_runs.creation(wanted) if remote is None else check_runs.continuation(wanted, remote.annotations)
            )
            remote = await self.write(code, remote, body, enough=len(wanted.annotations))
            unfinished = remote.annotations < len(wanted.annotations)

    async def write(
        self, code: str, remote: RemoteCheckRun | None, body: dict[str, object], enough: int | None = None
    ) -> RemoteCheckRun:
        """Return one write, announced before it leaves; its answer is stored, or what is known of its fate."""
        async with self.context.pool.acquire() as connection:
            if not await set_sending(connection, self.audit_run.id, code, remote.github_id if remote else None):
                raise RetryLater("another worker writes this", delay_s=self.context.timings.retry_s)
        sent = (remote.annotations if remote else 0) + len(_annotations_of(body))
        try:
            if remote is None:
                remote = await check_runs.create(self.access, body)
            else:
                remote = await check_runs.update(self.access, remote.github_id, body)
            # GitHub took the request, and the whole of it, whatever it has counted yet.
            remote = replace(remote, annotations=max(remote.annotations, sent))
        except (RequestRejected, NothingDone):
            await self._note(set_not_sent, code)
            raise
        except GitHubUnavailable as error:
            if error.answered:
                await self._note(set_settled, code)
            raise
        final = enough is not None and remote.annotations >= enough
        await self._note(set_sent, code, remote.github_id, remote.annotations, final=final)
        return remote

    async def find_remote(self, wanted: CheckRun, row: OutboxRow) -> RemoteCheckRun | None:
        """Return the check run as GitHub holds it; where a write's fate is unknown, GitHub is asked, and its answer
        recorded.

        Else a refusal of the next write would make us forget the run that was just found, and make another.
        """
        if row.sending_s is None:
            return (
                None if row.github_id is None else RemoteCheckRun(row.github_id, row.annotations_sent, completed=False)
            )
        if row.github_id is not None:
            found: RemoteCheckRun | None = await check_runs.get(self.access, row.github_id)
        else:
            found = await check_runs.find(self.access, wanted)
        if found is None:
            await self._note(set_not_sent, row.check_code)
        else:
            await self._note(set_sent, row.check_code, found.github_id, found.annotations, final=False)
        return found

    async def _note(self, what: _Note, code: str, *values: int, **flags: bool) -> None:
        async with self.context.pool.acquire() as connection:
            await what(connection, self.audit_run.id, code, *values, **flags)


def _annotations_of(body: dict[str, object]) -> Sequence[object]:
    output = body.get("output")
    found = output.get("annotations", ()) if isinstance(output, dict) else ()
    return found if isinstance(found, list) else ()


async def publish_check(writer: CheckRunWriter, wanted: CheckRun, row: OutboxRow) -> None:
    """Create or update the check run at GitHub.

    Raises:
        InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
        RequestRejected: GitHub refuses the check run; what was sent is noted.
        RetryLater: GitHub is away, or its limit is reached; what was sent is noted.
    """
    code = row.check_code
    try:
        await writer.send(code, wanted, await writer.find_remote(wanted, row))
    except RequestRejected as error:
        refused_places = error.status == UNPROCESSABLE and not isinstance(error, CommitNotFound)
        if not refused_places or not wanted.annotations:
            raise
        # GitHub takes no part of a request with one bad annotation; the verdict matters more than its places.
        log.warning("publish.annotations_refused", check=code, reason=str(error))
        note = "\n\nGitHub refused the annotations; every finding stands behind the link."
        bare = replace(wanted, annotations=(), summary=check_runs.cut(wanted.summary, _ROOM_FOR_MORE) + note)
        async with writer.context.pool.acquire() as connection:
            rows = await list_outbox(connection, writer.audit_run.id)
        now = next(item for item in rows if item.check_code == code)
        await writer.send(code, bare, await writer.find_remote(bare, now))


def wanted_run(writer: CheckRunWriter, code: str) -> CheckRun:
    """Return the check run without its verdict."""
    run = writer.audit_run
    return CheckRun(
        name=check_run_name(code),
        head_sha=run.commit_sha,
        external_id=str(run.id),
        details_url=writer.context.audit_link(run, writer.repo),
        conclusion="",
        title="",
        summary="",
    )


async def final_run(writer: CheckRunWriter, run: AuditRun, check: StoredCheck) -> CheckRun:
    """Return the check run with its verdict and annotations: those of `run`, one of the commit's."""
    context = writer.context
    async with context.pool.acquire() as connection:
        shown = await list_annotations(connection, run.id, check.check_code, limit=MAX_ANNOTATIONS + 1)
    summary = check.summary
    if len(shown) > MAX_ANNOTATIONS:
        summary += f"\n\nThe worst {MAX_ANNOTATIONS} findings are annotated; all of them stand behind the link."
    if check.counts.total and not check.kept_count:
        summary += "\n\nThe findings of this audit are not kept any more, so that none is annotated."
    return replace(
        wanted_run(writer, check.check_code),
        details_url=context.audit_link(run, writer.repo),
        conclusion=check.conclusion,
        title=check.title,
        summary=summary or check.title,
        annotations=tuple(_annotation(check.check_code, finding) for finding in shown[:MAX_ANNOTATIONS]),
        actions=(RECORD_KNOWN,) if _recordable(check) and can_record(writer.installation, run) else (),
    )


def _recordable(check: StoredCheck) -> bool:
    return bool(kind_of(check.check_code).recorded_under) and check.result == Result.FAIL


def can_record(installation: Installation, run: AuditRun) -> bool:
    """Return whether we may open a pull request for the run's head."""
    granted = installation.permissions
    may_write = granted.get("contents") == "write" and granted.get("pull_requests") == "write"
    return may_write and not run.fork and run.trigger != Trigger.MERGE_GROUP


def _annotation(code: str, finding: StoredFinding) -> Annotation:
    return Annotation(
        path=finding.path,
        start_line=finding.line,
        end_line=finding.end_line,
        level=finding.level,
        message=finding.message,
        title=f"{code} {finding.rule}",
    )
