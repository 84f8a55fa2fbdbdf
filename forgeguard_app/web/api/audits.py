"""Operations on repositories and their audits."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from aiohttp import web

from forgeguard_app.flows.intake.rerun_audit import TooManyReruns, rerun_audit
from forgeguard_app.flows.people.repo_access import AccessLevel, refresh_access
from forgeguard_app.store.audit_findings import StoredCheck, list_checks
from forgeguard_app.store.findings import ListedFinding, list_page
from forgeguard_app.store.overview import SeenRepo, find_head_run, find_seen, list_seen
from forgeguard_app.store.storage import find_deleted
from forgeguard_app.store.timeline import list_entries
from forgeguard_app.web.access import RepoView, id_of, open_audit, open_repo
from forgeguard_app.web.api import models
from forgeguard_app.web.api.operations import ApiRequest
from forgeguard_app.web.cursors import cursor_of, read_cursor, read_text_cursor, text_cursor
from forgeguard_app.web.in_turn import in_turn
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.states import ShownState, filter_of, head_states, states_of

_ENTRY = (
    "id",
    "commit_sha",
    "commit_message",
    "commit_author",
    "branch",
    "trigger",
    "status",
    "overall_result",
    "files_checked",
    "created_at",
    "completed_at",
)


async def show_repos(ask: ApiRequest) -> models.Repositories:
    """Return the guarded repositories that the one who asks sees, by name."""
    context, query = ask.request.app[CONTEXT], ask.query
    await refresh_access(context, ask.user.user_id)
    async with context.pool.acquire() as connection:
        found = await list_seen(connection, ask.user.user_id, read_text_cursor(query.cursor), query.limit + 1)
        states = await head_states(connection, {repo.id: repo.run_id for repo in found})
    items = [_repository(repo, states[repo.id]) for repo in found[: query.limit]]
    return models.Repositories(items=items, next=text_cursor(items[-1].full_name) if len(found) > query.limit else None)


async def show_repo(ask: ApiRequest) -> models.Repository:
    """Return one repository; a public one for everybody."""
    view = await open_repo(ask.request, id_of(ask.request, "repo_id"))
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        found = await find_seen(connection, ask.person.user_id, view.repo.id) if ask.person is not None else None
        run_id = found.run_id if found is not None else await find_head_run(connection, view.repo.id)
        states = await head_states(connection, {view.repo.id: run_id})
    state = states[view.repo.id]
    return _public(view, state) if found is None else _repository(found, state)


async def show_audits(ask: ApiRequest) -> models.Audits:
    """Return a repository's audits, the newest first."""
    view, query = await open_repo(ask.request, id_of(ask.request, "repo_id")), ask.query
    wanted = filter_of(query.state or "", query.branch or None, query.author or None, query.result)
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        before = read_cursor(query.cursor)
        found = await list_entries(connection, view.repo.id, wanted, before, query.limit + 1)
        states = await states_of(connection, [entry.id for entry in found])
    items = await in_turn(
        ask.request,
        lambda: [
            models.AuditEntry.model_validate(asdict(entry) | _state(states[entry.id])) for entry in found[: query.limit]
        ],
    )
    following = cursor_of(items[-1].created_at, items[-1].id) if len(found) > query.limit else None
    return models.Audits(items=items, next=following)


async def show_audit(ask: ApiRequest) -> models.Audit:
    """Return one audit with its verdict."""
    run, view = await open_audit(ask.request, id_of(ask.request, "run_id"))
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        stored = await list_checks(connection, run.id)
        state = (await states_of(connection, [run.id]))[run.id]
        deleted = await find_deleted(connection, run.id)
    entry = {name: getattr(run, name) for name in _ENTRY} | _state(state)
    more = {
        name: getattr(run, name) for name in ("base_sha", "error_detail", "published_at", "publish_error", "repo_id")
    }
    checks = [_check(check, state.checks[check.check_code]) for check in stored]
    return models.Audit.model_validate(
        entry
        | more
        | {
            "repository": view.repo.full_name,
            "checks": checks,
            "findings_deleted_at": deleted.findings_at,
        }
    )


def _check(stored: StoredCheck, state: ShownState) -> models.Check:
    counts = stored.counts
    return models.Check.model_validate(
        {
            "check_code": stored.check_code,
            "check_name": stored.check_name,
            "result": stored.result,
            "conclusion": stored.conclusion,
            "title": stored.title,
            "detail": stored.detail,
            "state": state.kind,
            "findings": counts.total,
            "new": counts.new,
            "existing": counts.existing,
            "allowed": counts.allowed,
            "notices": counts.notice,
            "problems": counts.problem,
            "verified": counts.verified,
            "kept": stored.kept_count,
        }
    )


def _finding(finding: ListedFinding) -> models.Finding:
    return models.Finding.model_validate(
        {
            "check_code": finding.check_code,
            "path": finding.path,
            "line": finding.line,
            "end_line": finding.end_line,
            "column": finding.column_number,
            "rule": finding.rule,
            "message": finding.message,
            "level": finding.level,
            "new": finding.is_new,
            "part": finding.part,
            "verified": finding.is_verified,
            "counted": finding.is_counted,
            "commit": finding.commit_sha,
            "fingerprint": finding.fingerprint,
        }
    )


async def show_findings(ask: ApiRequest) -> models.Findings:
    """Return an audit's findings; where existing secrets stand is for those who may write to the repository."""
    run, view = await open_audit(ask.request, id_of(ask.request, "run_id"))
    query, after = ask.query, _place(ask.query.cursor)
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        found = await list_page(
            connection, run.id, query.check_code, after, secrets=view.may_write, most=query.limit + 1
        )
        deleted = await find_deleted(connection, run.id)
    items = await in_turn(ask.request, lambda: list(map(_finding, found[: query.limit])))
    last = found[query.limit - 1] if len(found) > query.limit else None
    following = text_cursor(f"{last.check_code} {last.ordinal}") if last else None
    return models.Findings(items=items, next=following, findings_deleted_at=deleted.findings_at)


async def rerun(ask: ApiRequest) -> models.Rerun:
    """Audit the same head once more under today's rules."""
    run, _ = await open_audit(ask.request, id_of(ask.request, "run_id"), AccessLevel.WRITE)
    try:
        found: UUID = await rerun_audit(ask.request.app[CONTEXT].pool, run, ask.user.github_id)
    except TooManyReruns as error:
        raise web.HTTPTooManyRequests(reason=str(error), headers={"Retry-After": str(error.again_s)}) from None
    return models.Rerun(id=found)


def _place(cursor: str | None) -> tuple[str, int]:
    text = read_text_cursor(cursor)
    if not text:
        return "", -1
    code, _, ordinal = text.partition(" ")
    if not ordinal.isascii() or not ordinal.isdigit() or len(ordinal) > 9:
        raise web.HTTPBadRequest(reason="This cursor is invalid: begin again without it.")
    return code, int(ordinal)


def _state(state: ShownState) -> dict[str, str]:
    return {"state": state.kind, "state_reason": state.reason}


def _repository(repo: SeenRepo, state: ShownState) -> models.Repository:
    newest = None
    if repo.run_id is not None:
        newest = {
            "id": repo.run_id,
            "commit_sha": repo.run_sha,
            "status": repo.run_status,
            "overall_result": repo.run_result,
            "created_at": repo.run_at,
            **_state(state),
        }
    return models.Repository.model_validate(
        {
            "id": repo.id,
            "github_repo_id": repo.github_repo_id,
            "full_name": repo.full_name,
            "default_branch": repo.default_branch,
            "private": repo.private,
            "level": repo.level,
            "newest": newest,
            "health": {"passed": repo.passed, "judged": repo.evaluated},
            **_state(state),
        }
    )


def _public(view: RepoView, state: ShownState) -> models.Repository:
    repo = view.repo
    return models.Repository(
        id=repo.id,
        github_repo_id=repo.github_repo_id,
        full_name=repo.full_name,
        default_branch=repo.default_branch,
        private=repo.private,
        level="public",
        health=None,
        newest=None,
        state=state.kind.value,
        state_reason=state.reason,
    )
