"""Operations on findings that somebody allowed."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from forgeguard_app.flows.audits.allow_finding import AllowanceRequest, allow_finding, revoke_allowance
from forgeguard_app.flows.people.repo_access import AccessLevel
from forgeguard_app.store.allowances import find_allowance, list_allowances
from forgeguard_app.web.access import id_of, open_audit, open_repo
from forgeguard_app.web.api import models
from forgeguard_app.web.api.operations import ApiRequest
from forgeguard_app.web.cursors import cursor_of, read_cursor
from forgeguard_app.web.in_turn import in_turn
from forgeguard_app.web.keys import CONTEXT


async def show_allowances(ask: ApiRequest) -> models.Allowances:
    """Return a repository's allowances, for those whom GitHub lets into it."""
    query: models.AllowancesQuery = ask.query
    view = await open_repo(ask.request, query.repo_id, AccessLevel.READ)
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        found = await list_allowances(connection, view.repo.id, read_cursor(query.cursor), query.limit + 1)
    shown = found[: query.limit]
    items = await in_turn(
        ask.request, lambda: [models.Allowance.model_validate(asdict(allowance)) for allowance in shown]
    )
    following = cursor_of(items[-1].created_at, items[-1].id) if len(found) > query.limit else None
    return models.Allowances(items=items, next=following)


async def add_allowance(ask: ApiRequest) -> models.Allowance:
    """Let the finding count no more; open heads in which it stands are evaluated again."""
    wanted: models.NewAllowance = ask.body
    run, _ = await open_audit(ask.request, wanted.audit_id, AccessLevel.WRITE)
    wish = AllowanceRequest(wanted.check_code, wanted.fingerprint, wanted.reason, wanted.days)
    made = await allow_finding(ask.request.app[CONTEXT].pool, ask.user, run, wish)
    return models.Allowance.model_validate(asdict(made))


async def remove_allowance(ask: ApiRequest) -> None:
    """Let the finding count again."""
    pool = ask.request.app[CONTEXT].pool
    async with pool.acquire() as connection:
        allowance = await find_allowance(connection, id_of(ask.request, "allowance_id"))
    if allowance is None:
        raise web.HTTPNotFound(reason="There is no such allowance, or you may not see it.")
    await open_repo(ask.request, allowance.repo_id, AccessLevel.WRITE)
    await revoke_allowance(pool, ask.user, allowance)
